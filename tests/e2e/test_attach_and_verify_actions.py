"""The actions together, in workflows that a real runner runs: from a source tree to an image that is verified."""

import base64
import json
import re
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.parts.desk import run as run_product
from tests.parts.github_job import GitHubJob
from tests.parts.key_material import pem, private_key
from tests.parts.registries import RunningRegistry
from tests.parts.runner import ACTIONS, REF, Ran, Runner
from tests.parts.sigstore import SIGSTORE, PrivateSigstore
from tests.parts.token_server import JOB_TOKEN
from tests.parts.tools import tool

pytestmark = pytest.mark.needs("act", "git", "crane", "cosign")

LAYOUT = """\
expires: 6 months
functionaries:
  builder: {builder}
source: {{repository: https://github.com/octo/app, refs: [refs/heads/main], pass-oidc: {pass_oidc}}}
subject: {{step: push, artifact: "oci:{name}"}}
steps:
  - name: checkout
    functionaries: [builder]
    expected_products: ["CREATE src/*", "CREATE .git*", "CREATE in-toto/*"]
  - name: build
    functionaries: [builder]
    expected_materials: ["MATCH src/* WITH PRODUCTS FROM checkout"]
    expected_products: ["CREATE dist/app.tar"]
  - name: push
    functionaries: [builder]
    expected_materials: ["MATCH dist/app.tar WITH PRODUCTS FROM build"]
"""

LINE_OF_PUSH = next(
    number for number, line in enumerate(LAYOUT.splitlines(), 1) if "MATCH dist/app.tar" in line
)
"""The rule that fails when dist/app.tar changes after it was built."""

RECORD_ALL = """\
- uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
- uses: {record}
  id: checkout
  with: {{step-name: checkout, phase: after, products: "git:tracked", key: "${{{{ secrets.KEY }}}}"{more}}}
- uses: {record}
  id: build
  with:
    step-name: build
    materials: src
    products: dist
    command: mkdir dist; tar -cf dist/app.tar -C src .
    key: "${{{{ secrets.KEY }}}}"
    {more_lines}
- run: {between}
- uses: {record}
  id: push
  with:
    step-name: push
    materials: dist
    products: oci:{name}@digestfile:digest
    command: |
      crane append --oci-empty-base --new_layer dist/app.tar --new_tag {name}:build | cut -d@ -f2 > digest
    key: "${{{{ secrets.KEY }}}}"
    {more_lines}
"""

# No test leaves this machine: where the job has no cosign, none can be fetched.
ATTACH = """\
- uses: {attach}
  id: attach
  env: {{HTTPS_PROXY: "http://127.0.0.1:1"}}
  with:
    image: ${{{{ {image} }}}}
    layout: in-toto/root.layout
    layout-key: ${{{{ env.OWNER }}}}
    key: ${{{{ secrets.KEY }}}}
    tag: |
      1.0
      latest
"""

VERIFY = """\
- uses: {verify}
  id: verify
  with:
    image: {name}:1.0
    layout-key: ${{{{ env.OWNER }}}}
"""

PLANT = """\
mkdir .git/planted
printf '#!/bin/sh\\ntouch "$KEPT/planted"\\n' > .git/planted/cosign
chmod +x .git/planted/cosign
echo "$PWD/.git/planted" >> "$GITHUB_PATH"
echo "INTOTO_ACTION_COSIGN=$PWD/.git/planted/cosign" >> "$GITHUB_ENV"
"""
"""A cosign in the workspace, for whoever takes the first on PATH or what a variable says."""

KEEP = """\
- run: |
    cp "${{{{ steps.attach.outputs.evidence-path }}}}" "${{{{ steps.verify.outputs.report-path }}}}" "$KEPT/"
    git status --porcelain
"""


