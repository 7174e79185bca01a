"""Which key of an OpenPGP certificate may sign now: not expired, not revoked, and bound to its primary key.

securesystemslib and in-toto drop all of this when they take a key out of a keyring, and a layout cannot hold it. So it
is looked at when a key is opened, to be put into a layout, to check one, or to sign. Pure: the time is handed in.

Source: RFC 4880 sections 5.2.1 (types of signatures), 5.2.3.3 (self-signatures), 5.2.3.21 (key flags), 5.2.4; where
it leaves a choice, GnuPG 2.2's (`merge_selfsigs` in g10/getkey.c), or the stricter one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec
from cryptography.hazmat.primitives import hashes

from intoto_action.formats.gpg_certificate import Claim, Component, GpgCertificate
from intoto_action.formats.gpg_key import GpgKey, gpg_key
from intoto_action.formats.openpgp import (
    ALGORITHMS,
    CREATED,
    EMBEDDED_SIGNATURE,
    EXPIRES_AFTER,
    HASHES,
    KEY_EXPIRES_AFTER,
    KEY_FLAGS,
    REVOCATION_KEY,
    KeyPacket,
    SignaturePacket,
    framed_key,
    framed_user,
    read_signature_packet,
)
from intoto_action.reason import Malformed, MalformedKey
from intoto_action.trust.openpgp import STRONG, holds

_CERTIFICATIONS = frozenset({0x10, 0x11, 0x12, 0x13})
_BINDING = 0x18
_BACK_SIGNATURE = 0x19
_DIRECT = 0x1F
_REVOKED_KEY = 0x20
_REVOKED_SUBKEY = 0x28
_REVOKED_USER = 0x30
_MAY_SIGN = 0x02
_UNDERSTOOD = frozenset({*range(2, 8), 9, 11, 12, 16, *range(20, 31), 32, 33, 34})
"""Subpackets of self-signatures that change nothing here, or that are looked at."""
_WITH_WEAK: dict[int, type[hashes.HashAlgorithm]] = {**STRONG, 2: hashes.SHA1, 11: hashes.SHA224}
"""A revocation counts with whatever hash: believing one too many refuses, believing one too few does not."""
_RENEW = (
    "renew its self-signatures with `gpg --cert-digest-algo SHA256 --quick-set-expire FINGERPRINT 2y`, and export "
    "it again"
)


class _State(msgspec.Struct, frozen=True):
    """What is to be said of one key. `fault` is why it may not sign, in words; `signs` that it is meant to."""

    component: Component
    signs: bool
    fault: str = ""


def signing_key(
    certificates: Sequence[GpgCertificate], wanted: str | None, at: datetime, where: str
) -> GpgKey:
    """The one key of the certificates that signs.

    `wanted` is the fingerprint, or its last 16 digits, of a subkey, which is then taken, or of a primary key: then, as
    gpg does, a subkey for signatures is taken before it; with a `!` behind it, exactly that key. Without `wanted` there
    must be one certificate. Among several subkeys that could sign none is chosen.

    Raises: Malformed when the key is expired, revoked, not for signatures or not bound to its primary key.
    """
    exactly = wanted is not None and wanted.endswith("!")
    name = wanted.removesuffix("!") if wanted else None
    certificate = _one_certificate(certificates, name, where)
    primary = _primary(certificate, at)
    if primary.fault:
        raise _refused(where, primary)
    if name is not None and (exactly or not _is(certificate.primary, name)):
        named = next(each for each in certificate.components if _is(each, name))
        state = primary if named is certificate.primary else _subkey(certificate, named, at)
        return _taken(state, where)
    subkeys = [_subkey(certificate, each, at) for each in certificate.subkeys]
    able = [each for each in subkeys if each.signs and not each.fault]
    if len(able) > 1:
        names = [each.component.key.fingerprint for each in able]
        found = (
            f"{len(able)}: {', '.join(names)}. Export the one that signs: `gpg --armor --export {names[0]}!`, with the "
            "!, or name it: gnupg:HOMEDIR?id=FINGERPRINT"
        )
        raise MalformedKey(where, "one subkey that may sign", found)
    if able:
        return _taken(able[0], where)
    if not primary.signs and (meant := [each for each in subkeys if each.signs]):
        raise _refused(where, meant[-1])
    return _taken(primary, where)


def _one_certificate(certificates: Sequence[GpgCertificate], name: str | None, where: str) -> GpgCertificate:
    found = [
        each
        for each in certificates
        if name is None or any(_is(component, name) for component in each.components)
    ]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(each.primary.key.fingerprint for each in certificates)
    if not found:
        raise MalformedKey(where, f"the key {name}", f"others: {listed}")
    raise MalformedKey(
        where,
        "one OpenPGP key",
        f"{len(found)} ({listed}): export one with `gpg --armor --export FINGERPRINT`",
    )


def _is(component: Component, name: str) -> bool:
    return component.key.fingerprint.endswith(name)


def _taken(state: _State, where: str) -> GpgKey:
    key = state.component.key
    if state.fault:
        raise _refused(where, state)
    if not state.signs:
        add = "add one with `gpg --quick-add-key FINGERPRINT ed25519 sign`"
        found = f"{key.fingerprint}, which is for other uses only; {add}"
        raise MalformedKey(where, "an OpenPGP key or subkey for signatures", found)
    if key.crypto is None:
        algorithm = ALGORITHMS.get(key.algorithm, f"algorithm {key.algorithm}")
        found = f"{key.fingerprint} of {algorithm}, which in-toto's readers do not know"
        raise MalformedKey(where, "an OpenPGP key of RSA or Ed25519 (EdDSA)", found)
    return gpg_key(key.fingerprint, key.crypto, where)


def _refused(where: str, state: _State) -> Malformed:
    return MalformedKey(
        where, "an OpenPGP key that may sign now", f"{state.component.key.fingerprint}, {state.fault}"
    )


def _primary(certificate: GpgCertificate, at: datetime) -> _State:
    """Whether the primary key stands: without it nothing of the certificate does."""
    component = certificate.primary
    key = component.key
    if key.crypto is None:
        # Nothing that it signed can be checked, so neither can its subkeys.
        algorithm = ALGORITHMS.get(key.algorithm, f"algorithm {key.algorithm}")
        return _State(
            component, False, f"of {algorithm}: its signatures cannot be checked here, so give another key"
        )
    revokers = _revokers(certificate, at)
    if revoked := _revocation(component.claims, _REVOKED_KEY, key, framed_key(key), revokers):
        return _State(component, False, revoked)
    direct = _newest(_valid(component.claims, {_DIRECT}, key, framed_key(key), at))
    users = sorted(_users(certificate, at), key=_created)
    said = [*users, *([direct] if direct else [])]
    if not said:
        claims = (*component.claims, *(claim for user in certificate.user_ids for claim in user.claims))
        return _State(component, False, _no_self_signature(claims, key))
    # A signature about the key itself comes before those about its user ids; of these the newest that says something.
    expiry = _last(said, KEY_EXPIRES_AFTER)
    flags = _last(said, KEY_FLAGS)
    signs = flags is None or bool(flags[:1] and flags[0] & _MAY_SIGN)
    return _State(component, signs, _expired(key, expiry, at))


def _users(certificate: GpgCertificate, at: datetime) -> Iterator[SignaturePacket]:
    """The newest self-signature of each user id that is not revoked."""
    key = certificate.primary.key
    for user in certificate.user_ids:
        data = framed_key(key) + framed_user(user.packet)
        said = _newest(_valid(user.claims, _CERTIFICATIONS, key, data, at))
        if said is None:
            continue
        withdrawn = [
            claim.packet
            for claim in user.claims
            if claim.type == _REVOKED_USER
            and claim.packet
            and claim.packet.may_be_by(key.fingerprint)
            and _counts(claim.packet, key, data)
        ]
        if all(_created(each) < _created(said) for each in withdrawn):
            yield said


def _subkey(certificate: GpgCertificate, component: Component, at: datetime) -> _State:
    primary, key = certificate.primary.key, component.key
    data = framed_key(primary) + framed_key(key)
    bound = _newest(_valid(component.claims, {_BINDING}, primary, data, at))
    if bound is None:
        return _State(
            component, False, f"not bound to its primary key: {_no_self_signature(component.claims, primary)}"
        )
    flags = bound.hashed.last(KEY_FLAGS)
    signs = bool(flags and flags[0] & _MAY_SIGN)
    if not signs:
        return _State(component, False)
    if revoked := _revocation(component.claims, _REVOKED_SUBKEY, primary, data, _revokers(certificate, at)):
        return _State(component, True, revoked)
    if key.crypto is not None and not _is_cross_certified(bound, key, data):
        remedy = "`gpg --edit-key FINGERPRINT cross-certify save`"
        return _State(component, True, f"which has not signed that it belongs to its primary key: {remedy}")
    return _State(component, True, _expired(key, bound.hashed.last(KEY_EXPIRES_AFTER), at))


def _is_cross_certified(bound: SignaturePacket, key: KeyPacket, data: bytes) -> bool:
    """Whether the subkey itself says that it belongs there, or somebody could take another's subkey for their own.

    Source: RFC 4880 section 5.2.1, type 0x19. It proves itself, so it may stand among what is not hashed.
    """
    for each in (*bound.hashed.subpackets, *bound.unhashed):
        if each.type != EMBEDDED_SIGNATURE:
            continue
        try:
            packet = read_signature_packet(each.data, "a signature inside another")
        except Malformed:
            continue
        if packet.hashed.type == _BACK_SIGNATURE and _is_by(packet, key, data):
            return True
    return False


def _revokers(certificate: GpgCertificate, at: datetime) -> frozenset[str]:
    """The fingerprints of other keys that may revoke this one (section 5.2.3.15)."""
    key = certificate.primary.key
    direct = _valid(certificate.primary.claims, {_DIRECT}, key, framed_key(key), at)
    said = [*direct, *_users(certificate, at)]
    return frozenset(
        subpacket.data[2:].hex()
        for packet in said
        for subpacket in packet.hashed.subpackets
        if subpacket.type == REVOCATION_KEY
    )


def _revocation(
    claims: Iterable[Claim], type_: int, key: KeyPacket, data: bytes, revokers: frozenset[str]
) -> str:
    """Why the key is revoked, in words; empty when nothing that counts says so."""
    for claim in (each for each in claims if each.type == type_):
        if claim.packet is None:
            return "which may be revoked: by a signature of a form that is not read here"
        if claim.packet.may_be_by(key.fingerprint):
            if _counts(claim.packet, key, data):
                return f"which was revoked{_day(_created(claim.packet))}"
        elif any(claim.packet.may_be_by(revoker) for revoker in revokers):
            # That key is not here, so whether it really signed cannot be told.
            return "which was revoked by another key that may revoke it"
    return ""


def _counts(packet: SignaturePacket, key: KeyPacket, data: bytes) -> bool:
    """Whether a revocation holds, or cannot be shown not to."""
    if packet.hashed.hash_algorithm not in _WITH_WEAK or key.crypto is None or not packet.value:
        return True
    return holds(key.crypto, packet.value, data, packet.hashed, _WITH_WEAK)


def _valid(
    claims: Iterable[Claim], types: frozenset[int] | set[int], key: KeyPacket, data: bytes, at: datetime
) -> Iterator[SignaturePacket]:
    """The self-signatures that hold, with strong hashes, and are not expired themselves."""
    for claim in claims:
        packet = claim.packet
        if claim.type not in types or packet is None or not _is_by(packet, key, data):
            continue
        lives = _seconds(packet, EXPIRES_AFTER)
        if not lives or _created(packet) + lives > at.timestamp():
            yield packet


def _is_by(packet: SignaturePacket, key: KeyPacket, data: bytes) -> bool:
    understood = all(not each.critical or each.type in _UNDERSTOOD for each in packet.hashed.subpackets)
    return (
        understood
        and key.crypto is not None
        and packet.may_be_by(key.fingerprint)  # signatures of others are many, and not worth the arithmetic
        and packet.hashed.last(CREATED) is not None
        and holds(key.crypto, packet.value, data, packet.hashed)
    )


def _newest(packets: Iterable[SignaturePacket]) -> SignaturePacket | None:
    return max(packets, key=_created, default=None)


def _last(packets: Sequence[SignaturePacket], type_: int) -> bytes | None:
    """What the last of the signatures that speaks of it says."""
    found = [data for each in packets if (data := each.hashed.last(type_)) is not None]
    return found[-1] if found else None


def _created(packet: SignaturePacket) -> int:
    return _seconds(packet, CREATED)


def _seconds(packet: SignaturePacket, type_: int) -> int:
    return packet.hashed.seconds(type_) or 0


def _expired(key: KeyPacket, lives: bytes | None, at: datetime) -> str:
    """Section 5.2.3.6: seconds after the key was made; 0 is never."""
    seconds = int.from_bytes(lives or b"", "big")
    end = key.created + seconds
    if not seconds or at.timestamp() < end:
        return ""
    return f"which expired{_day(end)}: renew it with `gpg --quick-set-expire FINGERPRINT 2y`, or give another key"


def _day(seconds: int) -> str:
    return f" on {datetime.fromtimestamp(seconds, UTC).date().isoformat()}" if seconds else ""


def _no_self_signature(claims: Iterable[Claim], key: KeyPacket) -> str:
    own = [claim.packet for claim in claims if claim.packet and claim.packet.may_be_by(key.fingerprint)]
    weak = sorted({HASHES.get(each.hashed.hash_algorithm, "an unknown hash") for each in own} - _STRONG_NAMES)
    if weak:
        return f"of which nothing but signatures with {', '.join(weak)} speaks: {_RENEW}"
    return "of which no valid self-signature speaks: export the whole key again"


_STRONG_NAMES = {HASHES[number] for number in STRONG}
