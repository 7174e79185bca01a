"""A real runner of workflows: act on this machine, with what GitHub's runner gives a job and without what it does not.

act is kinder than GitHub. Withheld here: the inputs of a composite in its steps' environment (INPUT_*), secrets in runs
for forks, the variables of the process that runs the tests. What cannot be withheld (act hands on outputs that are not
declared) is left out by `Ran.outputs`, and looked for in tests/unit/actions.

Given besides, because it takes as long as all that most jobs do: $RUNNER_TEMP has what the actions' installer made once
for all tests, and it finds that, as on GitHub a second use in a job does. `Runner.installs` has each job install.

Stand-ins, because the real ones talk to GitHub: actions/upload-artifact and actions/download-artifact, with the inputs
that are used and the same files on disk, in `Runner.artifacts`. act does not know `uses: $/record`, the action of the
repository and commit of the file that says so; our files are given to it with what GitHub makes of that.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from make.cache import CHECKOUT, cache_directory, kept
from make.environment import locked_python
from tests.parts.github_job import GitHubJob
from tests.parts.tools import tool

ACTIONS = "org/intoto-action"
REF = "v1"
ACTOR = "octocat"
_SECONDS = 240.0
COMPANY = re.compile(r"(PIP|UV|SSL|REQUESTS|CURL|GIT_SSL)_\w+|(HTTPS?|NO|ALL)_PROXY", re.IGNORECASE)
"""The machine's own way to an index: what a company sets on its self-hosted runners."""

_BASH = """\
#!{python} -IS
import os, sys
kept = {{n: v for n, v in os.environ.items() if not n.startswith("INPUT_") and n != "ACT"}}
installed, temporary = {installed!r}, kept.get("RUNNER_TEMP", "")
if installed and os.path.isdir(temporary) and not os.path.exists(temporary + "/intoto-action"):
    import shutil
    shutil.copytree(installed, temporary + "/intoto-action", symlinks=True, copy_function=os.link)
if {jobs!r} and os.environ.get("GITHUB_JOB") not in {jobs!r}:
    kept = {{n: v for n, v in kept.items() if not n.startswith("ACTIONS_ID_TOKEN_")}}
os.execve({bash!r}, [{bash!r}, *sys.argv[1:]], kept)
"""

_IMPORT_ALL = """\
import importlib, pkgutil, intoto_action
for module in pkgutil.walk_packages(intoto_action.__path__, "intoto_action."):
    if not module.name.endswith(("__main__", "system.windows")):
        importlib.import_module(module.name)
import in_toto.verifylib, sigstore.sign, sigstore.verify, tuf.ngclient
"""
_UPLOAD = """\
name: stand-in for actions/upload-artifact
description: Copies the files.
inputs:
  name: {description: as there}
  path: {description: as there}
  if-no-files-found: {description: as there}
runs:
  using: composite
  steps:
    - shell: bash
      env: {NAME: "${{ inputs.name }}", FILES: "${{ inputs.path }}"}
      run: |
        mkdir "$ARTIFACTS/$NAME"
        cp -- "$FILES" "$ARTIFACTS/$NAME/"
"""
_DOWNLOAD = """\
name: stand-in for actions/download-artifact
description: >-
  Copies the files of each artifact into a directory of its name. Of one that is named, or that alone fits the pattern,
  the real one takes none: its files lie in `path` itself.
inputs:
  name: {description: as there}
  pattern: {description: as there}
  path: {description: as there}
runs:
  using: composite
  steps:
    - shell: bash
      env:
        NAME: ${{ inputs.name }}
        PATTERN: ${{ inputs.pattern }}
        INTO: ${{ inputs.path || github.workspace }}
      run: |
        mkdir -p "$INTO"
        [ -z "$NAME" ] || exec cp -R -- "$ARTIFACTS/$NAME/." "$INTO/"
        shopt -s nullglob
        found=("$ARTIFACTS"/$PATTERN)
        [ "${#found[@]}" != 1 ] || exec cp -R -- "${found[0]}/." "$INTO/"
        for each in "${found[@]}"; do cp -R -- "$each" "$INTO/"; done
"""


@dataclass(frozen=True)
class Ran:
    """How a run ended: act's log as data."""

    succeeded: bool
    entries: Sequence[Mapping[str, object]]

    @property
    def log(self) -> str:
        """Everything that a person sees."""
        return "".join(f"{str(each.get('msg', '')).rstrip()}\n" for each in self.entries)

    @property
    def printed(self) -> str:
        """What the steps printed, without act's own words."""
        return "".join(str(each["msg"]) for each in self.entries if each.get("raw_output"))

    def annotations(self, kind: str) -> list[str]:
        """The texts of `::error::`, `::warning::` or `::notice::`."""
        return [str(each["arg"]) for each in self.entries if each.get("command") == kind and "arg" in each]

    def annotated(self, kind: str) -> list[tuple[str, int]]:
        """File and line of each `::error::`, `::warning::` or `::notice::` that has one."""
        commands = (
            each["kvPairs"] for each in self.entries if each.get("command") == kind and "kvPairs" in each
        )
        found = (pairs for pairs in commands if isinstance(pairs, Mapping) and "file" in pairs)
        return [(str(pairs["file"]), int(str(pairs["line"]))) for pairs in found]

    def outputs(self, step: str, action: str = "record") -> Mapping[str, str]:
        """The declared outputs of a step of the workflow that uses one of our actions."""
        declared = set(declared_outputs(action))
        found = {
            str(each["name"]): str(each.get("arg", ""))
            for each in self.entries
            if each.get("command") == "set-output" and each.get("stepID") == [step]
        }
        return {name: value for name, value in found.items() if name in declared}

    @property
    def summary(self) -> str:
        """The job's summary, as Markdown."""
        return "".join(str(each["content"]) for each in self.entries if each.get("command") == "summary")