@dataclass
class Shop:
    """A runner with a repository whose layout is signed, and a registry for its image."""

    runner: Runner
    name: str
    owner: str
    key: str

    def steps(self, template: str, **words: str) -> str:
        uses = {each: f"{ACTIONS}/{each}@{REF}" for each in ("record", "attach", "verify")}
        defaults = {"between": "'true'", "more": "", "more_lines": "", "image": "steps.push.outputs.image"}
        return template.format(name=self.name, **uses, **{**defaults, **words})

    def job(self, *templates: str, **words: str) -> str:
        steps = "".join(self.steps(each, **words) for each in templates)
        owner = json.dumps(self.owner)
        return (
            f"on: push\npermissions: {{}}\nenv: {{OWNER: {owner}}}\n"
            f"jobs:\n  it:\n    runs-on: ubuntu-latest\n    steps:\n{textwrap.indent(steps, '      ')}"
        )

    def run(self, workflow: str) -> Ran:
        return self.runner.run(workflow, secrets={"KEY": self.key})

    def tags(self) -> list[str]:
        listed = self.runner.tools[-1] / "crane"
        from subprocess import run

        return run([listed, "ls", self.name], capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture(params=["cosign", "native"])
def pusher(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def open_shop(
    runner: Runner,
    registry: RunningRegistry,
    folder: Path,
    repository: str,
    *names: str,
    builder_is: str = "{key: builder.pub}",
    pass_oidc: str = "[]",
) -> Shop:
    tools = folder / "tools-of-the-job"
    tools.mkdir()
    for each in ("crane", *names):
        (tools / each).symlink_to(tool(each))
    runner.tools = (*runner.tools, tools)
    name = f"{registry.address}/{repository}"
    desk = folder / "desk"
    desk.mkdir()
    owner, builder = private_key("p256"), private_key("ed25519")
    (desk / "owner.pem").write_bytes(owner.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (desk / "owner.pem").chmod(0o600)
    (desk / "builder.pub").write_text(pem(builder.public_key()))
    (desk / "layout.yaml").write_text(LAYOUT.format(name=name, builder=builder_is, pass_oidc=pass_oidc))
    signed = run_product("layout", "sign", "--key", "owner.pem", "layout.yaml", cwd=desk)
    assert signed.code == 0, signed
    (runner.workspace / "in-toto").mkdir()
    for each in ("root.layout", "layout.yaml", "builder.pub"):
        shutil.copy2(desk / each, runner.workspace / "in-toto" / each)
    runner.put({"src/app": "hello\n", ".gitignore": "dist\ndigest\n"})
    secret = builder.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Shop(runner, name, pem(owner.public_key()), secret)


@pytest.fixture
def shop(
    runner: Runner, ghcr_like_registry: RunningRegistry, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Shop]:
    """A registry without the referrers API, as GHCR; a repository in it for each test."""
    repository = "octo/" + re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    yield open_shop(runner, ghcr_like_registry, tmp_path, repository)


def test_an_image_is_built_recorded_attached_and_verified_in_one_job(
    runner: Runner, ghcr_like_registry: RunningRegistry, tmp_path: Path, pusher: str
) -> None:
    names = ("cosign",) if pusher == "cosign" else ()
    shop = open_shop(runner, ghcr_like_registry, tmp_path, f"octo/{pusher}", *names)
    ran = shop.run(shop.job(RECORD_ALL, ATTACH, VERIFY, KEEP, between=json.dumps(PLANT)))
    assert ran.succeeded, ran.log
    way = (
        f"cosign is {runner.tools[-1]}/cosign\n"
        if names
        else "cosign cannot be fetched: fetching https://github.com/"
    )
    assert way in ran.printed
    assert not (runner.kept / "planted").exists()
    image = ran.outputs("push")["image"]
    assert re.fullmatch(rf"{re.escape(shop.name)}@sha256:[0-9a-f]{{64}}", image)
    attached = ran.outputs("attach", "attach")
    assert attached["image"] == image
    assert attached["referrer"].startswith("sha256:")
    verified = ran.outputs("verify", "verify")
    assert (verified["verdict"], verified["reason"], verified["failed-step"]) == ("pass", "", "")
    assert verified["image"] == image
    assert {"1.0", "latest"} <= set(shop.tags())
    assert json.loads((runner.kept / "verdict.json").read_text())["verdict"] == "pass"
    assert "mediaType" in json.loads((runner.kept / "evidence.json").read_text())
    assert "\n?? " not in ran.printed


def test_a_file_that_changes_between_two_steps_is_denied_and_no_tag_is_set(shop: Shop) -> None:
    ran = shop.run(shop.job(RECORD_ALL, ATTACH, between="echo evil >> dist/app.tar"))
    assert not ran.succeeded
    assert "rule-violation" in ran.log
    assert 'step "push"' in ran.log
    assert shop.tags() == ["build"]
    assert "referrer" not in {name for name, value in ran.outputs("attach", "attach").items() if value}
    (error,) = ran.annotations("error")
    assert ran.annotated("error") == [("in-toto/layout.yaml", LINE_OF_PUSH)]
    assert 'step "push"' in error and "dist/app.tar" in ran.summary.replace("&#46;", ".")
    assert "### Not attached" in ran.summary


def test_one_job_attaches_the_links_of_all(shop: Shop) -> None:
    """record in one job, which uploads its links; attach in another, which has nothing but a checkout."""
    upload = {"more": ', upload: "true"', "more_lines": 'upload: "true"'}
    first = shop.job(RECORD_ALL, **upload).replace(
        "    steps:\n", "    outputs: {image: '${{ steps.push.outputs.image }}'}\n    steps:\n", 1
    )
    (shop.runner.tools[-1] / "cosign").symlink_to(tool("cosign"))
    in_a_new_job = ATTACH.replace(
        '  env: {{HTTPS_PROXY: "http://127.0.0.1:1"}}\n', ""
    )  # which has to install first
    steps = "- uses: actions/checkout@v5\n" + shop.steps(
        in_a_new_job + VERIFY, image="needs.it.outputs.image"
    )
    second = f"  attach:\n    needs: it\n    runs-on: ubuntu-latest\n    steps:\n{textwrap.indent(steps, '      ')}"
    ran = shop.run(first + second)
    assert ran.succeeded, ran.log
    assert len(list(shop.runner.artifacts.iterdir())) == 3
    assert ran.outputs("verify", "verify")["verdict"] == "pass"


def test_what_is_denied_is_said_in_the_outputs_and_warn_lets_it_through(shop: Shop) -> None:
    nothing_attached = VERIFY.replace("1.0", "build")
    ran = shop.run(shop.job(RECORD_ALL, nothing_attached + "    on-deny: warn\n"))
    assert ran.succeeded, ran.log
    outputs = ran.outputs("verify", "verify")
    assert (outputs["verdict"], outputs["reason"]) == ("deny", "no-attestation")
    strict = shop.run(shop.job(nothing_attached))
    assert not strict.succeeded
    assert strict.outputs("verify", "verify")["verdict"] == "deny"


REHEARSE = """\
- uses: {verify}
  id: verify
  with:
    link-dir: ${{{{ runner.temp }}}}/in-toto/links
    layout: in-toto/root.layout
    layout-key: ${{{{ env.OWNER }}}}
    rehearse: true
"""


WATCH = """\
- run: |
    watch() {{
      touch "$KEPT/watching"
      for turn in $(seq 3000); do
        for each in $(grep -slaz '^INTOTO_ACTION_VERIFY_REHEARSE=true$' /proc/[0-9]*/environ); do
          cat "$each" > "$KEPT/read" 2> /dev/null || continue
          grep -qaz "^KEPT=$KEPT$" "$KEPT/read" || continue # of another test
          # What act gives a step of a composite before the bash of the tests takes it away, and GitHub never does.
          ! grep -qaz '^INPUT_' "$KEPT/read" || continue
          mv "$KEPT/read" "$KEPT/seen"
          return
        done
        sleep 0.02
      done
    }}
    export -f watch
    setsid bash -c watch > /dev/null 2>&1 < /dev/null &
    until [ -e "$KEPT/watching" ]; do sleep 0.01; done # act ends what it still finds in the step's own session
"""
"""A program that the build leaves behind, and that looks for a process of the rehearsal to read its environment."""


@pytest.mark.parametrize(
    ("between", "verdict", "reason"),
    [("'true'", "rehearsed", ""), ("'echo evil >> dist/app.tar'", "deny", "rule-violation")],
)
def test_a_pull_request_from_a_fork_is_rehearsed_without_a_key(
    shop: Shop, between: str, verdict: str, reason: str
) -> None:
    workflow = shop.job(RECORD_ALL, WATCH, REHEARSE, between=between).replace("on: push", "on: pull_request")
    secrets = {"KEY": shop.key, "GITHUB_TOKEN": JOB_TOKEN}
    ran = shop.runner.run(workflow, job=GitHubJob.pull_request(), secrets=secrets, fork=True)
    found = ran.outputs("verify", "verify")
    assert (found["verdict"], found["reason"]) == (verdict, reason), ran.log
    assert ran.succeeded == (verdict == "rehearsed")
    assert ran.annotated("error") == ([] if ran.succeeded else [("in-toto/layout.yaml", LINE_OF_PUSH)])
    assert shop.key not in ran.log
    seen = (shop.runner.kept / "seen").read_text()
    assert "INTOTO_ACTION_VERIFY_GITHUB_TOKEN=\0" in seen, "no registry is asked"
    assert JOB_TOKEN not in seen


def test_a_demand_for_provenance_is_one_that_an_image_without_it_does_not_meet(shop: Shop) -> None:
    ran = shop.run(
        shop.job(RECORD_ALL, ATTACH, VERIFY + "    source-repository: https://github.com/octo/app\n")
    )
    assert not ran.succeeded
    assert ran.outputs("attach", "attach")["referrer"]
    assert ran.outputs("verify", "verify")["reason"].startswith("provenance-"), ran.log


def test_provenance_of_a_file_is_attached_beside_the_evidence_and_verified(shop: Shop) -> None:
    predicate = {
        "buildDefinition": {
            "buildType": "https://github.com/org/intoto-action/buildtypes/steps/v1",
            "externalParameters": {"source": {"repository": "https://github.com/octo/app"}},
            "resolvedDependencies": [{"uri": "git+https://github.com/octo/app"}],
        },
        "runDetails": {"builder": {"id": "https://ci.example.com/builders/7"}},
    }
    write = f"- run: |\n    echo '{json.dumps(predicate)}' > provenance.json\n".replace("{", "{{").replace(
        "}", "}}"
    )
    demand = "    source-repository: https://github.com/octo/app\n"
    ran = shop.run(shop.job(RECORD_ALL, write, ATTACH + "    provenance: provenance.json\n", VERIFY + demand))
    assert ran.succeeded, ran.log
    assert ran.outputs("attach", "attach")["referrer"].startswith("sha256:")
    assert ran.outputs("verify", "verify")["verdict"] == "pass"


def test_warn_does_not_hide_that_the_words_are_wrong(shop: Shop) -> None:
    ran = shop.run(shop.job(VERIFY.replace("${{{{ env.OWNER }}}}", "no/such.pub") + "    on-deny: warn\n"))
    assert not ran.succeeded
    assert "no/such.pub" in ran.log


@pytest.mark.parametrize(
    "line",
    [
        'rehearse: "true"',
        "images-from: k8s/*.yaml",
        'on-deny: "no"',
        'rehearse: "yes"',
    ],
)
def test_a_demand_that_cannot_be_met_yet_is_refused_and_never_ignored(shop: Shop, line: str) -> None:
    ran = shop.run(shop.job(VERIFY + f"    {line}\n"))
    assert not ran.succeeded
    assert "verdict" not in ran.outputs("verify", "verify") or not ran.outputs("verify", "verify")["verdict"]


ODD = "a b'c\"d $(touch injected) `touch injected` ${HOME} ; % é"


def test_odd_words_are_letters_in_every_input_of_attach_and_verify(shop: Shop) -> None:
    for uses, required, optional in (
        (
            f"{ACTIONS}/attach@{REF}",
            ("image", "layout"),
            ("link-dir", "layout-key", "file", "tag", "key", "sigstore"),
        ),
        (
            f"{ACTIONS}/verify@{REF}",
            ("image", "layout-key"),
            ("layout", "attester", "report", "sigstore", "on-deny"),
        ),
    ):
        steps = ""
        for number, odd in enumerate((*required, *optional)):
            given = (
                dict.fromkeys(required, "x")
                | ({"key": "k"} if "attach" in uses else {})
                | {odd: f"{ODD}\n-x"}
            )
            inputs = "".join(f"    {name}: {json.dumps(value)}\n" for name, value in given.items())
            steps += f"- uses: {uses}\n  id: s{number}\n  continue-on-error: true\n  with:\n{inputs}"
            steps += f'- run: echo "s{number} ${{{{ steps.s{number}.outcome }}}}"\n'
        ran = shop.run(
            shop.job(
                (steps + '- run: echo "injected=$(find . -name injected | wc -l)"\n')
                .replace("{", "{{")
                .replace("}", "}}")
            )
        )
        for number in range(len(required) + len(optional)):
            assert f"s{number} failure" in ran.printed, ran.log
        assert "injected=0" in ran.printed
        assert "Traceback" not in ran.log and "internal-error" not in ran.log


UNREACHABLE = f"127.0.0.1:9/octo/app@sha256:{'a' * 64}"


def test_an_earlier_step_cannot_loosen_verify_and_no_registry_is_no_pass(shop: Shop) -> None:
    """In a hostile workspace, with what an earlier step can set; then the same with a registry that nobody reaches."""
    shop.runner.installs = True
    shop.runner.put(
        {
            f"{name}.py": "raise SystemExit('EVIL')\n"
            for name in ("requests", "click", "yaml", "sitecustomize")
        }
        | {"evil.pth": "import os; os.write(1, b'EVIL')\n", "pip.conf": "[install]\ntarget = stolen\n"}
        | {
            f"o dd/{name}": "#!/bin/sh\necho EVIL\n"
            for name in ("python3", "uv", "cat", "mkdir", "sha256sum")
        }
        | {"evil.sh": "shopt -s expand_aliases; alias exec='echo EVIL' cd='echo EVIL'; echo EVIL\n"}
    )
    hostile = """\
- run: |
    chmod +x "o dd"/*
    echo "$PWD/o dd" >> "$GITHUB_PATH"
    for verb in VERIFY ATTACH; do
      for each in NO_VERIFY ON_DENY LAYOUT_KEY ATTESTER SAME_AS SUBJECT_STEP ALLOW_HTTP_REGISTRY LAYOUT_THRESHOLD; do
        echo "INTOTO_ACTION_${{{{ '' }}}}${{verb}}_$each=warn" >> "$GITHUB_ENV"
      done
    done
    {{
      echo 'BASH_FUNC_value%%=() {{ exit 0; }}'
      echo 'BASH_FUNC_exec%%=() {{ exit 0; }}'
      echo "BASH_ENV=$PWD/evil.sh"
      echo "PYTHONPATH=$PWD"
      echo "PYTHONSTARTUP=$PWD/click.py"
      echo "PYTHONHOME=$PWD"
      echo "PIP_CONFIG_FILE=$PWD/pip.conf"
    }} >> "$GITHUB_ENV"
"""
    tolerated = "  continue-on-error: true\n"
    steps = hostile + VERIFY.replace("1.0", "build") + tolerated
    away = VERIFY.replace("{name}:1.0", UNREACHABLE).replace("id: verify", "id: away")
    steps += f"{away}    on-deny: warn\n{tolerated}"
    ran = shop.run(shop.job(RECORD_ALL, steps))
    assert ran.outputs("verify", "verify")["reason"] == "no-attestation", ran.log
    away_is = ran.outputs("away", "verify")
    assert (away_is["verdict"], away_is["reason"]) == ("error", "registry-error"), ran.log
    assert (ran.log.count("exit status 1\n"), ran.log.count("exit status 3\n")) == (1, 1), ran.log
    assert "### ERROR&#58; registry-error" in ran.summary and "127&#46;0&#46;0&#46;1&#58;9" in ran.summary
    assert [error.partition("(docs/")[2] for error in ran.annotations("error")] == [
        "reason-codes.md#no-attestation)",
        "reason-codes.md#registry-error)",
    ]
    ours = [str(each["msg"]) for each in ran.entries if "verify@" in str(each.get("step", ""))]
    assert ours and not any("EVIL" in line for line in ours)


SIGSTORE_OF_TESTS = "${{{{ env.SIGSTORE }}}}"


@pytest.mark.needs(*SIGSTORE)
def test_a_job_without_any_key_records_attaches_and_verifies(
    runner: Runner, ghcr_like_registry: RunningRegistry, sigstore: PrivateSigstore, tmp_path: Path
) -> None:
    identity = GitHubJob().identity
    shop = open_shop(
        runner,
        ghcr_like_registry,
        tmp_path,
        "octo/keyless",
        builder_is=f"{{identity: '{identity}', issuer: '{sigstore.issuer}', "
        "source-repository: 'https://github.com/octo/app'}",
        pass_oidc="[checkout]",  # what `phase: after` records ran in a job that can ask for tokens
    )
    runner.variables_of = sigstore.environ
    runner.variables["SIGSTORE"] = str(sigstore.trust_config)
    with_key, without = 'key: "${{{{ secrets.KEY }}}}"', 'keyless: "true"'
    where = f"sigstore: {SIGSTORE_OF_TESTS}"
    record = RECORD_ALL.replace(with_key + "{more}", f'{without}, sigstore: "{SIGSTORE_OF_TESTS}"')
    record = record.replace(with_key, f"{without}\n    {where}")
    attach = ATTACH.replace("key: ${{{{ secrets.KEY }}}}", f"{without}\n    {where}")
    verify = VERIFY + f"    {where}\n    source-repository: https://github.com/octo/app\n"
    assert "secrets" not in record + attach + verify
    ran = runner.run(shop.job(record, attach, verify))
    assert ran.succeeded, ran.log
    build = ran.outputs("build")
    assert build["signed"] == "true"
    assert f"identity: {identity}\n" in build["signer"]
    assert ran.outputs("verify", "verify")["verdict"] == "pass"
    for step in ("checkout", "build", "push"):
        assert f"**Signed**: step <code>{step}</code>" in ran.summary
    assert "### Attached" in ran.summary and "| provenance |" in ran.summary
    assert "### PASS" in ran.summary and "```mermaid" in ran.summary


def test_a_job_without_permission_for_a_token_fails_before_the_command_runs(shop: Shop) -> None:
    steps = RECORD_ALL.replace('key: "${{{{ secrets.KEY }}}}"', 'keyless: "true"')
    ran = shop.run(shop.job(steps))
    assert not ran.succeeded
    (error,) = ran.annotations("error")
    assert "id-token: write" in error
    assert "link-path" not in {name for name, value in ran.outputs("checkout").items() if value}


@pytest.mark.needs("docker-registry")
def test_the_token_of_the_job_attaches_and_verifies_where_nobody_logged_in(
    runner: Runner, token_registry: RunningRegistry, tmp_path: Path
) -> None:
    """ghcr.io cannot be asked here; in a copy of the actions its name is that of the registry."""
    own = tmp_path / "own-actions"
    name = f"{ACTIONS}@{REF}"
    shutil.copytree(runner.actions[name], own)
    source = own / "src/intoto_action/store/job_token.py"
    source.write_text(
        source.read_text().replace('REGISTRY = "ghcr.io"', f'REGISTRY = "{token_registry.address}"')
    )
    runner.actions = {**runner.actions, name: own}
    shop = open_shop(runner, token_registry, tmp_path, "octo/job-token", "cosign")
    login = token_registry.environ(tmp_path / "pusher")["DOCKER_CONFIG"]
    record = RECORD_ALL.replace("crane append", f"env > $KEPT/env; DOCKER_CONFIG={login} crane append")
    ran = runner.run(shop.job(record, ATTACH, VERIFY), secrets={"KEY": shop.key, "GITHUB_TOKEN": JOB_TOKEN})
    assert ran.succeeded, ran.log
    assert ran.outputs("verify", "verify")["verdict"] == "pass"
    seen = (runner.kept / "env").read_text()
    assert "GITHUB_RUN_ID=" in seen and JOB_TOKEN not in seen, "no command sees it"
    encoded = base64.b64encode(f"x-access-token:{JOB_TOKEN}".encode())
    for path in (each for place in (runner.home, runner.workspace) for each in place.rglob("*")):
        if path.is_file():
            assert encoded not in path.read_bytes() and JOB_TOKEN.encode() not in path.read_bytes(), path
