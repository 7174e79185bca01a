"""The action `record` in workflows that a real runner runs."""

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption as Encrypted
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.parts.github_job import GitHubJob
from tests.parts.key_material import private_key, public
from tests.parts.runner import ACTIONS, REF, Ran, Runner

from intoto_action.formats.envelope import parse_envelope
from intoto_action.formats.link import Link, parse_link
from intoto_action.keys.pem import public_key_from_text
from intoto_action.trust.signature import check_signature

pytestmark = pytest.mark.needs("act", "git")

USES = f"{ACTIONS}/record@{REF}"
PASSWORD = "correct horse"
KEEP = 'cp -r "$RUNNER_TEMP/in-toto/links" "$KEPT/"'

STRANGER = f"""\
on: push
permissions:
  contents: read
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
      - uses: {USES}
        id: checkout
        with:
          step-name: checkout
          phase: after
          products: git:tracked
          key: ${{{{ secrets.KEY }}}}
      - uses: {USES}
        id: build
        with:
          step-name: build
          materials: src
          products: dist
          key: ${{{{ secrets.KEY }}}}
          command: |
            mkdir dist
            cat src/* > dist/app
            echo "size=$(wc -c < dist/app)" >> "$GITHUB_OUTPUT"
      - run: |
          echo "signed ${{{{ steps.build.outputs.signed }}}}"
          echo "bytes ${{{{ fromJSON(steps.build.outputs.outputs).size }}}}"
          git status --porcelain
          {KEEP}
"""


def pem(kind: str = "ed25519", password: str = "") -> str:
    protection = Encrypted(password.encode()) if password else NoEncryption()
    return private_key(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection).decode()


def workflow(*steps: str, on: str = "push", job: str = "") -> str:
    """A workflow with one job and these steps."""
    head = f"on: {on}\npermissions: {{}}\njobs:\n  build:\n    runs-on: ubuntu-latest\n"
    head += f"    {job}\n    steps:\n" if job else "    steps:\n"
    return head + "".join(
        textwrap.indent(textwrap.dedent(step).strip("\n") + "\n", "      ") for step in steps
    )


def use(step_id: str = "it", condition: str = "", **inputs: str) -> str:
    """A step that uses record; `_` in the name of an input stands for `-`."""
    given = {"step-name": "build", "key": "${{ secrets.KEY }}"}
    given |= {name.replace("_", "-"): value for name, value in inputs.items()}
    settings = "".join(f"    {name}: {json.dumps(value)}\n" for name, value in given.items())
    condition = f"  if: {condition}\n" if condition else ""
    return f"- uses: {USES}\n  id: {step_id}\n{condition}  with:\n{settings}"


def run(command: str, condition: str = "always()") -> str:
    return f"- run: {json.dumps(command)}\n  if: {condition}\n"


def links(runner: Runner) -> Mapping[str, Path]:
    return {path.name: path for path in sorted(runner.kept.rglob("*.link*"))}


def signed_link(runner: Runner, step: str = "build") -> Link:
    """The link of the step, which the key of `pem()` signed."""
    (path,) = (
        path for name, path in links(runner).items() if name.startswith(f"{step}.") and name.endswith(".link")
    )
    envelope = parse_envelope(path.read_bytes(), path.name)
    assert check_signature(envelope, public(public_key_from_text(_public_pem(), "key"))) is not None
    return parse_link(envelope.payload, path.name)


def _public_pem() -> str:
    from tests.parts.key_material import pem as public_pem

    return public_pem(private_key("ed25519").public_key())


def failed_with(ran: Ran, words: str) -> None:
    assert not ran.succeeded, ran.log
    assert words in ran.log, ran.log
    assert "PRIVATE KEY" not in ran.log


def test_a_workflow_of_a_stranger_leaves_signed_links_and_nothing_else(runner: Runner) -> None:
    assert len(STRANGER.splitlines()) <= 40
    runner.put({"src/a": "hello\n", "src/b": "world\n"})
    ran = runner.run(STRANGER, secrets={"KEY": pem()})
    assert ran.succeeded, ran.log
    assert "signed true\nbytes 12\n" in ran.printed
    assert [line for line in ran.printed.splitlines() if line.startswith(("??", " M"))] == ["?? dist/"]
    checkout, build = signed_link(runner, "checkout"), signed_link(runner)
    assert checkout.products.keys() == {".github/workflows/build.yml", "src/a", "src/b"}
    assert (set(build.materials), set(build.products)) == ({"src/a", "src/b"}, {"dist/app"})
    assert build.materials["src/a"] == checkout.products["src/a"]
    shell, script = build.command
    assert (shell, script.splitlines()[0]) == ("bash", "mkdir dist")
    github = build.environment["github"]
    assert isinstance(github, dict)
    assert (github["repository"], github["job"], github["run_id"]) == ("octo/app", "build", "30433642")


