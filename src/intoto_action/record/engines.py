"""The config digest of an image that docker or podman has."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from collections.abc import Mapping
from shutil import which

import msgspec

from intoto_action.formats.reference import parse_digest
from intoto_action.formats.strict_json import MIB, decode
from intoto_action.reason import Malformed, NotRecordable, Unavailable
from intoto_action.store.command import run

_SECONDS = 60.0
_LARGEST_JSON = 4 * MIB
_NOT_THERE = ("no such image", "no such object", "image not known", "not found")


class _Inspected(msgspec.Struct, rename="pascal"):
    """What `image inspect` says; `descriptor` is only there in docker's containerd store."""

    id: str
    descriptor: msgspec.Raw | None = None


class _Saved(msgspec.Struct, rename="pascal"):
    """One image in the manifest.json of a saved image."""

    config: str


def config_digest_in_engines(name: str, environ: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """The digest of the config of the image that docker or podman calls `name`, or None when neither has it.

    The second value says which engine could not be asked, and why.

    Raises: Misused when both have an image of that name, and not the same.
    """
    found: dict[str, str] = {}
    silent: list[str] = []
    for engine in ("docker", "podman"):
        if which(engine, path=environ.get("PATH")) is None:
            continue
        try:
            digest = _ask(engine, name, environ)
        except Unavailable as error:
            silent.append(str(error))
        else:
            if digest:
                found[engine] = digest
    if len(set(found.values())) > 1:
        both = ", ".join(f"{engine} {digest}" for engine, digest in found.items())
        raise NotRecordable(
            f"image:{name} is not the same image in both engines ({both}): say which one you built with "
            f"image:{name}@iidfile:PATH"
        )
    return next(iter(found.values()), None), silent


def _ask(engine: str, name: str, environ: Mapping[str, str]) -> str | None:
    ended = run(
        [engine, "image", "inspect", "--", name], environ=environ, seconds=_SECONDS, cap=_LARGEST_JSON
    )
    if ended.code != 0:
        said = ended.errors.decode(errors="replace").strip()
        if any(words in said.lower() for words in _NOT_THERE):
            return None
        raise Unavailable(f"{engine} could not be asked for image {name}: {said[-300:]}")
    try:
        inspected = decode(
            ended.output, list[_Inspected], f"{engine} image inspect {name}", cap=_LARGEST_JSON
        )
    except Malformed as error:
        raise Unavailable(str(error)) from error
    if len(inspected) != 1:
        raise Unavailable(f"{engine} knows {len(inspected)} images called {name}")
    digest = inspected[0].id if ":" in inspected[0].id else f"sha256:{inspected[0].id}"
    if engine == "docker" and (inspected[0].descriptor is not None or _containerd_store(environ)):
        # Source: docker documentation, containerd image store: there an image's id is that of its manifest.
        return _config_of_saved(name, environ)
    return parse_digest(digest)


def _containerd_store(environ: Mapping[str, str]) -> bool:
    ended = run(["docker", "info", "--format", "{{json .DriverStatus}}"], environ=environ, seconds=_SECONDS)
    return b"io.containerd.snapshotter" in ended.output


def _config_of_saved(name: str, environ: Mapping[str, str]) -> str:
    """The digest of the config in the stream of `docker image save`, of which only small files are looked at."""
    with subprocess.Popen(
        ["docker", "image", "save", name], env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        try:
            return _config_in_tar(name, process)
        except tarfile.TarError as error:
            raise Unavailable(
                f"docker image save {name} wrote no archive that can be read: {error}"
            ) from error
        finally:
            process.kill()


def _config_in_tar(name: str, process: subprocess.Popen[bytes]) -> str:
    digests: dict[str, str] = {}
    configs: list[str] = []
    with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
        for member in archive:
            if not member.isfile() or member.size > _LARGEST_JSON:
                continue
            stream = archive.extractfile(member)
            content = stream.read() if stream else b""
            digests[member.name] = hashlib.sha256(content).hexdigest()
            if member.name == "manifest.json":
                configs = [each.config for each in decode(content, list[_Saved], f"saved image {name}")]
    if len(configs) != 1 or configs[0] not in digests:
        raise NotRecordable(
            f"image:{name}: expected one image in what docker saves, found {len(configs)}; say "
            f"image:{name}@iidfile:PATH with the file that the build wrote"
        )
    return f"sha256:{digests[configs[0]]}"
