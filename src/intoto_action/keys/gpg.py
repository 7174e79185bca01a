"""Keys of GnuPG: `gnupg:HOMEDIR?id=KEYID`. gpg is called to sign, and its agent keeps the key.

The signature is the one that securesystemslib's GPGSigner makes, and every reader that knows one knows the other. gpg
is called here, and not through it, because it takes a subkey of gpg's choice, cuts the command line at spaces of the
home directory, runs whatever the variable GNUPG says, and gives a person ten seconds for the passphrase.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from intoto_action.formats.envelope import Signature
from intoto_action.formats.gpg_certificate import GpgCertificate, parse_certificates
from intoto_action.formats.gpg_key import GpgKey
from intoto_action.formats.openpgp import SIGNATURE, read_packets, read_signature_packet
from intoto_action.formats.spelling import quoted, quoted_uri
from intoto_action.keys.interface import Access, Signer
from intoto_action.reason import Malformed, Reason, Unavailable, WrongKey, WrongPlace
from intoto_action.system import RUNS_PROGRAMS
from intoto_action.trust.gpg_validity import signing_key
from intoto_action.trust.openpgp import OTHER_HEADERS, is_by

GNUPG = "gnupg:"
_FORM = "gnupg:HOMEDIR?id=KEYID (both may be left out)"
_ID = re.compile(r"(?:0x)?((?:[0-9a-f]{24})?[0-9a-f]{16}!?)\Z")
_HOMEDIR = re.compile(r"[^\x00-\x1f\x7f?#]{0,4096}\Z")
_HANDED_ON = (
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "GNUPGHOME",
    "GPG_TTY",
    "HOME",
    "INSIDE_EMACS",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "PATH",
    "PINENTRY_USER_DATA",
    "TERM",
    "TMPDIR",
    "USER",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
)
"""What gpg, its agent and the program that asks for the passphrase need; tokens are not among it."""
_SIGN = (
    # Each undoes what a gpg.conf may say and in-toto's readers do not take.
    "--no-armor",
    "--no-textmode",
    "--digest-algo=SHA256",
    "--no-ask-sig-expire",
    "--default-sig-expire=0",
    "--output=-",
    "--detach-sign",
)
_ASKING_SECONDS = 30.0


class GpgAddress(NamedTuple):
    """What a `gnupg:` word names. Empty: gpg's own home directory, its only key."""

    homedir: str
    keyid: str


class _Gnupg:
    """The kind of keys that `gnupg:` names."""

    private: tuple[str, ...] = ()
    needs_public_key = False

    def check(self, word: str, environ: Mapping[str, str]) -> None:
        """Raises: Misused for a word of another form, a directory that is not there, or when gpg is not installed."""
        _check_homedir(parse_address(word))
        _program(environ)

    def open(self, word: str, access: Access) -> Signer:
        """Raises: Misused; Malformed for a key that is expired, revoked or of an algorithm that is not read."""
        address = parse_address(word)
        keyid = address.keyid or _only_secret_key(address, access.environ)
        key = _exported(address._replace(keyid=keyid), access.environ, datetime.now(UTC))
        return GpgSigner(key, address.homedir, access)


class GpgSigner:
    """A signer that calls gpg."""

    def __init__(self, key: GpgKey, homedir: str, access: Access) -> None:
        self._key = key
        self._homedir = homedir
        self._access = access

    def __repr__(self) -> str:
        return f"GpgSigner({self._key})"

    @property
    def key(self) -> GpgKey:
        """The key or subkey that signs."""
        return self._key

    def signature(self, data: bytes) -> Signature:
        """The signature, with what gpg signed beside the data as `other_headers`.

        Raises: Misused, Unavailable; also when what gpg made is no signature by this key.
        """
        words = (*_SIGN[:-1], "--local-user", f"{self._key.keyid}!", _SIGN[-1])
        made = _run(self._homedir, words, self._access.environ, data, self._access.seconds)
        try:
            found = _as_signature(made, self._key)
            good = is_by(self._key, found, data, "the signature that gpg made")
        except Malformed as error:
            raise WrongKey(f"{error}: look at gpg.conf in the home directory of gpg") from error
        if not good:
            raise WrongKey(
                f"expected a signature by {self._key} from gpg, found one that does not hold under it: is the exported "
                "public key the one of the private key?"
            )
        return found

    def bundle(self, payload_type: str, payload: bytes) -> bytes:
        """Raises: Misused, always: Sigstore bundles know no OpenPGP signatures."""
        raise WrongKey(
            "a GPG key signs links and layouts, and cannot sign what is attached to an image: that is a Sigstore "
            "bundle, whose readers know no OpenPGP signatures. Attach with a PEM key (`intoto-action keygen` makes "
            "one), and let verifiers name it with --attester"
        )


KIND = _Gnupg()


def parse_address(word: str) -> GpgAddress:
    """The home directory and the keyid of a `gnupg:` word.

    Raises: Misused.
    """
    homedir, question, query = word.removeprefix(GNUPG).partition("?")
    name, _, value = query.partition("=")
    if not _HOMEDIR.match(homedir) or (question and name != "id"):
        raise WrongKey(f"expected {_FORM}, found {quoted_uri(word)}")
    # People paste fingerprints as gpg prints them.
    keyid = re.sub(r"[ :]|%20|\+", "", value).lower()
    if question and not _ID.match(keyid):
        raise WrongKey(
            f"expected {_FORM}, and KEYID a fingerprint (40 hex digits, a ! behind it for exactly this subkey) or its "
            f"last 16, found {quoted(value)}; anybody can make a key with the same last 8 digits"
        )
    return GpgAddress(os.path.expanduser(homedir), keyid.removeprefix("0x"))  # noqa: PTH111 - it may stay empty