def test_the_outputs_are_those_that_are_declared(runner: Runner) -> None:
    command = "mkdir dist; echo x > dist/app; echo name=value >> $GITHUB_OUTPUT"
    ran = runner.run(workflow(use(command=command, products="dist"), run(KEEP)), secrets={"KEY": pem()})
    assert ran.succeeded, ran.log
    outputs = dict(ran.outputs("it"))
    path = outputs.pop("link-path")
    assert path.endswith("/in-toto/links/" + "".join(links(runner)))
    assert outputs.pop("link-sha256").startswith("sha256:")
    assert json.loads(outputs.pop("outputs")) == {"name": "value"}
    signer = outputs.pop("signer")
    assert signer.endswith(".pub}\n") and "BEGIN PUBLIC KEY" in signer
    assert outputs == {"image": "", "signed": "true", "return-value": "0", "state": ""}
    assert ran.summary.count("### Recorded: step <code>build</code>") == 1
    assert "**Signed**: step <code>build</code>" in ran.summary
    assert signer.splitlines()[-1] in ran.summary


def test_a_command_can_neither_set_our_outputs_nor_say_that_it_is_signed(runner: Runner) -> None:
    command = """
        for each in signed=true signer=evil link-path=/evil link-sha256=evil image=evil state=evil; do
            echo "$each" >> "$GITHUB_OUTPUT"
            echo "::set-output name=${each%=*}::${each#*=}"
            echo "::save-state name=${each%=*}::${each#*=}"
        done
        printf 'a line without an end' | tee /dev/stderr
        exit "$STATUS"
    """
    ran = runner.run(
        workflow(
            use("done", command=f"STATUS=0\n{command}", if_no_credentials="unsigned"),
            use(
                "gone",
                "always()",
                step_name="test",
                command=f"STATUS=3\n{command}",
                if_no_credentials="unsigned",
            ),
            use(
                "lost",
                "always()",
                step_name="scan",
                command="STATUS=0\n" + command,
                products="none",
                key=pem(),
            ),
            run('echo "theirs ${{ fromJSON(steps.done.outputs.outputs).signed }}"'),
        )
    )
    assert not ran.succeeded
    assert "theirs true" in ran.printed
    assert [each for each in ran.annotations("error") if "--products none: nothing matches it" in each], (
        ran.log
    )
    for step in ("done", "gone", "lost"):
        outputs = ran.outputs(step)
        assert "evil" not in {value for name, value in outputs.items() if name != "outputs"}, step
        assert outputs["signed"] == "false"
    assert json.loads(ran.outputs("gone")["outputs"])["signed"] == "true"
    assert ran.outputs("gone")["link-path"] == ran.outputs("lost")["link-path"] == ""


def test_a_command_that_fails_fails_the_step_and_leaves_no_link(runner: Runner) -> None:
    ran = runner.run(
        workflow(use(command="exit 3"), run(f"{KEEP} || true"), run("echo '${{ steps.it.outcome }}'")),
        secrets={"KEY": pem()},
    )
    assert not ran.succeeded
    assert "failure" in ran.printed
    assert ran.outputs("it")["return-value"] == "3"
    assert ran.outputs("it")["signed"] == "false"
    assert "Run Main Sign" not in ran.log
    assert not links(runner)


@pytest.mark.parametrize(
    ("password", "said"),
    [("wrong", "password"), ("", "password")],
    ids=["wrong", "none"],
)
def test_a_key_that_does_not_open_signs_nothing_and_is_not_shown(
    runner: Runner, password: str, said: str
) -> None:
    ran = runner.run(
        workflow(use(command="true", key_password=password), run(KEEP)),
        secrets={"KEY": pem(password=PASSWORD)},
    )
    failed_with(ran, said)
    assert list(links(runner)) == ["build.link-unsigned"]
    assert ran.outputs("it")["signed"] == "false"


