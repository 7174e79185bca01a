"""A public key as `gpg --export` writes it: a primary key with its user ids, its subkeys, and signatures about them.

Source: RFC 4880 section 11.1 (transferable public keys) and 12.1 (which packets follow which).
What the signatures say, and whether they hold, is for `trust.gpg_validity`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from intoto_action.formats.gpg_key import ARMOUR, GPG_CAP, GpgKey, gpg_key
from intoto_action.formats.openpgp import (
    PUBLIC_KEY,
    PUBLIC_SUBKEY,
    SECRET_KEY,
    SIGNATURE,
    USER_ATTRIBUTE,
    USER_ID,
    KeyPacket,
    Packet,
    SignaturePacket,
    dearmor,
    read_key_packet,
    read_packets,
    read_signature_packet,
)
from intoto_action.reason import Malformed, MalformedKey


class Claim(msgspec.Struct, frozen=True):
    """A signature about a key, a subkey or a user id. `packet` is None when it is of a form that is not read.

    `type` is that of section 5.2.1, which tells a revocation also in a form that is not read.
    """

    type: int
    packet: SignaturePacket | None


class Component(msgspec.Struct, frozen=True):
    """A primary key or a subkey, and the signatures behind it."""

    key: KeyPacket
    claims: tuple[Claim, ...]


class UserId(msgspec.Struct, frozen=True):
    """A user id or a user attribute, and the signatures behind it."""

    packet: Packet
    claims: tuple[Claim, ...]


class GpgCertificate(msgspec.Struct, frozen=True):
    """A primary key and what belongs to it, when its signatures hold."""

    primary: Component
    user_ids: tuple[UserId, ...]
    subkeys: tuple[Component, ...]

    @property
    def components(self) -> tuple[Component, ...]:
        """All keys, the primary one first."""
        return (self.primary, *self.subkeys)


def parse_certificates(raw: bytes, where: str) -> tuple[GpgCertificate, ...]:
    """All keys of a file, armoured or not.

    Raises: Malformed.
    """
    if len(raw) > GPG_CAP:
        expected = f"an OpenPGP key of at most {GPG_CAP} bytes"
        raise MalformedKey(
            where,
            expected,
            "more: export it without the signatures of others (gpg --export-options export-minimal)",
        )
    binary = dearmor(raw.decode("utf-8", "replace"), where) if ARMOUR in raw else raw
    return tuple(_certificates(list(read_packets(binary, where)), where))


def every_key(certificates: Sequence[GpgCertificate], where: str) -> tuple[GpgKey, ...]:
    """Every key of the certificates whose algorithm is read, whatever it may be used for, and be it expired or revoked.

    Raises: Malformed when there is none.
    """
    found = [
        gpg_key(each.key.fingerprint, each.key.crypto, where)
        for certificate in certificates
        for each in certificate.components
        if each.key.crypto is not None
    ]
    if not found:
        raise MalformedKey(where, "an OpenPGP key of RSA or Ed25519", "keys of other algorithms only")
    return tuple(found)


def _certificates(packets: Sequence[Packet], where: str) -> Iterator[GpgCertificate]:
    starts = [place for place, packet in enumerate(packets) if packet.tag == PUBLIC_KEY]
    if any(packet.tag == SECRET_KEY for packet in packets):
        found = "a private one: export the public key (gpg --export), and take the private one away from here"
        raise MalformedKey(where, "an OpenPGP public key", found)
    if starts[:1] != [0]:
        found = "other packets in front" if packets else "nothing"
        raise MalformedKey(where, "an OpenPGP key that begins with its primary key", found)
    for start, end in zip(starts, [*starts[1:], len(packets)], strict=True):
        yield _certificate(packets[start:end], where)


def _certificate(packets: Sequence[Packet], where: str) -> GpgCertificate:
    heads: list[tuple[Packet, list[Claim]]] = []
    for packet in packets:
        if packet.tag == SIGNATURE:
            heads[-1][1].append(_claim(packet.body, where))
        elif packet.tag in {PUBLIC_KEY, PUBLIC_SUBKEY, USER_ID, USER_ATTRIBUTE}:
            heads.append((packet, []))
        # Others, such as trust packets of an old keyring, say nothing here (section 5.10).
    keys = [
        Component(read_key_packet(packet.body, where), tuple(claims))
        for packet, claims in heads
        if packet.tag in {PUBLIC_KEY, PUBLIC_SUBKEY}
    ]
    user_ids = tuple(
        UserId(packet, tuple(claims)) for packet, claims in heads if packet.tag in {USER_ID, USER_ATTRIBUTE}
    )
    return GpgCertificate(keys[0], user_ids, tuple(keys[1:]))


def _claim(body: bytes, where: str) -> Claim:
    """Somebody else's signature of another form must not make the key unreadable: anybody can put one there."""
    try:
        packet = read_signature_packet(body, where)
    except Malformed:
        # Section 5.2.2: version 3 has a length in front of its type.
        place = 2 if body[:1] == b"\x03" else 1
        return Claim(int.from_bytes(body[place : place + 1], "big"), None)
    return Claim(packet.hashed.type, packet)
