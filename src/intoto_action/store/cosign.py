"""Pushing with cosign, as other people's pipelines do.

`cosign attach attestation` takes one bundle a call: with several it stores only the first and exits with 0
(cmd/cosign/cli/attach/attach.go in v3.1). Before 3.1 it writes other manifests, so older ones are refused.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from intoto_action.deadline import Deadline, Overdue
from intoto_action.formats.oci import MANIFEST_CAP, Descriptor, Manifest, parse_manifest
from intoto_action.formats.reference import Image
from intoto_action.formats.strict_json import decode
from intoto_action.reason import Malformed, Misused, Unavailable
from intoto_action.store.command import Ended, NotThere, run
from intoto_action.store.credentials import Credentials
from intoto_action.store.files import write_whole
from intoto_action.store.job_token import docker_config
from intoto_action.store.listing import referrer_descriptor
from intoto_action.store.registry import Registry
from intoto_action.store.termination import termination_as_interrupt
from intoto_action.system import RUNS_PROGRAMS

OLDEST = (3, 1)
ASK_VERSION = ("version", "--json")
_VERSION = re.compile(r"v?(\d{1,6})\.(\d{1,6})\.\d")
_ADVICE = "install cosign 3.1 or newer (https://docs.sigstore.dev/cosign), or say --push-with native"
_LOG_IN = "log in to the registry where cosign finds it (docker's config.json), or say --push-with native"
_TRIES = 3
_SPACES = 4096
"""How many bytes the spaces of another JSON writer may take, beside what grows with the bundle."""
_KEPT_FROM_IT = "COSIGN_"
"""The beginning of variables that cosign does not get: they would make it push elsewhere."""


class _Version(msgspec.Struct, rename="camel"):
    git_version: str


class _Signature(msgspec.Struct, frozen=True):
    sig: str


class _Envelope(msgspec.Struct, frozen=True, rename="camel"):
    payload: str
    payload_type: str
    signatures: tuple[_Signature, ...]


class _Bundle(msgspec.Struct, frozen=True, rename="camel"):
    dsse_envelope: _Envelope


class CosignPush:
    """Runs the cosign of the PATH. `environ` is what it gets, apart from cosign's own switches.

    It looks for credentials itself. Those that nobody logged in with it would not find: when `who` says that the
    registry is asked with such, they lie for as long as cosign runs in a directory that only this user can read.
    """

    def __init__(
        self, environ: Mapping[str, str], deadline: Deadline, who: Callable[[], Credentials | None]
    ) -> None:
        self._environ = {k: v for k, v in environ.items() if not k.startswith(_KEPT_FROM_IT)}
        self._deadline = deadline
        self._who = who

    def push(self, registry: Registry, image: Image, bundle: bytes, predicate_type: str) -> Descriptor:
        """Hand the bundle to cosign, and find the manifest that it wrote, which it does not name.

        When another writer's list has already swallowed the entry, cosign is asked again.
        """
        self._check_bundle(bundle)
        check_version(self._run(["cosign", *ASK_VERSION]))
        known = set(registry.snapshot(image).entries())
        for _ in range(_TRIES):
            self._attach(registry, image, bundle)
            own = _written(registry, image, bundle, known)
            if own is not None:
                return own
        raise Unavailable(
            f"cosign attached to {image} {_TRIES} times, but its manifest is not listed; another job writes the same "
            "list: attach in one job at a time, or say --push-with native"
        )

    def _check_bundle(self, bundle: bytes) -> None:
        """Raises: Misused when it is no bundle with a DSSE envelope: cosign would take it for something older."""
        try:
            decode(bundle, _Bundle, "bundle")
        except Malformed as error:
            raise Misused(f"cosign attaches Sigstore bundles with a DSSE envelope only; {error}") from error

    def _attach(self, registry: Registry, image: Image, bundle: bytes) -> None:
        who = self._who()
        with (
            termination_as_interrupt(),
            _scratch_directory(self._environ.get("RUNNER_TEMP")) as directory,
        ):
            path = Path(directory) / "bundle.sigstore.json"
            write_whole(path, bundle, mode=0o600, overwrite=False)
            more = {}
            if who is not None and who.offered:
                config = docker_config(registry.distribution.registry, who)
                write_whole(Path(directory) / "config.json", config, mode=0o600, overwrite=False)
                more = {"DOCKER_CONFIG": directory}
            flags = ["--allow-http-registry"] if registry.distribution.is_plain_http else []
            ended = self._run(
                ["cosign", "attach", "attestation", *flags, "--attestation", str(path), f"{image}"], more
            )
        if ended.code != 0:
            remedy = who.remedy if who is not None and who.offered else _LOG_IN
            raise Unavailable(
                f"cosign attach attestation failed for {image} with exit code {ended.code}; {remedy}{_words(ended)}"
            )

    def _run(self, argv: list[str], more: Mapping[str, str] = {}) -> Ended:
        try:
            seconds = self._deadline.require("running cosign")
        except Overdue as error:
            raise Unavailable(str(error)) from error
        if not RUNS_PROGRAMS:
            raise Unavailable("cosign is not run on Windows: say --push-with native, which writes the same")
        try:
            return run(argv, environ={**self._environ, **more}, seconds=seconds)
        except NotThere as error:
            raise Unavailable(f"{error}; {_ADVICE}") from error


def check_version(ended: Ended) -> None:
    """What cosign answered to ASK_VERSION. Raises: Unavailable when it is too old, or it is no cosign."""
    try:
        text = decode(ended.output, _Version, "cosign version").git_version
    except Malformed as error:
        raise Unavailable(f"cosign does not say which version it is; {_ADVICE}{_words(ended)}") from error
    version = _VERSION.match(text)
    if version is None or (int(version[1]), int(version[2])) < OLDEST:
        raise Unavailable(f"cosign {text[:40]!r} is too old, or not a release; {_ADVICE}")


def _scratch_directory(parent: str | None) -> tempfile.TemporaryDirectory[str]:
    """A directory of this user's own; in a job below RUNNER_TEMP, which the runner empties when we are killed."""
    try:
        return tempfile.TemporaryDirectory(prefix="intoto-action-", dir=parent or None)
    except OSError as error:
        raise Unavailable(
            f"no temporary directory can be made for cosign: {error.strerror or error}; make room, or set "
            f"{'RUNNER_TEMP' if parent else 'TMPDIR'}"
        ) from error


