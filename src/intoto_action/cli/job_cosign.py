"""The cosign of a GitHub job, for setup/cosign.sh: no verb, because nobody else calls it.

    python -I -m intoto_action.cli.job_cosign [FOUND]

FOUND is the cosign on the job's PATH. It serves when it is new enough, else the pinned release is fetched into
RUNNER_TEMP. The step's output `cosign` is the path of a command alone in its directory, so that attach can put that
directory before the PATH of what it starts; it is empty when there is none, and then attach writes the manifest itself.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from intoto_action.attach.cosign_release import COSIGN, Release, check_installed, fetch, file_for
from intoto_action.reason import (
    ExitCode,
    IntotoActionError,
    Malformed,
    Trouble,
    Unavailable,
    WrongFile,
    WrongPlace,
)
from intoto_action.system import RUNS_PROGRAMS

if TYPE_CHECKING:
    from intoto_action.trust.keyless import TrustRoot

_NATIVE = "attach writes to the registry itself, and what it writes is the same"


def production() -> TrustRoot:
    """The root that came with the wheel: it knows all that a release of the past was signed with."""
    from intoto_action.keys.sigstore import known_instance

    instance = known_instance("production", root_file=None)
    if instance is None:
        raise WrongPlace("sigstore-python came without the roots of the production instance")
    return instance.trust_root


def main(
    words: Sequence[str],
    environ: Mapping[str, str] = os.environ,
    *,
    release: Release = COSIGN,
    open_root: Callable[[], TrustRoot] = production,
) -> int:
    """Say in one line which way was taken; an annotation, and a failure, when what came is not the release."""
    from intoto_action.github.outputs import append_outputs
    from intoto_action.render.annotations import annotation
    from intoto_action.render.escape import terminal

    try:
        command, said = _find(words[0] if words else "", environ, release, open_root)
        append_outputs(environ, {"cosign": str(command or "")})
    except IntotoActionError as error:
        advice = ". Nothing of it was run. Install cosign 3.1 or newer in a step before this one"
        text, topic = str(error), error.topic
        if isinstance(error, Malformed):
            text, topic = f"{text}{advice}", Trouble.PLACE
        sys.stdout.write(annotation("error", text, title="cosign", limit=4000, topic=topic))
        return ExitCode.USAGE
    print(terminal(said, limit=2000))
    return ExitCode.PASS


def _find(
    found: str, environ: Mapping[str, str], release: Release, open_root: Callable[[], TrustRoot]
) -> tuple[Path | None, str]:
    """The command, or None, and what to say of it. Raises: Malformed, Misused."""
    if not RUNS_PROGRAMS:
        return None, f"no other program is run on Windows. So {_NATIVE}"
    folder = _folder(environ)
    refused = ""
    if found:
        try:
            check_installed(Path(found), environ)
        except Unavailable as error:
            refused = f"{found} is not used: {error}. "
        else:
            return _alone(Path(found), folder), f"cosign is {found}"
    try:
        command = _fetched(folder, environ, release, open_root)
    except Unavailable as error:
        return None, f"{refused}cosign cannot be fetched: {error}. So {_NATIVE}"
    return (
        _alone(command, folder),
        f"{refused}cosign {release.version} was fetched from its release, and is what its authors signed",
    )


def _fetched(
    folder: Path, environ: Mapping[str, str], release: Release, open_root: Callable[[], TrustRoot]
) -> Path:
    from intoto_action.store.open import ca_bundle

    file = file_for(platform.system(), platform.machine())
    place = folder / f"cosign-{release.version}"
    return fetch(release, file, place, open_root(), ca_bundle=ca_bundle(environ))


def _folder(environ: Mapping[str, str]) -> Path:
    temporary = environ.get("RUNNER_TEMP", "")
    if not temporary:
        raise WrongPlace(
            "expected the path of a directory in RUNNER_TEMP, found none; is this a job of GitHub Actions?"
        )
    return Path(temporary).absolute() / "intoto-action"


def _alone(command: Path, folder: Path) -> Path:
    """A link to the command in a new directory with nothing else: what lies beside it on PATH keeps its place.

    New, because whatever an earlier step had put into one of a known name would come before the job's PATH.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        link = Path(tempfile.mkdtemp(prefix="cosign-", dir=folder), "cosign")
        link.symlink_to(command)
    except OSError as error:
        raise WrongFile(f"{folder}: no link to cosign can be made: {error.strerror or error}") from error
    return link


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
