"""Signing a layout, alone or after others."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from intoto_action.author.compile import Compiled, compile_layout
from intoto_action.author.expiry import expiry
from intoto_action.author.functionaries import KeyReader
from intoto_action.formats.envelope import PAYLOAD_TYPE, Envelope
from intoto_action.formats.identity import Identity
from intoto_action.formats.key import Key, PublicKey
from intoto_action.formats.layout import Layout, encode_layout, parse_instant, parse_layout
from intoto_action.formats.spelling import quoted
from intoto_action.formats.yaml import YAML_CAP
from intoto_action.keys.interface import Signer
from intoto_action.keys.sealing import append_signature, seal
from intoto_action.keys.words import elsewhere, open_public_key
from intoto_action.reason import Malformed, WrongDocument, WrongKey
from intoto_action.store.files import read_capped
from intoto_action.trust.keyless import claimed_certificate
from intoto_action.trust.signature import check_signature

CLOCK_TOLERANCE = timedelta(hours=1)
"""How far the clocks of two owners of a layout may be apart."""


class SignedLayout(msgspec.Struct, frozen=True):
    """A layout's envelope as a document, and its payload."""

    document: bytes
    payload: bytes
    layout: Layout


def compile_file(path: Path, *, at: datetime) -> Compiled:
    """Compile a layout.yaml; keys are looked for from its directory.

    Raises: BadLayout; Misused when the file cannot be read.
    """
    raw = read_capped(path, YAML_CAP, "the layout")
    return compile_layout(raw, str(path), read_key=keys_beside(path, at=at), at=at)


def keys_beside(path: Path, *, at: datetime) -> KeyReader:
    """Opens the public keys that the layout.yaml at `path` names, from its directory."""
    directory = path.absolute().parent

    def read_key(text: str) -> Key:
        if elsewhere(text) is not None:
            # Whoever looks at a layout that somebody proposes must not run gpg where that layout says.
            found = (
                f"{quoted(text)}, the URI of one: export it into a file (gpg --armor --export FINGERPRINT)"
            )
            raise Malformed(str(path), "the path of a public key", found)
        return open_public_key(str(directory / text), environ={}, at=at)

    return read_key


def sign_layout(layout: Layout, signer: Signer) -> SignedLayout:
    """The layout in a DSSE envelope with one signature, under both keyids of the key.

    in-toto-golang looks signatures up by a keyid that it computes in another way than securesystemslib does; the
    same signature twice makes both find it. Who counts signatures counts keys.
    """
    payload = encode_layout(layout)
    document = seal(PAYLOAD_TYPE, payload, signer, keyids=_keyids(signer.key))
    return SignedLayout(document, payload, layout)


def co_sign_layout(compiled: Compiled, stored: Envelope, signer: Signer, *, at: datetime) -> SignedLayout:
    """The stored layout with one more signature, when layout.yaml still means exactly its bytes.

    A length of time in the YAML meant another instant when the first owner signed, so the stored one is taken, if
    it is one that the YAML could have meant between then and now.
    Raises: Misused when the layouts differ, or the signer has signed already; Malformed when `stored` is none.
    """
    before = parse_layout(stored.payload, "the signed layout")
    layout = compiled.layout
    if compiled.lives_for is not None:
        layout = msgspec.structs.replace(layout, expires=_stored_expiry(compiled.lives_for, before, at))
    payload = encode_layout(layout)
    if payload != stored.payload:
        raise WrongDocument(
            f"expected layout.yaml to compile to the signed layout (sha256:{stored.sha256}), found a difference "
            f"in {_difference(layout, before)}: the signature would be for something else; take the layout.yaml "
            "that was signed, or sign this one anew without --append"
        )
    if _has_signed(stored, signer.key):
        what = "an identity" if isinstance(signer.key, Identity) else "a key"
        raise WrongKey(f"expected {what} that has not signed this layout yet, found {signer.key}, which has")
    document = append_signature(stored, signer, _keyids(signer.key))
    return SignedLayout(document, payload, layout)


def _has_signed(stored: Envelope, key: Key) -> bool:
    """Whether there is a signature by the key, or one with a certificate of the identity, which is not checked here:
    whoever verifies the layout counts it or does not, and a second one by the same identity would change nothing.
    """
    if not isinstance(key, Identity):
        return check_signature(stored, key) is not None
    claimed = [claimed_certificate(stored, each, "the signed layout") for each in stored.signatures]
    return any(each and (each.identity, each.issuer) == (key.identity, key.issuer) for each in claimed)


def _keyids(key: Key) -> tuple[str, ...]:
    return (key.keyid, key.go_keyid) if isinstance(key, PublicKey) else (key.keyid,)


def _stored_expiry(lives_for: str, stored: Layout, at: datetime) -> str:
    """Raises: Misused when nobody could have got the stored instant from this length of time."""
    latest = expiry(lives_for, at, "expires") + CLOCK_TOLERANCE
    if not at < parse_instant(stored.expires, "the signed layout, expires") <= latest:
        raise WrongDocument(
            f"expected a signed layout that ends within {lives_for} from now, as layout.yaml says, found one "
            f"that ends {stored.expires}: it was signed with another expires, or too long ago; sign it anew"
        )
    return stored.expires


def _difference(one: Layout, other: Layout) -> str:
    """The fields that differ, in words."""
    fields = [name for name in Layout.__struct_fields__ if getattr(one, name) != getattr(other, name)]
    names = ["inspections" if name == "inspect" else name for name in fields]
    return ", ".join(names) or "how its JSON is written (another tool made it)"
