"""Recording inside a job of GitHub Actions: the script that a workflow gives, and outputs both ways."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from intoto_action.formats.artifact import OCI_SCHEME
from intoto_action.formats.gpg_key import GpgKey
from intoto_action.formats.identity import Identity
from intoto_action.formats.key import Key
from intoto_action.formats.link import Link
from intoto_action.github.outputs import STATE_VARIABLE, VARIABLE, append_outputs, parse_outputs
from intoto_action.github.script import DEFAULT_SHELL, file_ending, script_command
from intoto_action.keys.interface import Signer
from intoto_action.reason import Malformed, Misused
from intoto_action.record.phases import Recorded
from intoto_action.record.task import Task
from intoto_action.store.files import read_capped

COMMAND = "INTOTO_ACTION_RECORD_COMMAND"
SHELL = "INTOTO_ACTION_RECORD_SHELL"
_LARGEST_OUTPUTS = 1 << 20


class GithubJob:
    """The files that stand between the runner and the command, in `directory`, which is ours alone."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self._directory = directory
        self._environ = environ
        self._outputs = directory / "outputs"

    def prepare(self, task: Task) -> Task:
        """The task with the workflow's script for a command, and with files of its own for outputs and state.

        The link's command is the name of the shell and the text of the script: the path says nothing.
        Raises: Misused.
        """
        script = self._environ.get(COMMAND, "")
        if script:
            if task.command:
                raise Misused(f"expected a command after -- or in {COMMAND}, found both")
            shell = self._environ.get(SHELL, "") or DEFAULT_SHELL
            path = self._directory / f"script{file_ending(shell)}"
            path.write_text(script, encoding="utf-8", newline="\n")
            task = msgspec.structs.replace(
                task,
                command=script_command(shell, str(path)),
                recorded_command=task.recorded_command or (shell, script),
            )
        files = {VARIABLE: str(self._outputs), STATE_VARIABLE: str(self._directory / "state")}
        for file in files.values():
            Path(file).touch(mode=0o600)
        return msgspec.structs.replace(task, more_environment={**task.more_environment, **files})

    def hand_back(self, recorded: Recorded, describe: Callable[[Signer], str]) -> None:
        """Write the outputs of the action; those of the command are one of them, as JSON.

        `describe` says of who signed how it goes into a layout.yaml.
        Raises: Misused, and Malformed when the command wrote outputs that the runner would refuse; ours are written
        then all the same.
        """
        try:
            raw = read_capped(self._outputs, _LARGEST_OUTPUTS, "the outputs of the command")
            inner = parse_outputs(raw, f"{VARIABLE} of the command")
        except (Misused, Malformed):
            self._write(recorded, {}, describe)
            raise
        self._write(recorded, inner, describe)

    def _write(self, recorded: Recorded, inner: Mapping[str, str], describe: Callable[[Signer], str]) -> None:
        published = recorded.published
        signer = published.signer if published else None
        value = recorded.return_value
        append_outputs(
            self._environ,
            {
                "image": _image(recorded.link),
                "link-path": str(published.path.absolute()) if published else "",
                "link-sha256": published.sha256 if published else "",
                "signed": "true" if signer else "false",
                "signer": describe(signer) if signer else "",
                "return-value": "" if value is None else str(value),
                "outputs": json.dumps(inner, ensure_ascii=False, sort_keys=True),
                "state": recorded.state,
            },
        )


def runner_directory(environ: Mapping[str, str]) -> str | None:
    """Where the runner wants files of a job; None elsewhere."""
    directory = environ.get("RUNNER_TEMP", "")
    return directory if directory and Path(directory).is_dir() else None


def _image(link: Link | None) -> str:
    """`name@digest` of the one image that came out; empty when there is none, or more than one."""
    if link is None:
        return ""
    images = [
        f"{name.removeprefix(OCI_SCHEME)}@{digests}"
        for name, digests in link.products.items()
        if name.startswith(OCI_SCHEME) and "#" not in name
    ]
    return images[0] if len(images) == 1 else ""


def key_functionary(key: Key) -> str:
    """Lines for `functionaries` of layout.yaml, and the key to put beside it."""
    if isinstance(key, Identity):
        return ""
    if isinstance(key, GpgKey):
        name = f"{key.keyid[:8]}.asc"
        export = f"gpg --armor --export {key.keyid}!"
        return f"# {key}; save what `{export}` prints as {name} beside layout.yaml\nNAME: {{key: {name}}}\n"
    pem = "".join(f"# {line}\n" for line in key.pem.splitlines())
    name = f"{key.keyid[:8]}.pub"
    return f"# {key}; save these lines, without the #, as {name} beside layout.yaml\n{pem}NAME: {{key: {name}}}\n"
