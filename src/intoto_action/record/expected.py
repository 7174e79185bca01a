"""`--layout`: what the layout expects of the step, looked at before the command runs."""

from __future__ import annotations

from pathlib import Path

from intoto_action.formats.certificate import Certificate
from intoto_action.formats.envelope import parse_envelope
from intoto_action.formats.identity import Identity
from intoto_action.formats.key import Key
from intoto_action.formats.layout import LAYOUT_CAP, Layout, Step, parse_layout
from intoto_action.formats.spelling import did_you_mean
from intoto_action.keys.interface import Signer
from intoto_action.keys.keyless import certificate_of
from intoto_action.reason import Misused, WrongIdentity, WrongKey
from intoto_action.store.files import read_capped
from intoto_action.trust.identities import differences


class ExpectedStep:
    """A step of a signed layout. Whether the layout's signature is good is not looked at: `verify` does.

    Raises: Misused when the layout has no such step; Malformed when it cannot be read.
    """

    def __init__(self, path: Path, step: str) -> None:
        self._path = path
        self._layout = _read(path)
        found = self._layout.step(step)
        if found is None:
            names = [each.name for each in self._layout.steps]
            raise Misused(
                f"--step-name: expected a step of {path} ({', '.join(names)}), found {step!r}"
                f"{did_you_mean(step, names)}"
            )
        self._step: Step = found

    def check_signer(self, signer: Signer) -> None:
        """Raises: Misused when a link of this step by that signer would not count."""
        if isinstance(signer.key, Identity) and (certificate := certificate_of(signer)):
            self.check_certificate(certificate)
        else:
            self.check_key(signer.key)

    def check_key(self, key: Key) -> None:
        """Raises: Misused when a link of this step by that key would not count."""
        if not any(key.fingerprint == each.fingerprint for each in self._functionaries):
            raise WrongKey(
                f"--key: expected a functionary of step {self._step.name!r} in {self._path} ({self._listed}), found "
                f"{key}: verification would refuse the link; give the right key, or put this one into the layout"
            )

    def check_takes_identities(self) -> None:
        """Raises: Misused when no link without a key would count for this step."""
        if not any(isinstance(each, Identity) for each in self._functionaries):
            raise WrongIdentity(
                f"--keyless: expected an identity among the functionaries of step {self._step.name!r} in {self._path}, "
                f"found keys only ({self._listed}): verification would refuse the link; sign with --key, or put the "
                "identity into the layout"
            )

    def check_certificate(self, certificate: Certificate) -> None:
        """Raises: Misused when a link of this step under that certificate would not count."""
        identities = [each for each in self._functionaries if isinstance(each, Identity)]
        if not any(not list(differences(each, certificate)) for each in identities):
            raise WrongIdentity(
                f"--keyless: expected a functionary of step {self._step.name!r} in {self._path} ({self._listed}), "
                f"found {certificate}: verification would refuse the link; sign in the right workflow, on the right "
                "ref, or put this identity into the layout"
            )

    @property
    def _functionaries(self) -> tuple[Key, ...]:
        return tuple(self._layout.functionaries(self._step))

    @property
    def _listed(self) -> str:
        return ", ".join(str(each) for each in self._functionaries) or "nobody"


def _read(path: Path) -> Layout:
    envelope = parse_envelope(read_capped(path, 2 * LAYOUT_CAP, "--layout"), str(path))
    return parse_layout(envelope.payload, str(path))
