"""A pipeline of GitLab CI without GitLab: the lines of its scripts, run by bash one job after another.

As on GitLab: the variables of a job and its pipeline, those of `variables:` put into each other, `before_script` and
`script` as one script that ends at the first failure, a fresh clone for each job with the artifacts of the jobs before.
Not as on GitLab: `image`, `rules` and `stages` are not looked at; jobs run in the order of the file, on this machine.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.parts.desk import console_script
from tests.parts.example import PASSWORD, ExampleRepository
from tests.parts.runner import ACTOR

_WORDS = ("variables", "stages", "default")
_VARIABLE = re.compile(r"\$(\w+)")


@dataclass
class GitlabPipeline:
    """The pipeline of examples/gitlab for a commit of the repository."""

    repository: ExampleRepository
    builds: Path

    def run(self) -> None:
        """Run all jobs; a job that fails fails the test with what it printed."""
        source = self.repository.runner.workspace
        commit = self.repository.runner.commit()
        document = yaml.safe_load(self.repository.text("gitlab/.gitlab-ci.yml"))
        artifacts: list[str] = []
        before = source
        for name, job in document.items():
            if name in _WORDS:
                continue
            project = self.builds / name / "app"
            subprocess.run(["git", "clone", "--quiet", source, project], check=True, capture_output=True)
            for each in artifacts:
                _copy(before / each, project / each)
            self._job(project, commit, document, job)
            before, artifacts = project, job.get("artifacts", {}).get("paths", artifacts)

    def _job(self, project: Path, commit: str, document: dict[str, Any], job: dict[str, Any]) -> None:
        environ = {
            "PATH": self._path(),
            "HOME": str(self.repository.runner.home),
            "KEPT": str(self.repository.runner.kept),
            **self.repository.runner.variables,
            **self.repository.secrets,
            "CI": "true",
            "GITLAB_CI": "true",
            "CI_COMMIT_BRANCH": "main",
            "CI_COMMIT_SHA": commit,
            "CI_DEFAULT_BRANCH": "main",
            "CI_PIPELINE_SOURCE": "push",
            "CI_PROJECT_DIR": str(project),
            "CI_PROJECT_PATH": "octo/app",
            "CI_REGISTRY": self.repository.registry.address,
            "CI_REGISTRY_IMAGE": self.repository.image,
            "CI_REGISTRY_PASSWORD": PASSWORD,
            "CI_REGISTRY_USER": ACTOR,
            "CI_SERVER_URL": "https://gitlab.com",
        }
        for name, value in document["variables"].items():
            environ[name] = _VARIABLE.sub(lambda found: environ.get(found[1], ""), value)
        lines = [*document["default"]["before_script"], *job["script"]]
        argv = ["/bin/bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", "\n".join(lines)]
        self.repository.runner.kept.mkdir(exist_ok=True)
        done = subprocess.run(
            argv,
            cwd=project,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout

    def _path(self) -> str:
        places = [Path(console_script()).parent, *self.repository.runner.tools, "/usr/bin", "/bin"]
        return os.pathsep.join(map(str, places))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)
