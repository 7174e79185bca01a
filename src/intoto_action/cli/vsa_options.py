"""The flags of `verify` that leave a VSA of what passed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
import msgspec

from intoto_action.cli.keyless_options import KeylessOptions
from intoto_action.cli.options import Callback, SigningOptions, SigstoreOptions, group, refuse_overwriting
from intoto_action.reason import Misused

if TYPE_CHECKING:
    from intoto_action.keys.sigstore_root import InstanceOnce, SigstoreRoot
    from intoto_action.verify.issuing import Issuer

R = TypeVar("R")


class VsaOptions(msgspec.Struct, frozen=True):
    """Who signs VSAs, and the file that gets the one of the image; without it, it is attached to the image."""

    signing: SigningOptions
    file: Path | None

    @property
    def is_wanted(self) -> bool:
        """Whether there are to be VSAs."""
        return self.signing.key is not None

    @property
    def words(self) -> tuple[str | None, ...]:
        """The words that may name files which are read."""
        return self.signing.key, self.signing.public_key

    def issuer(self, keyless: KeylessOptions, instance: InstanceOnce, root: SigstoreRoot) -> Issuer | None:
        """Open the key; None when no VSA is wanted. Raises: Misused."""
        if not self.is_wanted:
            return None
        from intoto_action.verify.issuing import Issuer

        return Issuer(self.signing.signer(keyless=lambda: keyless.signer(instance)), self.file, root)

    def check(
        self,
        images: int,
        has_registry: bool,
        others: tuple[str | Path | None, ...],
        keyless: KeylessOptions,
        sigstore: SigstoreOptions,
    ) -> None:
        """Look at the words beside the others of `verify`: `others` may name files that it reads or writes.

        Raises: Misused.
        """
        if self.signing.is_keyless:
            keyless.check(sigstore, os.environ)
        if not self.is_wanted:
            if self.file or self.signing.password_env or self.signing.public_key:
                raise Misused(
                    "expected --vsa-key KEY beside --vsa, --password-env and --public-key: who signs the VSA?"
                )
            return
        if not images:
            raise Misused("a VSA speaks of an image: leave --vsa-key out with --link-dir")
        if self.file is None:
            if not has_registry:
                raise Misused("expected --vsa FILE beside --digest: there is no registry to attach a VSA to")
            return
        if images > 1:
            raise Misused(
                "expected one IMAGE with --vsa FILE: a VSA is of one image; without it each gets its own"
            )
        refuse_overwriting("--vsa", self.file, (*others, *self.words))


def vsa_options(callback: Callback[R]) -> Callback[R]:
    """`--vsa-key`, `--password-env`, `--public-key` and `--vsa`, handed to the verb as `vsa: VsaOptions`."""
    return group(
        "vsa",
        _vsa_options,
        click.option(
            "--vsa-key",
            metavar="KEY",
            help="Sign a verification summary attestation of each image that passes, and attach it. A PEM file, "
            "env:NAME, keyless:, or the URI of a KMS or HSM; nobody on whom the decision counts.",
        ),
        click.option(
            "--password-env", metavar="VAR", help="The variable with the password or the PIN of --vsa-key."
        ),
        click.option(
            "--public-key",
            metavar="PUB",
            help="The public part of --vsa-key: needed beside the URI of a KMS or HSM.",
        ),
        click.option(
            "--vsa",
            "vsa_file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Write it to FILE instead; with the suffix .intoto.jsonl as slsa-verifier reads it.",
        ),
    )(callback)


def _vsa_options(
    vsa_key: str | None, password_env: str | None, public_key: str | None, vsa_file: Path | None
) -> VsaOptions:
    return VsaOptions(SigningOptions(vsa_key, password_env, public_key=public_key), vsa_file)