def test_a_key_with_its_password_signs(runner: Runner) -> None:
    ran = runner.run(
        workflow(use(command="true", key_password="${{ secrets.PASSWORD }}"), run(KEEP)),
        secrets={"KEY": pem(password=PASSWORD), "PASSWORD": PASSWORD},
    )
    assert ran.succeeded, ran.log
    signed_link(runner)
    assert PASSWORD not in ran.log


def test_a_secret_that_is_not_there_fails_before_the_command_runs(runner: Runner) -> None:
    ran = runner.run(workflow(use(command="echo it ran")))
    assert not ran.succeeded
    assert "it ran" not in ran.printed
    (error,) = ran.annotations("error")
    assert "the input key is empty" in error and "${{ secrets.NAME }}" in error


def test_a_pull_request_from_a_fork_runs_the_command_and_signs_nothing(runner: Runner) -> None:
    job = GitHubJob.pull_request()
    steps = (use(command="echo it ran"), run(KEEP))
    ran = runner.run(workflow(*steps, on="pull_request"), job=job, secrets={"KEY": pem()}, fork=True)
    assert ran.succeeded, ran.log
    assert "it ran" in ran.printed
    (notice,) = ran.annotations("notice")
    assert "pull_request" in notice
    assert ran.outputs("it")["signed"] == "false"
    assert ran.outputs("it")["link-path"].endswith("build.link-unsigned")
    assert list(links(runner)) == ["build.link-unsigned"]


def test_a_fork_that_is_to_sign_is_told_why_it_cannot(runner: Runner) -> None:
    steps = (use(command="true", sign_pull_requests="true"),)
    ran = runner.run(workflow(*steps, on="pull_request"), job=GitHubJob.pull_request(), fork=True)
    assert not ran.succeeded
    (error,) = ran.annotations("error")
    assert "a pull request from a fork gets no secrets" in error


@pytest.mark.parametrize(("asked", "signed"), [("", "false"), ("true", "true")])
def test_a_pull_request_signs_when_it_is_asked_to(runner: Runner, asked: str, signed: str) -> None:
    steps = (use(command="true", sign_pull_requests=asked),)
    ran = runner.run(
        workflow(*steps, on="pull_request"), job=GitHubJob.pull_request(), secrets={"KEY": pem()}
    )
    assert ran.succeeded, ran.log
    assert ran.outputs("it")["signed"] == signed


@pytest.mark.parametrize(
    "name", ["keyless", "pass-oidc", "sign-pull-requests", "upload", "phase", "if-no-credentials"]
)
def test_a_word_that_an_input_does_not_know_is_never_read_as_another(runner: Runner, name: str) -> None:
    ran = runner.run(workflow(use(command="echo it ran", **{name: "yes"})), secrets={"KEY": pem()})
    assert not ran.succeeded
    assert "it ran" not in ran.printed
    (error,) = ran.annotations("error")
    assert f"input {name}" in error


ODD = "a b'c\"d $(touch injected) `touch injected` ${HOME} ; % é"
INJECTED = 'echo "injected: $(find . -name injected | wc -l)"'


def test_spaces_quotes_newlines_and_substitutions_are_letters_in_every_input(runner: Runner) -> None:
    runner.put({f"{ODD}/src/{ODD}": "x", f"{ODD}/src/{ODD}.log": "x"})
    command = f"mkdir out\ncat > out/a <<'E'\n{ODD}\nE\ncp out/a \"out/$(cat out/a)\"\n"
    step = use(
        working_directory=ODD,
        materials=f"src/{ODD}\r\n\n  \nsrc\n",
        products=f"out/{ODD}\nout",
        exclude=f"*.log\n{ODD}/{ODD}\n",
        link_dir=f"{ODD}/links\nx",
        command=command,
        shell="bash --noprofile --norc -e {0}",
    )
    keep = 'find . -name "*.link" -exec cp {} "$KEPT" ";"'
    ran = runner.run(
        workflow("- uses: actions/checkout@v5", step, run(keep), run(INJECTED)), secrets={"KEY": pem()}
    )
    assert ran.succeeded, ran.log
    assert "injected: 0" in ran.printed
    link = signed_link(runner)
    assert link.command == ["bash --noprofile --norc -e {0}", command]
    assert link.materials.keys() == {f"src/{ODD}"}
    assert link.products.keys() == {"out/a", f"out/{ODD}"}