def open_public(word: str, environ: Mapping[str, str], at: datetime) -> GpgKey:
    """The public key that a `gnupg:` word names, exported by gpg.

    Raises: Misused; Malformed for a key that is expired, revoked or of an algorithm that is not read.
    """
    return _exported(parse_address(word), environ, at)


def exported_certificates(address: GpgAddress, environ: Mapping[str, str]) -> tuple[GpgCertificate, ...]:
    """What gpg exports, be it expired or revoked.

    Raises: Misused, Malformed.
    """
    _check_homedir(address)
    names = [address.keyid.removesuffix("!")] if address.keyid else []
    words = ["--no-armor", "--output=-", "--export", *names]
    raw = _run(address.homedir, words, environ, b"", _ASKING_SECONDS)
    if not raw:
        wanted = f"the key {address.keyid}" if names else "a key"
        raise WrongKey(
            f"expected {wanted} in {_keyring(address.homedir)}, found none: "
            "`gpg --list-keys --with-subkey-fingerprint` lists what is there"
        )
    return parse_certificates(raw, _keyring(address.homedir))


def _exported(address: GpgAddress, environ: Mapping[str, str], at: datetime) -> GpgKey:
    found = exported_certificates(address, environ)
    return signing_key(found, address.keyid or None, at, _keyring(address.homedir))


def _only_secret_key(address: GpgAddress, environ: Mapping[str, str]) -> str:
    """The fingerprint of the one private key there; gpg would take the first of several, or gpg.conf's.

    Source: GnuPG, doc/DETAILS, "Format of the colon listings".
    """
    _check_homedir(address)
    words = ["--with-colons", "--fixed-list-mode", "--list-secret-keys"]
    listed = _run(address.homedir, words, environ, b"", _ASKING_SECONDS)
    records = [line.split(":") for line in listed.decode("utf-8", "replace").splitlines()]
    starts = [place for place, record in enumerate(records) if record[0] == "sec"]
    found = [next(record[9] for record in records[start:] if record[0] == "fpr").lower() for start in starts]
    if len(found) != 1:
        names = f"{len(found)}: {', '.join(found)}" if found else "none"
        raise WrongKey(
            f"expected one private key in {_keyring(address.homedir)}, found {names}; name one, "
            f"{GNUPG}{address.homedir}?id=FINGERPRINT"
        )
    return found[0]


def _as_signature(made: bytes, key: GpgKey) -> Signature:
    """What gpg wrote, as securesystemslib puts it into an envelope. Raises: Malformed."""
    where = "the signature that gpg made"
    packets = list(read_packets(made, where))
    if [packet.tag for packet in packets] != [SIGNATURE]:
        raise Malformed(where, "one OpenPGP signature", f"{len(packets)} packets")
    packet = read_signature_packet(packets[0].body, where)
    public = key.crypto()
    length = (public.key_size + 7) // 8 if isinstance(public, rsa.RSAPublicKey) else 0
    headers = msgspec.json.encode(packet.hashed.raw.hex())
    return Signature("", packet.value.rjust(length, b"\x00"), {OTHER_HEADERS: headers})


def _run(
    homedir: str, words: Sequence[str], environ: Mapping[str, str], data: bytes, seconds: float
) -> bytes:
    """What gpg writes to stdout. Raises: Misused, Unavailable."""
    place = ["--homedir", homedir] if homedir else []
    command = [_program(environ), *place, "--batch", "--quiet", "--no-auto-check-trustdb", *words]
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=seconds, check=False, env=_environ(environ)
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(
            f"gpg did not answer within {seconds:g} seconds: does it wait for a passphrase or a smartcard?",
            Reason.KEY_UNAVAILABLE,
        ) from error
    except OSError as error:
        raise WrongKey(f"gpg cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["nothing"]
        raise WrongKey(
            f"gpg with {_keyring(homedir)} ended with {done.returncode} and said: {said[-1][:300]}. Try it by hand: "
            f"`{' '.join(['gpg', *place, '--local-user FINGERPRINT --detach-sign FILE'])}`; where nobody can type a "
            "passphrase, its agent must have it already"
        )
    return done.stdout


def _program(environ: Mapping[str, str]) -> str:
    if not RUNS_PROGRAMS:
        raise WrongPlace(
            f"{GNUPG}: expected Linux or macOS, found Windows, where no other program is run beside a key: give a PEM "
            "file"
        )
    found = shutil.which("gpg", path=environ.get("PATH")) or shutil.which("gpg2", path=environ.get("PATH"))
    if found is None:
        raise WrongKey(f"{GNUPG} needs GnuPG, and there is no gpg on PATH (Debian: apt-get install gnupg)")
    return found


def _environ(environ: Mapping[str, str]) -> dict[str, str]:
    """For gpg alone; with the terminal on which its agent may ask for the passphrase, if there is one."""
    handed_on = {name: environ[name] for name in _HANDED_ON if name in environ}
    if sys.platform == "win32":
        return handed_on
    if "GPG_TTY" not in handed_on and sys.stdin is not None and sys.stdin.isatty():
        handed_on["GPG_TTY"] = os.ttyname(sys.stdin.fileno())
    return handed_on


def _check_homedir(address: GpgAddress) -> None:
    if address.homedir and not Path(address.homedir).is_dir():
        raise WrongKey(f"expected the home directory of gpg, found no directory {quoted(address.homedir)}")


def _keyring(homedir: str) -> str:
    return f"the keyring of gpg in {homedir}" if homedir else "the keyring of gpg"
