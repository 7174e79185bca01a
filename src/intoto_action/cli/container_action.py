"""The root action of GitHub: the inputs that its container gets as variables, as words of `attach` or `verify`.

What attach.sh and verify.sh are for the composite actions, without a shell: the same words, refused with the same
sentences. Source of the variables INPUT_<NAME>: actions/runner, Handler.AddInputsToEnvironment. The runner sets one for
each input that action.yml declares, over whatever an earlier step set.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import NoReturn

from intoto_action.reason import ExitCode, Malformed, Misused, WrongPlace

ATTACH = (
    *("image", "layout", "link-dir", "layout-key", "file", "provenance", "tag", "key", "key-password"),
    *("keyless", "sigstore", "allow-public-log", "other-runs", "github-token"),
)
VERIFY = (
    *("image", "link-dir", "images-from", "layout", "layout-key", "attester", "rehearse"),
    *("source-repository", "source-ref", "builder-id", "on-deny", "report", "sigstore", "github-token"),
)
VERB = "verb"
RUNNER_PATHS = "runner-paths"
INPUTS = (VERB, *dict.fromkeys(ATTACH + VERIFY), RUNNER_PATHS)
"""Every input of the root action."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where the image has its commands, cosign among them; an earlier step can set another one."""

_DROPPED = (
    *("INPUT_", "INTOTO_ACTION_", "OPENSSL_", "LD_", "GCONV_PATH", "PYTHON", "SIGSTORE_"),
    "SSLKEYLOGFILE",  # urllib3 would write there what opens our connections
)
_KEPT = frozenset({"INTOTO_ACTION_DEBUG"})
_KEY = "INTOTO_ACTION_SIGNING_KEY"
_PASSWORD = "INTOTO_ACTION_SIGNING_KEY_PASSWORD"  # noqa: S105 - the name of a variable
_PATHS_OUT = ("report-path", "evidence-path")
_SPACES = " \t\n\v\f\r"

Inputs = Mapping[str, str]


def main() -> NoReturn:
    """Run the verb that the inputs ask for, in the workspace, and end the process as the composite action would."""
    inputs = take(os.environ)
    try:
        given = checked(inputs)
        words = argv(given, os.environ)
        _enter_workspace(os.environ)
    except Misused as error:
        from intoto_action.render.annotations import annotation

        sys.stdout.write(annotation("error", str(error), limit=4000, topic=error.topic))
        sys.stdout.flush()
        sys.exit(ExitCode.USAGE)
    os.environ[f"INTOTO_ACTION_{given[VERB].upper()}_GITHUB_TOKEN"] = given["github-token"]
    for name, value in ((_KEY, given.get("key")), (_PASSWORD, given.get("key-password"))):
        if value:
            os.environ[name] = value
    code = _run(words)
    _tell_paths(given, os.environ)
    sys.exit(ended(code, given))


def ended(code: int, given: Inputs) -> int:
    """The exit code of the action: `rehearsed` is no pass, and what whoever asks for a rehearsal can get at best."""
    is_rehearsed = given.get("rehearse") == "true" and code == ExitCode.REHEARSED
    return ExitCode.PASS if is_rehearsed else code


def checked(inputs: Mapping[str, str | None]) -> Inputs:
    """The inputs of the verb that is asked for. Raises: Misused for another verb, or an input of the other one."""
    missing = [name for name in INPUTS if inputs.get(name) is None]
    if missing:
        raise WrongPlace(
            f"expected the inputs of the action as variables, found none for {', '.join(missing)}: this is what "
            "the container action of GitHub calls, and everything else calls `intoto-action attach` or `verify`"
        )
    given = {name: value for name, value in inputs.items() if value is not None}
    verb = given[VERB]
    if verb == "record":
        raise Misused(
            "expected attach or verify for the input verb, found record, which would run your command inside of "
            "this action's image and not where your tools are: use the action in the directory record of this "
            "repository"
        )
    if verb not in {"attach", "verify"}:
        raise Misused("expected attach or verify for the input verb, found another word")
    mine, others = (ATTACH, VERIFY) if verb == "attach" else (VERIFY, ATTACH)
    for name in others:
        if name not in mine and given[name]:
            other = "verify" if verb == "attach" else "attach"
            raise Misused(f"the input {name} is of the verb {other}: leave it out with {verb}")
    return {name: given[name] for name in (VERB, *mine, RUNNER_PATHS)}


def argv(given: Inputs, environ: Mapping[str, str]) -> Sequence[str]:
    """The words of the command line. Raises: Misused for an input that is no word of what it may be."""
    words = _attach(given, environ) if given[VERB] == "attach" else _verify(given)
    return (given[VERB], "--github", *words)