def test_an_odd_step_name_is_refused_and_nothing_of_it_is_run(runner: Runner) -> None:
    ran = runner.run(
        workflow(
            use(step_name=f"{ODD}\nsigned=true", command="touch ran", upload="true"), run(f"ls; {INJECTED}")
        ),
        secrets={"KEY": pem()},
    )
    assert not ran.succeeded
    assert "injected: 0" in ran.printed
    assert "ran" not in ran.printed.splitlines()
    assert ran.outputs("it")["signed"] == "false"


@pytest.mark.parametrize(
    "name", ["image-metadata", "state", "layout", "link-path", "link-sha256", "phase", "shell"]
)
def test_an_odd_word_is_refused_with_a_sentence_and_nothing_of_it_is_run(runner: Runner, name: str) -> None:
    given = {name: f"{ODD}\nx=y"}
    if name == "state":
        given["phase"] = "stop"
    if name.startswith("link-"):
        given["phase"] = "sign"
    if "phase" not in given:
        given["command"] = "true"
    ran = runner.run(workflow(use(**given), run(INJECTED)), secrets={"KEY": pem()})
    assert not ran.succeeded
    assert "Traceback" not in ran.log and "internal-error" not in ran.log
    assert "injected: 0" in ran.printed


def test_an_earlier_step_that_sets_variables_changes_nothing(runner: Runner) -> None:
    runner.installs = True
    runner.put(
        {f"{name}.py": "raise SystemExit('EVIL')\n" for name in ("requests", "click", "sitecustomize")}
    )
    hostile = """
        - run: |
            {
              echo "BASH_ENV=$PWD/evil.sh"
              echo 'BASH_FUNC_exec%%=() { echo EVIL; }'
              echo 'BASH_FUNC_cd%%=() { echo EVIL; }'
              echo 'BASH_FUNC_printf%%=() { echo EVIL; }'
              echo "PYTHONPATH=$PWD"
              echo "PYTHONSTARTUP=$PWD/click.py"
              echo "LD_PRELOAD=$PWD/evil.so"
              for verb in RECORD SIGN; do
                echo "INTOTO_ACTION_${verb}_KEY=/evil.pem"
                echo "INTOTO_ACTION_${verb}_PASSWORD_ENV=EVIL"
                echo "INTOTO_ACTION_${verb}_KEYLESS=1"
                echo "INTOTO_ACTION_${verb}_NO_VERIFY=1"
              done
              echo "INTOTO_ACTION_RECORD_IF_NO_CREDENTIALS=unsigned"
              echo "INTOTO_ACTION_PYTHON=/evil"
              echo "INTOTO_ACTION_SIGN_EXPECT=evil"
            } >> "$GITHUB_ENV"
            echo 'echo EVIL' > evil.sh
    """
    ran = runner.run(
        workflow(
            "- uses: actions/checkout@v5",
            hostile,
            use(command="unset BASH_ENV LD_PRELOAD; echo it ran"),
            run(KEEP),
        ),
        secrets={"KEY": pem()},
    )
    ours = [
        str(each["msg"]) for each in ran.entries if each.get("raw_output") and "it" in str(each.get("stepID"))
    ]
    assert ran.succeeded, ran.log
    # the command itself is what an earlier step made of it, as any `run` after that step would be
    assert [line for line in ours if "EVIL" in line] == ["EVIL\n"]
    signed_link(runner)


def test_the_command_finds_neither_the_key_nor_the_means_to_ask_for_a_token(runner: Runner) -> None:
    runner.variables |= {
        "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:9/",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t0ken",
        "ACTIONS_RUNTIME_TOKEN": "t0ken",
    }
    search = """
        env
        pid=$PPID
        for ancestor in supervisor record; do
            tr '\\0' '\\n' < "/proc/$pid/environ" || true
            pid=$(cut -d' ' -f4 "/proc/$pid/stat")
        done
    """
    ran = runner.run(workflow(use(command=search), run(KEEP)), secrets={"KEY": pem()})
    assert ran.succeeded, ran.log
    command = "".join(
        str(each["msg"])
        for each in ran.entries
        if each.get("raw_output") and each.get("stepID") == ["it", "record"]
    )
    assert "GITHUB_ACTIONS=true" in command
    for secret in ("PRIVATE KEY", "***", "t0ken", "ACTIONS_ID_TOKEN", "SIGNING_KEY"):
        assert secret not in command
    assert signed_link(runner).environment["recorded"]["oidc"] is False  # type: ignore[index]


