"""The demo's site when nobody has a key: an identity provider vouches for each job, and a Sigstore certifies it.

Both are of somebody else: the file says where. `make demo` has one where the servers that tests run are built.
"""

from __future__ import annotations

import re
import shutil
from functools import cached_property
from pathlib import Path

import msgspec

from intoto_action.deadline import Deadline
from intoto_action.demo.attacks import PULL_REQUEST
from intoto_action.demo.site import Site
from intoto_action.demo.steps import OWNER, STEPS
from intoto_action.formats.identity import Identity
from intoto_action.formats.strict_json import decode
from intoto_action.keys.certified import Certifier, Terms
from intoto_action.keys.keyless import KeylessSigner
from intoto_action.keys.oidc import GivenToken
from intoto_action.keys.sigstore import Instance, open_instance
from intoto_action.keys.sigstore_root import SigstoreRoot
from intoto_action.reason import Misused
from intoto_action.store.files import read_capped, write_whole

NAMES = (OWNER, *(step.name for step in STEPS), PULL_REQUEST)
_KEY = re.compile(r"\{key: keys/([a-z]+)\.pub\}")
_CAP = 1 << 20
_SECONDS = 60


class Vouched(msgspec.Struct, frozen=True, rename="kebab"):
    """`trust_config` is the path of a client trust config, `issuer` the provider, `tokens` one for each of NAMES."""

    trust_config: str
    issuer: str
    tokens: dict[str, str]

    def instance(self, deadline: Deadline) -> Instance:
        """The Sigstore instance. Raises: Misused."""
        return open_instance(
            self.trust_config, root_file=None, offline=True, deadline=deadline, tell=_say_nothing
        )


def read_vouched(path: Path) -> Vouched:
    """The file that `demo --keyless` names. Raises: Misused, Malformed."""
    vouched = decode(read_capped(path, _CAP, "--keyless"), Vouched, f"--keyless {path}")
    if missing := [name for name in NAMES if not vouched.tokens.get(name)]:
        raise Misused(f"--keyless {path}: expected a token for each job, found none for {', '.join(missing)}")
    return vouched


class VouchedSite(Site):
    """The same release, signed by jobs."""

    def __init__(self, root: Path, vouched: Vouched) -> None:
        super().__init__(root)
        self._vouched = vouched

    def set_up(self) -> None:
        """The same source and layout, with an identity in the place of each key."""
        super().set_up()
        file = self.root / "layout.yaml"
        write_whole(file, _KEY.sub(self._functionary, file.read_text()).encode(), overwrite=True)

    def copy(self, root: Path) -> VouchedSite:
        """The same site again, at another place."""
        shutil.copytree(self.root, root)
        return VouchedSite(root, self._vouched)

    def signer(self, name: str) -> KeylessSigner:
        """The job of that name, which asks for a certificate when it first signs."""
        token = GivenToken(f"the token of {name}", self._vouched.tokens[name])
        return KeylessSigner(Certifier(self._vouched.instance, token, Terms(seconds=_SECONDS)))

    @cached_property
    def owner(self) -> Identity:
        """Who signs the layout."""
        return self.signer(OWNER).key

    @cached_property
    def sigstore(self) -> SigstoreRoot:
        """The root of the instance."""
        return SigstoreRoot(lambda: self._vouched.instance(Deadline(_SECONDS)).trust_root)

    def _functionary(self, key: re.Match[str]) -> str:
        return (
            f"{{repository: octo/door, workflow: {key[1]}.yml, ref: refs/heads/main, "
            f'issuer: "{self._vouched.issuer}"}}'
        )


def _say_nothing(note: str) -> None:
    """An instance from a file has nothing to tell."""
    del note