@dataclass(frozen=True)
class Place:
    """Where jobs run: words for act, and variables of its process. The machine itself, when nothing is said."""

    words: Sequence[str] = ("--platform", "ubuntu-latest=-self-hosted")
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Runner:
    """A repository with a workflow, and what runs it.

    `workspace` is the repository's work tree, `kept` a directory that outlives the run ($KEPT), `artifacts` what was
    uploaded. `tools` come before the system's directories on the PATH. `variables_of` are those that depend on the job,
    whose commit is made when it is run. `token_jobs` are the jobs with `id-token: write`, which alone can ask for a
    token; act asks for no permission, so without it all of them can. `installed` is what a job finds in
    $RUNNER_TEMP/intoto-action unless it `installs`.
    """

    workspace: Path
    home: Path
    actions: Mapping[str, Path]
    tools: Sequence[Path] = ()
    variables: dict[str, str] = field(default_factory=dict)
    variables_of: Callable[[GitHubJob], Mapping[str, str]] = lambda job: {}
    token_jobs: Sequence[str] = ()
    place: Place = Place()
    installed: Path | None = None
    installs: bool = False

    @property
    def kept(self) -> Path:
        return self.home / "kept"

    @property
    def artifacts(self) -> Path:
        return self.home / "artifacts"

    def put(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.workspace / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def run(
        self,
        workflow: str,
        *,
        job: GitHubJob | None = None,
        secrets: Mapping[str, str] | None = None,
        fork: bool = False,
        only: Sequence[str] = (),
        seconds: float = _SECONDS,
        again: bool = False,
    ) -> Ran:
        """Commit everything with this workflow, and run it for the event of `job`.

        `only` runs some of it, in words of act; `again` runs what is committed already.
        A fork's run gets no secret but the token of the run, as on GitHub.
        A run that does not end in `seconds` is ended with all its processes, and fails the test with its log.
        """
        job = job or GitHubJob()
        self.put({f".github/workflows/{job.workflow}": workflow})
        job = replace(job, sha=self._head() if again else self.commit())
        argv = [str(tool("act")), job.event, "--json", "--no-cache-server", "--no-recurse", "--actor", ACTOR]
        argv += ["-W", f".github/workflows/{job.workflow}", *self.place.words]
        for kind in ("env", "secret", "var", "input"):  # act would read .env, .secrets, … of the workspace
            argv += [f"--{kind}-file", os.devnull]
        for name, place in self.actions.items():
            argv += ["--local-repository", f"{name}={place}"]
        given = {**job.environ, "SHA_REF": job.sha, **self.variables, **self.variables_of(job)}
        given |= {"ARTIFACTS": str(self.artifacts), "KEPT": str(self.kept)}
        for name, value in given.items():
            argv += ["--env", f"{name}={value}"]
        for name, value in (secrets or {}).items():
            if not fork or name == "GITHUB_TOKEN":
                argv += ["--secret", f"{name}={value}"]
        argv += ["--eventpath", str(self._event(job, fork=fork)), *only]
        return self._act(argv, seconds)

    def commit(self) -> str:
        """Commit what is in the workspace; the commit."""
        git = ("git", "-c", "user.name=tests", "-c", "user.email=tests@example.test", "-c", "core.hooksPath=")
        if not (self.workspace / ".git").exists():
            _call([*git, "init", "--quiet", "--initial-branch=main"], self.workspace)
        _call([*git, "add", "--all"], self.workspace)
        _call([*git, "commit", "--quiet", "--allow-empty", "--message=tests"], self.workspace)
        return self._head()

    def _head(self) -> str:
        return _call(["git", "rev-parse", "HEAD"], self.workspace).strip()

    def _event(self, job: GitHubJob, *, fork: bool) -> Path:
        event: dict[str, object] = {"repository": {"full_name": job.repository}}
        if job.event == "push":
            event["ref"] = job.ref
        if job.event.startswith("pull_request"):
            head = {
                "ref": "feature",
                "sha": job.sha,
                "repo": {"fork": fork, "full_name": "elsewhere/app" if fork else job.repository},
            }
            base = {"ref": "main", "repo": {"fork": False, "full_name": job.repository}}
            event["pull_request"] = {"number": 7, "head": head, "base": base}
        path = self.home / "event.json"
        path.write_text(json.dumps(event))
        return path

    def _act(self, argv: Sequence[str], seconds: float) -> Ran:
        for folder in (self.kept, self.artifacts):
            folder.mkdir(exist_ok=True)
        environ = {**_environ(self.home, self._bash().parent, *self.tools), **self.place.environ}
        process = subprocess.Popen(
            argv,
            cwd=self.workspace,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            pytest.fail(f"the workflow did not end in {seconds:.0f} s:\n{_parse(out, 0).log}{err}")
        ran = _parse(out, process.returncode)
        if not any("jobResult" in each for each in ran.entries):
            pytest.fail(f"act ran no job:\n{err[-4000:]}{ran.log}")
        return ran

    def _bash(self) -> Path:
        """The bash that act finds: the system's, in an environment without what GitHub would not give."""
        shim = self.home / "bin" / "bash"
        shim.parent.mkdir(exist_ok=True)
        python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
        bash = shutil.which("bash", path="/usr/bin:/bin")
        installed = "" if self.installs or not self.installed else str(self.installed)
        shim.write_text(
            _BASH.format(python=python, bash=bash, jobs=list(self.token_jobs), installed=installed)
        )
        shim.chmod(0o755)
        return shim


def _environ(home: Path, *tools: Path) -> dict[str, str]:
    """The environment that a machine gives to a job."""
    path = [*tools, "/usr/bin", "/bin", Path(sys.base_prefix) / "bin"]
    environ = {name: value for name, value in os.environ.items() if COMPANY.fullmatch(name)}
    environ |= {"HOME": str(home), "PATH": os.pathsep.join(map(str, path)), "LANG": "C.UTF-8"}
    return environ | {"UV_CACHE_DIR": str(cache_directory() / "uv")}


def declared_outputs(action: str) -> Sequence[str]:
    """The names under `outputs:` of one of our actions."""
    import yaml

    document = yaml.safe_load((CHECKOUT / action / "action.yml").read_text())
    return tuple(document["outputs"])


def _parse(out: str, code: int) -> Ran:
    entries = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return Ran(code == 0, entries)


def _call(argv: Sequence[str | Path], cwd: Path, environ: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(each) for each in argv],
        cwd=cwd,
        env=environ or {"PATH": os.environ["PATH"], "HOME": str(cwd)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (argv, done.stdout, done.stderr)
    return done.stdout


def as_downloaded(folder: Path) -> Path:
    """Our actions as GitHub's runner downloads them: the files that are, or would be, committed, and no others."""
    listed = _call(["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], CHECKOUT)
    for name in filter(None, listed.split("\0")):
        if name.startswith(("tests/", "docs/", "bench/")) or not (CHECKOUT / name).is_file():
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, folder / name)
        if name.endswith((".yml", ".yaml")):
            text = (folder / name).read_text()
            (folder / name).write_text(re.sub(r"\buses: \$/(\S+)", rf"uses: {ACTIONS}/\1@{REF}", text))
    return folder


def _used(pattern: str) -> str | None:
    """The `owner/name@sha` of an action of somebody else that ours use."""
    for action in sorted(CHECKOUT.glob("*/action.yml")):
        found = re.search(rf"uses: ({re.escape(pattern)}@\S+)", action.read_text())
        if found:
            return found[1]
    return None


@pytest.fixture(scope="session")
def downloaded_actions(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Where act finds the actions that workflows use by `owner/name@ref`."""
    folder = tmp_path_factory.mktemp("actions")
    found = {f"{ACTIONS}@{REF}": as_downloaded(folder / "intoto-action")}
    for name, text in (("upload", _UPLOAD), ("download", _DOWNLOAD)):
        (folder / name).mkdir()
        (folder / name / "action.yml").write_text(text)
        if used := _used(f"actions/{name}-artifact"):
            found[used] = folder / name
    return found


@pytest.fixture(scope="session")
def installed_action(
    tmp_path_factory: pytest.TempPathFactory, downloaded_actions: Mapping[str, Path]
) -> Path:
    """What is in $RUNNER_TEMP/intoto-action when a job has installed, each module of ours compiled."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def fill(place: Path) -> None:
        home, temporary = place / "home", place / "temporary"
        for folder in (home, temporary):
            folder.mkdir()
        environ = _environ(home, locked_python("lock").parent)
        environ |= {"RUNNER_TEMP": str(temporary), "GITHUB_OUTPUT": str(place / "output")}
        script = downloaded_actions[f"{ACTIONS}@{REF}"] / "setup/install.sh"
        _call(["bash", "-p", script], place, environ)
        python = (place / "output").read_text().strip().removeprefix("python=")
        _call([python, "-I", "-c", _IMPORT_ALL], place, environ)

    return kept(shared / "installed", fill, what="what the actions install") / "temporary/intoto-action"


@pytest.fixture
def runner(
    tmp_path: Path, downloaded_actions: Mapping[str, Path], installed_action: Path
) -> Iterator[Runner]:
    """Needs act, git. Installs with uv, which is quick."""
    home, workspace = tmp_path / "home", tmp_path / "app"
    home.mkdir()
    workspace.mkdir()
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").symlink_to(locked_python("lock").parent / "uv")
    yield Runner(workspace, home, downloaded_actions, (tools,), installed=installed_action)