def _written(registry: Registry, image: Image, bundle: bytes, known: set[str]) -> Descriptor | None:
    """The listed manifest that carries this bundle for this image; new ones are looked at first.

    cosign writes the bundle's JSON anew, with other spaces, so it is known by its signatures, not by its digest.
    """
    ours = decode(bundle, _Bundle, "our own bundle").dsse_envelope
    cap = 2 * len(bundle) + _SPACES
    listed = registry.snapshot(image).entries()
    for key in sorted(listed, key=lambda each: each in known):
        raw = registry.read_manifest(key, MANIFEST_CAP)
        layer = _layer(raw, image)
        if layer is not None and layer.size <= cap and _same(registry.read_blob(layer, cap), ours):
            return referrer_descriptor(raw)
    return None


def _layer(raw: bytes, image: Image) -> Descriptor | None:
    """The one layer of a manifest that has the image as its subject."""
    try:
        parsed = parse_manifest(raw, "referrer")
    except Malformed:
        return None
    if not isinstance(parsed, Manifest) or parsed.subject is None or parsed.subject.digest != image.digest:
        return None
    return parsed.layers[0] if len(parsed.layers) == 1 else None


def _same(raw: bytes, ours: _Envelope) -> bool:
    try:
        return decode(raw, _Bundle, "listed bundle", cap=len(raw)).dsse_envelope == ours
    except Malformed:
        return False


def _words(ended: Ended) -> str:
    """What the program said, for a person: printable, and short."""
    text = (ended.errors or ended.output).decode("utf-8", "replace").strip()
    lines = ["".join(each if each.isprintable() else " " for each in line) for line in text.splitlines()]
    return "; it says: " + " / ".join(lines[-5:])[-800:] if text else ""
