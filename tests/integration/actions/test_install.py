"""The installer that the actions share, with real pip and real uv, in jobs of every kind."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from make.cache import CHECKOUT, cache_directory
from make.environment import locked_python
from tests.parts.loopback import Asked, Reply, refusal
from tests.parts.tls import TlsLoopback

_COMPANY = re.compile(r"(PIP|UV|SSL|REQUESTS|CURL)_\w+|(HTTPS?|NO|ALL)_PROXY", re.IGNORECASE)
EVIL = "import os, pathlib; pathlib.Path(os.environ['KEPT'], 'ran').touch(); print('EVIL')\n"


@dataclass
class Job:
    """A job of a runner: its folders, its PATH, and the variables that earlier steps set."""

    folder: Path
    path: str
    action: Path

    @property
    def workspace(self) -> Path:
        return self.folder / "work space"

    @property
    def environ(self) -> dict[str, str]:
        company = {name: value for name, value in os.environ.items() if _COMPANY.fullmatch(name)}
        return {
            **company,
            "PATH": self.path,
            "HOME": str(self.folder / "home"),
            "RUNNER_TEMP": str(self.folder / "runner temp"),
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_ACTION_PATH": str(self.action / "record"),
            "UV_CACHE_DIR": str(cache_directory() / "uv"),
            "KEPT": str(self.folder / "kept"),
        }

    def install(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the step that installs, as the actions do."""
        return subprocess.run(
            ["/bin/bash", "-p", str(self.action / "record/../setup/install.sh")],
            cwd=self.workspace,
            env={**self.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def python(self) -> Path:
        """The interpreter that the last install handed on."""
        *_, last = (self.folder / "output").read_text().splitlines()
        return Path(last.removeprefix("python="))

    def ask(self, *words: str, **variables: str) -> str:
        """What our Python prints, started as the actions start it."""
        done = subprocess.run(
            [str(self.python()), "-I", "-X", "utf8", *words],
            cwd=self.workspace,
            env={**self.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def is_untouched(self) -> bool:
        """Whether nothing was written in the workspace, and nothing of it ran."""
        return not (self.folder / "kept" / "ran").exists() and sorted(self._files()) == sorted(self.before)

    def remember(self) -> None:
        self.before = list(self._files())

    def _files(self) -> Iterator[str]:
        return (str(path.relative_to(self.workspace)) for path in self.workspace.rglob("*"))


@pytest.fixture(scope="session")
def action(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This action as a runner downloads it."""
    folder = tmp_path_factory.mktemp("action") / "intoto-action"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("setup", "src", "record"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=ignore)
    (folder / "requirements").mkdir()
    shutil.copy2(CHECKOUT / "requirements/runtime.txt", folder / "requirements")
    return folder


@pytest.fixture
def uv(tmp_path: Path) -> Path:
    """A directory with uv and nothing else."""
    place = tmp_path / "uv"
    place.mkdir()
    (place / "uv").symlink_to(locked_python("lock").parent / "uv")
    return place


@pytest.fixture
def job(tmp_path: Path, action: Path, uv: Path) -> Job:
    """A job with uv."""
    return make_job(tmp_path / "job", action, f"{uv}:{python_directory()}:/usr/bin:/bin")


def python_directory() -> Path:
    return Path(sys.base_prefix) / "bin"


def make_job(folder: Path, action: Path, path: str) -> Job:
    for name in ("work space", "runner temp", "home", "kept"):
        (folder / name).mkdir(parents=True)
    job = Job(folder, path, action)
    (job.workspace / "README").touch()
    job.remember()
    return job


def test_a_second_use_in_a_job_installs_nothing_and_finds_the_same_python(job: Job) -> None:
    began = time.monotonic()
    assert job.install().returncode == 0
    installed = time.monotonic()
    first = job.python()
    began_again = time.monotonic()
    again = job.install()
    # How long it takes is for a benchmark to say; here, that it is not another installation.
    assert time.monotonic() - began_again < (installed - began) / 2
    assert (again.returncode, again.stdout) == (0, "")
    assert job.python() == first
    assert job.is_untouched()


def test_what_runs_is_what_the_runner_downloaded_and_what_is_locked(job: Job, action: Path) -> None:
    assert job.install().returncode == 0
    place = Path(job.ask("-c", "import intoto_action; print(intoto_action.__file__)").strip()).parent
    assert place.is_relative_to(job.folder / "runner temp")
    theirs = {path.relative_to(place): path.read_bytes() for path in place.rglob("*.py")}
    ours = action / "src/intoto_action"
    assert theirs == {path.relative_to(ours): path.read_bytes() for path in ours.rglob("*.py")}
    listing = (
        "from importlib.metadata import distributions; import json; "
        "print(json.dumps([(each.name, each.version) for each in distributions()]))"
    )
    installed = {
        f"{name.lower().replace('_', '-')}=={version}" for name, version in json.loads(job.ask("-c", listing))
    }
    locked = re.findall(
        r"^([\w.-]+==[^ ;]+)", (action / "requirements/runtime.txt").read_text(), re.MULTILINE
    )
    assert installed - {each for each in installed if each.startswith("pip==")} <= set(locked)
    assert job.ask("-m", "intoto_action", "--version").startswith("intoto-action ")


def test_another_content_of_the_action_is_another_environment(job: Job, action: Path, tmp_path: Path) -> None:
    assert job.install().returncode == 0
    changed = Job(job.folder, job.path, tmp_path / "other")
    shutil.copytree(action, changed.action)
    (changed.action / "src/intoto_action/__init__.py").write_text('__version__ = "9"\n')
    before = job.python()
    assert changed.install().returncode == 0
    assert job.python() != before
    assert job.ask("-m", "intoto_action", "--version").strip().endswith(" 9")


def test_a_package_that_is_not_the_locked_one_is_not_installed(
    job: Job, action: Path, tmp_path: Path
) -> None:
    tampered = Job(job.folder, job.path, tmp_path / "tampered")
    shutil.copytree(action, tampered.action)
    lock = tampered.action / "requirements/runtime.txt"
    lock.write_text(
        re.sub(r"(click==\S+ \\\n)(?:.*\n){2}", r"\1    --hash=sha256:" + "0" * 64 + "\n", lock.read_text())
    )
    done = tampered.install()
    assert done.returncode == 2
    assert "::error title=intoto-action cannot be installed::" in done.stdout
    assert "click" in done.stdout and "hash" in done.stdout.lower()
    assert not (job.folder / "output").exists()
    assert tampered.install().returncode == 2, "what is half-made is never taken for whole"


def test_an_install_that_was_cancelled_is_made_again(job: Job) -> None:
    assert job.install().returncode == 0
    place = job.python().parent.parent.parent
    (place / "complete").unlink()
    shutil.rmtree(place / "venv/lib")
    assert job.install().returncode == 0
    assert job.ask("-m", "intoto_action", "--version")


def _hostile(job: Job) -> dict[str, str]:
    """A workspace, and variables of earlier steps, with what every Python, pip, uv and bash looks at."""
    for name in (
        "requests",
        "click",
        "sitecustomize",
        "usercustomize",
        "startup",
        "venv",
        "json",
        "intoto_action",
    ):
        (job.workspace / f"{name}.py").write_text(EVIL)
    (job.workspace / "evil.pth").write_text(f"{EVIL.strip().replace(chr(10), '; ')}\n")
    (job.workspace / "pip.conf").write_text("[install]\ntarget = stolen\nrequirement = evil.txt\nlog = log\n")
    mine = job.folder / "home/.config/pip/pip.conf"
    mine.parent.mkdir(parents=True)
    mine.write_text("[global]\nuser = true\n[install]\nconstraint = /nowhere\n")
    (job.workspace / "uv.toml").write_text('index-url = "http://127.0.0.1:9/evil"\n')
    (job.workspace / "pyproject.toml").write_text('[tool.uv]\nindex-url = "http://127.0.0.1:9/evil"\n')
    (job.workspace / "evil.sh").write_text('touch "$KEPT/ran"\n')
    for name in ("bin/python3", "bin/python", "bin/uv", "bin/sha256sum", "bin/find", "bin/cp", "bin/sort"):
        path = job.workspace / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('#!/bin/bash\ntouch "$KEPT/ran"\nexit 1\n')
        path.chmod(0o755)
    job.remember()
    work = str(job.workspace)
    return {
        "PYTHONPATH": work,
        "PYTHONHOME": work,
        "PYTHONSTARTUP": f"{work}/startup.py",
        "PYTHONUSERBASE": work,
        "PYTHONINSPECT": "1",
        "BASH_ENV": f"{work}/evil.sh",
        "ENV": f"{work}/evil.sh",
        "BASH_FUNC_exec%%": '() { touch "$KEPT/ran"; }',
        "BASH_FUNC_cd%%": '() { touch "$KEPT/ran"; }',
        "BASH_FUNC_find%%": '() { touch "$KEPT/ran"; }',
        "SHELLOPTS": "xtrace:noexec",
        "CDPATH": work,
        "PATH": f"{work}/bin:bin:.:{job.path}",
        "PIP_TARGET": "stolen",
        "PIP_REQUIREMENT": "evil.txt",
        "PIP_CONSTRAINT": "evil.txt",
        "PIP_USER": "1",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_NO_BINARY": ":all:",
        "PIP_CONFIG_FILE": f"{work}/pip.conf",
        "UV_PYTHON": f"{work}/bin/python3",
        "UV_CONSTRAINT": "evil.txt",
        "VIRTUAL_ENV": work,
    }


@pytest.mark.parametrize("with_uv", [True, False], ids=["uv", "pip"])
def test_a_hostile_workspace_neither_runs_nor_changes(
    tmp_path: Path, action: Path, uv: Path, with_uv: bool
) -> None:
    path = f"{python_directory()}:/usr/bin:/bin"
    job = make_job(tmp_path / "job", action, f"{uv}:{path}" if with_uv else path)
    hostile = _hostile(job)
    done = job.install(**hostile)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "EVIL" not in done.stdout
    assert f"({'uv' if with_uv else 'pip'}, " in done.stdout
    assert job.is_untouched()
    assert job.ask("-m", "intoto_action", "--version", **hostile).startswith("intoto-action ")
    assert job.is_untouched()


@pytest.mark.parametrize("place", ["plain", "real//work space", "real/../real/work space", "link", "links"])
def test_what_lies_in_the_workspace_is_not_found_by_any_of_its_names(tmp_path: Path, place: str) -> None:
    workspace, links = tmp_path / "real/work space", tmp_path / "links"
    for folder in (workspace / "bin", links):
        folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(workspace)
    for path in (workspace / "bin/tool", tmp_path / "tool"):
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    (links / "tool").symlink_to("../link/bin/tool")
    there = {"plain": f"{workspace}/bin", "links": str(links)}.get(place, f"{tmp_path}/{place}/bin")
    for told in (workspace, tmp_path / "link"):
        done = subprocess.run(
            ["/bin/bash", "-p", "-c", f'. "{CHECKOUT}/setup/find.sh"; find_command tool'],
            env={"PATH": f"{there}:{tmp_path}", "GITHUB_WORKSPACE": str(told)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == f"{tmp_path}/tool\n", done.stderr


def test_an_odd_path_is_no_obstacle(tmp_path: Path, action: Path) -> None:
    job = make_job(tmp_path / "job", action, "utter-nonsense")
    done = job.install(
        RUNNER_TOOL_CACHE=str(tmp_path / "tools"), PYENV_ROOT=str(Path(sys.base_prefix).parent.parent)
    )
    assert done.returncode == 0, done.stdout
    assert job.is_untouched()


def test_a_name_on_the_path_proves_nothing(tmp_path: Path, action: Path, uv: Path) -> None:
    """The shim of a version manager, an old Python, a PyPy: the next one is taken."""
    shims = tmp_path / "shims"
    shims.mkdir()
    for name, answer in (
        ("python3", "exit 127"),
        ("python3.14", "echo 3.8.1; exit 3"),
        ("python3.13", "exit 5"),
    ):
        (shims / name).write_text(f"#!/bin/sh\n{answer}\n")
        (shims / name).chmod(0o755)
    good = tmp_path / "good"
    good.mkdir()
    (good / "python").symlink_to(python_directory() / "python3")
    job = make_job(tmp_path / "job", action, f"{shims}:{uv}:{good}")
    done = job.install()
    assert done.returncode == 0, done.stdout
    assert job.ask("-m", "intoto_action", "--version")


def test_where_no_python_will_do_the_error_says_what_was_looked_at(tmp_path: Path, action: Path) -> None:
    """A container without Python: the system's directories of this machine are out of sight in an empty root."""
    text = (
        (action / "setup/find.sh")
        .read_text()
        .replace("PATH=/usr/bin:/bin:$PATH", f"PATH={tmp_path / 'root'}")
    )
    bare = tmp_path / "bare"
    shutil.copytree(action, bare)
    (bare / "setup/find.sh").write_text(text)
    root = tmp_path / "root"
    root.mkdir()
    for name in ("sha256sum", "find", "sort", "xargs", "cp", "rm", "mkdir", "dirname", "cat"):
        (root / name).symlink_to(str(shutil.which(name)))
    (root / "python3").write_text("#!/bin/sh\necho 3.9.2; exit 3\n")
    (root / "python3").chmod(0o755)
    job = make_job(tmp_path / "job", bare, "/nowhere")
    done = job.install()
    assert done.returncode == 2
    assert "expected a Python 3.11 to 3.14" in done.stdout
    assert f"{root}/python3 is 3.9.2" in done.stdout


@dataclass
class _Wheel:
    """A package that nobody locked, whose `.pth` every start of the environment's Python would run."""

    folder: Path

    def requirement(self) -> Path:
        path = self.folder / "evil-1.0-py3-none-any.whl"
        files = {
            "evil.pth": EVIL.strip().replace("\n", "; "),
            "evil-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n",
            "evil-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        files["evil-1.0.dist-info/RECORD"] = "".join(f"{name},,\n" for name in files)
        with zipfile.ZipFile(path, "w") as wheel:
            for name, text in files.items():
                wheel.writestr(name, text)
        listed = self.folder / "evil.txt"
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        listed.write_text(f"evil @ {path.as_uri()} --hash=sha256:{digest}\n")
        return listed


def test_of_pip_s_configuration_only_what_says_where_packages_come_from_is_taken(
    tmp_path: Path, action: Path
) -> None:
    """What this machine says in variables stands in the user's file instead; so does something else to install."""
    job = make_job(tmp_path / "job", action, f"{python_directory()}:/usr/bin:/bin")
    variables = {name: value for name, value in job.environ.items() if name.startswith("PIP_")}
    settings = {name[len("PIP_") :].lower().replace("_", "-"): value for name, value in variables.items()}
    settings["requirement"] = str(_Wheel(tmp_path).requirement())
    file = job.folder / "home/.config/pip/pip.conf"
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(["[install]", *(f"{name} = {value}" for name, value in settings.items())]))
    done = job.install(**dict.fromkeys(variables, ""))
    assert done.returncode == 0, done.stdout
    assert job.ask("-m", "intoto_action", "--version").startswith("intoto-action ")
    assert not (job.folder / "kept" / "ran").exists()


class _EmptyIndex:
    """A company's index that has nothing, and knows what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked.path)
        return refusal(404, "no such package")


@pytest.mark.parametrize("told", ["UV_INDEX_URL", "PIP_INDEX_URL", "pip.conf"])
def test_the_company_s_index_is_asked_by_its_own_certificate_and_what_it_says_is_told(
    tmp_path: Path, action: Path, uv: Path, told: str
) -> None:
    path = f"{python_directory()}:/usr/bin:/bin"
    job = make_job(tmp_path / "job", action, f"{uv}:{path}" if told == "UV_INDEX_URL" else path)
    index = _EmptyIndex()
    with TlsLoopback(index, tmp_path) as server:
        variables = {told: f"{server.url}/simple"}
        if told == "pip.conf":
            file = job.folder / "home/.config/pip/pip.conf"
            file.parent.mkdir(parents=True)
            file.write_text(f"[global]\nindex-url = {variables.pop(told)}\n")
        names = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
        variables |= {"PIP_RETRIES": "0", **dict.fromkeys(names, str(server.ca))}
        cache = str(tmp_path / "cache")
        done = job.install(**variables, PIP_FIND_LINKS="", PIP_CACHE_DIR=cache, UV_CACHE_DIR=cache)
        reached = list(index.asked)
        # Without the company's certificates nothing is sent to a server that shows one of its own.
        variables |= dict.fromkeys(names, "")
        strange = job.install(**variables, PIP_FIND_LINKS="", PIP_CACHE_DIR=cache, UV_CACHE_DIR=cache)
    assert strange.returncode == 2
    assert index.asked == reached
    assert "certificate" in strange.stdout.lower()
    assert done.returncode == 2
    assert "/simple/annotated-types/" in index.asked, done.stdout
    assert "annotated-types" in done.stdout
    assert "PIP_INDEX_URL" in done.stdout


@pytest.mark.parametrize("variable", ["RUNNER_TEMP", "GITHUB_OUTPUT"])
def test_outside_of_a_job_it_says_what_is_missing(job: Job, variable: str) -> None:
    done = job.install(**{variable: ""})
    assert done.returncode == 2
    assert variable in done.stdout