def _attach(given: Inputs, environ: Mapping[str, str]) -> Iterator[str]:
    keyless = given["keyless"] == "true"
    yield from _value("layout", given)
    yield from ("--link-dir", given["link-dir"] or f"{environ.get('RUNNER_TEMP', '')}/in-toto/links")
    yield from _keys("layout-key", given)
    yield from _lines("file", given)
    yield from _value("provenance", given if given["provenance"] or not keyless else {"provenance": "auto"})
    yield from _lines("tag", given)
    yield from _flag("keyless", given)
    yield from _value("sigstore", given)
    yield from _flag("allow-public-log", given)
    yield from _flag("other-runs", given)
    if given["key"] or not keyless:  # attach says what an empty one mostly is
        yield from ("--key", f"env:{_KEY}")
    if given["key-password"]:
        yield from ("--password-env", _PASSWORD)
    yield from ("--", given["image"])


def _verify(given: Inputs) -> Iterator[str]:
    yield from _value("link-dir", given)
    yield from _lines("images-from", given)
    yield from _value("layout", given)
    yield from _keys("layout-key", given)
    yield from _keys("attester", given)
    yield from _flag("rehearse", given)
    yield from _value("source-repository", given)
    yield from _value("source-ref", given)
    yield from _value("builder-id", given)
    if given["on-deny"] not in {"", "fail", "warn"}:
        raise Misused("expected fail or warn for the input on-deny, found another word")
    if given["on-deny"] == "warn":
        yield from ("--on-deny", "warn")
    yield from _value("sigstore", given)
    yield from _value("report", given)
    yield "--"
    yield from _listed(given["image"])


def _value(name: str, given: Inputs) -> Iterator[str]:
    if given[name]:
        yield from (f"--{name}", given[name])


def _lines(name: str, given: Inputs) -> Iterator[str]:
    for line in _listed(given[name]):
        yield from (f"--{name}", line)


def _listed(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        if line.strip(_SPACES):
            yield line.removesuffix("\r")


def _keys(name: str, given: Inputs) -> Iterator[str]:
    """Public keys: one word a line, or the text of PEM files."""
    pem = ""
    for raw in given[name].split("\n"):
        line = raw.removesuffix("\r")
        if pem or "-----BEGIN" in line:
            pem += f"{line}\n"
            if "-----END" in line:
                yield from (f"--{name}", pem)
                pem = ""
        elif line.strip(_SPACES):
            yield from (f"--{name}", line)
    if pem:
        yield from (f"--{name}", pem)


def _flag(name: str, given: Inputs) -> Iterator[str]:
    """The flag with true; another word is refused, and never read as false."""
    if given[name] == "true":
        yield f"--{name}"
    elif given[name] not in {"", "false"}:
        raise Misused(f"expected true or false for the input {name}, found another word")


def take(environ: MutableMapping[str, str]) -> Mapping[str, str | None]:
    """The inputs, taken out of the environment, and with them what an earlier step could have set to bend what runs.

    Keys among the inputs are no business of cosign and of credential helpers. Done before anything loads OpenSSL, which
    loads what its variables name. `LD_PRELOAD` and `GCONV_PATH` are for children only: for this process it comes too
    late.
    """
    inputs = {name: environ.get(f"INPUT_{name.upper()}") for name in INPUTS}
    for name in [name for name in environ if name.startswith(_DROPPED) and name not in _KEPT]:
        del environ[name]
    environ["PATH"] = PATH
    return inputs


def _enter_workspace(environ: Mapping[str, str]) -> None:
    workspace = environ.get("GITHUB_WORKSPACE", "")
    try:
        os.chdir(workspace)
    except OSError as error:
        raise WrongPlace(
            f"expected the path of a directory in GITHUB_WORKSPACE, found {workspace!r}; is this a job of GitHub "
            "Actions?"
        ) from error


def _run(words: Sequence[str]) -> int:
    from intoto_action.cli.main import main as command_line

    code: object = None
    try:
        command_line(words)
    except SystemExit as exit_:
        code = exit_.code
    return code if isinstance(code, int) else ExitCode.INFRASTRUCTURE


def _tell_paths(given: Inputs, environ: Mapping[str, str]) -> None:
    """Say paths among the outputs as the steps outside of the container know them; the last value of a name counts.

    The input `runner-paths` has the directories there, a line each, after an empty one: a value that begins with such a
    path the runner would have written anew, as it does with every variable. Source: actions/runner,
    ContainerActionHandler, TranslateToContainerPath.
    """
    from intoto_action.github.outputs import VARIABLE, append_outputs, parse_outputs

    outside = given[RUNNER_PATHS].strip("\n").split("\n")
    inside = [environ.get("RUNNER_TEMP", ""), environ.get("GITHUB_WORKSPACE", "")]
    if len(outside) != len(inside) or not all((*outside, *inside)):
        return
    try:
        outputs = parse_outputs(Path(environ.get(VARIABLE, "")).read_bytes(), VARIABLE)
        told = {
            name: there + outputs[name].removeprefix(here)
            for name in _PATHS_OUT
            for here, there in zip(inside, outside, strict=True)
            if outputs.get(name, "").startswith(f"{here}/")
        }
        if told:
            append_outputs(environ, told)
    except (OSError, Malformed, Misused):
        return  # the verb has said that it could not write them, and its exit code counts


if __name__ == "__main__":
    main()
