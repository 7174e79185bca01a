"""What becomes of a link: signed in the link directory, or aside and unsigned."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from intoto_action.formats.envelope import PAYLOAD_TYPE, Envelope, parse_envelope
from intoto_action.formats.identity import Identity
from intoto_action.formats.key import Key
from intoto_action.formats.link import Link
from intoto_action.formats.oci import digest_of
from intoto_action.formats.strict_json import DOCUMENT_CAP
from intoto_action.keys.interface import Signer
from intoto_action.reason import Malformed, Misused, Unavailable, WrongFile
from intoto_action.record.step import payload_of
from intoto_action.store.files import check_place, read_plain
from intoto_action.store.link_directory import link_file_name, unsigned_file_name, write_link
from intoto_action.store.termination import termination_as_interrupt


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A link on the disk. `sha256` is the digest of its payload (`sha256:…`), which `sign --expect` takes.

    `signer` is None for an unsigned one; `fault` is why it is unsigned although it was to be signed.
    """

    path: Path
    sha256: str
    signer: Signer | None = None
    fault: Misused | Unavailable | KeyboardInterrupt | None = None


def check_directory(directory: Path) -> None:
    """Refuse a link directory in which nothing can be written, or that cannot be made.

    Raises: Misused.
    """
    check_place(directory, "--link-dir")
    place = directory.absolute()
    while not os.path.lexists(place):
        if place == place.parent:
            raise WrongFile(f"--link-dir: expected a place to make {directory} in, and there is no {place}")
        place = place.parent
    if not place.is_dir():
        raise WrongFile(f"--link-dir: expected a directory, found a file at {place}; give another place")
    if not os.access(place, os.W_OK | os.X_OK):
        raise WrongFile(f"--link-dir: {place} cannot be written by this user; give another place")


def publish_signed(
    link: Link, directory: Path, open_signer: Callable[[], Signer], *, force: bool = False
) -> Published:
    """Sign the link and write it as `<step>.<keyid>.link`; the key is opened only now.

    When it cannot be signed (the key cannot be opened, a service is away, another link of this step and key is there,
    somebody ends us meanwhile), it is kept unsigned, because the work that it is about is done.
    """
    payload = payload_of(link)
    try:
        with termination_as_interrupt():
            signer = open_signer()
            path = write_signed(directory, link.name, payload, signer, force=force)
    except (Misused, Unavailable, KeyboardInterrupt) as fault:
        kept = _keep_unsigned(link, payload, directory)
        return Published(path=kept, sha256=digest_of(payload), fault=fault)
    return Published(path=path, sha256=digest_of(payload), signer=signer)


def _keep_unsigned(link: Link, payload: bytes, directory: Path) -> Path:
    """Write the payload for `sign`; beside one of another run, under a name of its own."""
    name = unsigned_file_name(link.name)
    try:
        return write_link(directory, name, payload, force=False)
    except Misused:
        another = unsigned_file_name(f"{link.name}.{digest_of(payload).partition(':')[2][:8]}")
        return write_link(directory, another, payload, force=False)


def write_signed(directory: Path, step: str, payload: bytes, signer: Signer, *, force: bool) -> Path:
    """Sign the payload of a link, and write it as `<step>.<keyid>.link`.

    Nothing is done when this payload lies there, signed by this key: ECDSA and RSA-PSS sign it otherwise each time.
    Raises: Misused when another link of this step and key is there.
    """
    from intoto_action.keys.sealing import seal

    name = link_file_name(step, signer.key.keyid)
    path = directory / name
    if force or not path.is_file():
        return write_link(directory, name, seal(PAYLOAD_TYPE, payload, signer), force=force)
    same = _with_payload(path, payload)
    if same is None or isinstance(signer.key, Identity):
        # Whether an identity signed the link that lies there cannot be told here; with this payload it loses nothing.
        return write_link(directory, name, seal(PAYLOAD_TYPE, payload, signer), force=same is not None)
    if _is_signed(same, signer.key):
        return path
    return write_link(directory, name, seal(PAYLOAD_TYPE, payload, signer), force=False)


def _with_payload(path: Path, payload: bytes) -> Envelope | None:
    """The envelope of the file, when it is one with this payload."""
    try:
        envelope = parse_envelope(read_plain(path, DOCUMENT_CAP, "link"), str(path))
    except Malformed:
        return None
    return envelope if (envelope.payload_type, envelope.payload) == (PAYLOAD_TYPE, payload) else None


def _is_signed(envelope: Envelope, key: Key) -> bool:
    from intoto_action.trust.signature import check_signature

    return check_signature(envelope, key) is not None


def publish_unsigned(link: Link, directory: Path, *, force: bool = False) -> Published:
    """Write the payload as it is, for `sign`, under a name that no reader of links takes.

    Raises: Misused.
    """
    payload = payload_of(link)
    path = write_link(directory, unsigned_file_name(link.name), payload, force=force)
    return Published(path=path, sha256=digest_of(payload))
