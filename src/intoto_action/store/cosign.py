"""Pushing with cosign, as other people's pipelines do.

`cosign attach attestation` takes one bundle a call: with several it stores only the first and exits with 0
(cmd/cosign/cli/attach/attach.go in v3.1). Before 3.1 it writes other manifests, so older ones are refused.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from intoto_action.deadline import Deadline, Overdue
from intoto_action.formats.oci import MANIFEST_CAP, Descriptor, Manifest, digest_of, parse_manifest
from intoto_action.formats.reference import Image
from intoto_action.formats.strict_json import decode
from intoto_action.reason import Malformed, Unavailable
from intoto_action.store.command import Ended, NotThere, run
from intoto_action.store.files import write_whole
from intoto_action.store.listing import referrer_descriptor
from intoto_action.store.registry import Registry

OLDEST = (3, 1)
_VERSION = re.compile(r"v?(\d{1,6})\.(\d{1,6})\.\d")
_ADVICE = "install cosign 3.1 or newer (https://docs.sigstore.dev/cosign), or say --push-with native"
_TRIES = 3
_KEPT_FROM_IT = ("INTOTO_ACTION_", "COSIGN_", "ACTIONS_ID_TOKEN_REQUEST_")
"""Beginnings of variables that cosign does not get: our keys and tokens, and what would make it push elsewhere."""


class _Version(msgspec.Struct, rename="camel"):
    git_version: str


class CosignPush:
    """Runs the cosign of the PATH. `environ` is what it gets, apart from keys, tokens and cosign's own switches."""

    def __init__(self, environ: Mapping[str, str], deadline: Deadline) -> None:
        self._environ = {k: v for k, v in environ.items() if not k.startswith(_KEPT_FROM_IT)}
        self._deadline = deadline

    def push(self, registry: Registry, image: Image, bundle: bytes, predicate_type: str) -> Descriptor:
        """Hand the bundle to cosign, and find the manifest that it wrote, which it does not name.

        When another writer's list has already swallowed the entry, cosign is asked again.
        """
        self._check_version()
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

    def _check_version(self) -> None:
        ended = self._run(["cosign", "version", "--json"])
        try:
            text = decode(ended.output, _Version, "cosign version").git_version
        except Malformed as error:
            raise Unavailable(f"cosign does not say which version it is; {_ADVICE}{_words(ended)}") from error
        version = _VERSION.match(text)
        if version is None or (int(version[1]), int(version[2])) < OLDEST:
            raise Unavailable(f"cosign {text[:40]!r} is too old, or not a release; {_ADVICE}")

    def _attach(self, registry: Registry, image: Image, bundle: bytes) -> None:
        with tempfile.TemporaryDirectory(prefix="intoto-action-") as directory:
            path = Path(directory) / "bundle.sigstore.json"
            write_whole(path, bundle, mode=0o600, overwrite=False)
            flags = ["--allow-http-registry"] if registry.distribution.is_plain_http else []
            ended = self._run(
                ["cosign", "attach", "attestation", *flags, "--attestation", str(path), f"{image}"]
            )
        if ended.code != 0:
            raise Unavailable(
                f"cosign attach attestation failed for {image} with exit code {ended.code}; log in to the registry "
                f"where cosign finds it (docker's config.json), or say --push-with native{_words(ended)}"
            )

    def _run(self, argv: list[str]) -> Ended:
        try:
            seconds = self._deadline.require("running cosign")
        except Overdue as error:
            raise Unavailable(str(error)) from error
        try:
            return run(argv, environ=self._environ, seconds=seconds)
        except NotThere as error:
            raise Unavailable(f"{error}; {_ADVICE}") from error


def _written(registry: Registry, image: Image, bundle: bytes, known: set[str]) -> Descriptor | None:
    """The listed manifest that carries exactly this bundle for this image; one that is new, or was there before."""
    digest = digest_of(bundle)
    listed = registry.snapshot(image).entries()
    for key in sorted(listed, key=lambda each: each in known):
        raw = registry.read_manifest(key, MANIFEST_CAP)
        try:
            parsed = parse_manifest(raw, f"manifest {key}")
        except Malformed:
            continue
        if _carries(parsed, digest, image):
            return referrer_descriptor(raw)
    return None


def _carries(parsed: object, digest: str, image: Image) -> bool:
    return (
        isinstance(parsed, Manifest)
        and [each.digest for each in parsed.layers] == [digest]
        and parsed.subject is not None
        and parsed.subject.digest == image.digest
    )


def _words(ended: Ended) -> str:
    """What the program said, for a person: printable, and short."""
    text = (ended.errors or ended.output).decode("utf-8", "replace").strip()
    lines = ["".join(each if each.isprintable() else " " for each in line) for line in text.splitlines()]
    return "; it says: " + " / ".join(lines[-5:])[-800:] if text else ""