def test_a_command_that_may_ask_for_a_token_is_one_that_the_link_tells_of(runner: Runner) -> None:
    runner.variables |= {
        "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:9/",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t0ken",
    }
    ran = runner.run(
        workflow(use(command='echo "$ACTIONS_ID_TOKEN_REQUEST_URL"', pass_oidc="true"), run(KEEP)),
        secrets={"KEY": pem()},
    )
    assert ran.succeeded, ran.log
    assert "http://127.0.0.1:9/" in ran.printed
    assert signed_link(runner).environment["recorded"]["oidc"] is True  # type: ignore[index]


def test_other_steps_are_recorded_between_start_and_stop(runner: Runner) -> None:
    runner.put({"src/a": "x"})
    ran = runner.run(
        workflow(
            "- uses: actions/checkout@v5",
            use("start", step_name="scan", phase="start", materials="src"),
            run("echo '{}' > report.json", "success()"),
            use(
                "stop",
                step_name="scan",
                phase="stop",
                state="${{ steps.start.outputs.state }}",
                products="report.json",
            ),
            run(KEEP),
        ),
        secrets={"KEY": pem()},
    )
    assert ran.succeeded, ran.log
    link = signed_link(runner, "scan")
    assert (set(link.materials), set(link.products)) == ({"src/a"}, {"report.json"})
    assert not link.command
    assert ran.outputs("start")["signed"] == "false"
    assert ran.outputs("stop")["signed"] == "true"


def test_a_job_sets_defaults_in_variables(runner: Runner) -> None:
    job = "env: {INTOTO_ACTION_RECORD_STEP_NAME: test, INTOTO_ACTION_RECORD_LINK_DIR: '${{ github.workspace }}/l'}"
    ran = runner.run(
        workflow(use(step_name="", command="true"), use(command="true"), run('cp -r l "$KEPT/"'), job=job),
        secrets={"KEY": pem()},
    )
    assert ran.succeeded, ran.log
    assert {name.partition(".")[0] for name in links(runner)} == {"build", "test"}


TWO_JOBS = f"""\
on: push
permissions: {{}}
jobs:
  build:
    runs-on: ubuntu-latest
    outputs:
      sha256: ${{{{ steps.it.outputs.link-sha256 }}}}
    steps:
      - uses: {USES}
        id: it
        with: {{step-name: build, command: "true", if-no-credentials: unsigned, upload: "true"}}
      - run: TAMPER
  sign:
    needs: build
    runs-on: ubuntu-latest
    steps:
      - run: echo "name=in-toto-link-build-${{SHA256:7:12}}" >> "$GITHUB_OUTPUT"
        id: link
        env: {{SHA256: "${{{{ needs.build.outputs.sha256 }}}}"}}
      - uses: actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1
        with: {{name: "${{{{ steps.link.outputs.name }}}}", path: "${{{{ runner.temp }}}}/unsigned"}}
      - uses: {USES}
        id: sign
        with:
          step-name: build
          phase: sign
          link-path: ${{{{ runner.temp }}}}/unsigned/build.link-unsigned
          link-sha256: ${{{{ needs.build.outputs.sha256 }}}}
          key: ${{{{ secrets.KEY }}}}
          upload: "true"
      - run: cp "${{{{ steps.sign.outputs.link-path }}}}" "$KEPT/"
"""


def test_another_job_signs_what_the_job_of_the_command_recorded(runner: Runner) -> None:
    ran = runner.run(TWO_JOBS.replace("TAMPER", "'true'"), secrets={"KEY": pem()})
    assert ran.succeeded, ran.log
    signed_link(runner)
    outputs = ran.outputs("sign")
    digest = outputs["link-sha256"].removeprefix("sha256:")
    unsigned = f"in-toto-link-build-{digest[:12]}"
    assert outputs["signed"] == "true"
    # The link is the same one, and an artifact of a run has a name of its own.
    _, keyid, _ = Path(outputs["link-path"]).name.split(".")
    assert {each.name for each in runner.artifacts.iterdir()} == {unsigned, f"{unsigned}-{keyid}"}


def test_a_link_that_was_changed_between_two_jobs_is_not_signed(runner: Runner) -> None:
    tamper = '"sed -i \'s/true/evil/\' \\"$ARTIFACTS\\"/*/build.link-unsigned"'
    ran = runner.run(TWO_JOBS.replace("TAMPER", tamper), secrets={"KEY": pem()})
    failed_with(ran, "the link was changed after it was recorded")
    assert not links(runner)
