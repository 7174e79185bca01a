"""`--layout`: what the layout expects of the step, looked at before the command runs."""

from __future__ import annotations

from pathlib import Path

from intoto_action.formats.envelope import parse_envelope
from intoto_action.formats.key import Key
from intoto_action.formats.layout import LAYOUT_CAP, Layout, Step, parse_layout
from intoto_action.formats.spelling import did_you_mean
from intoto_action.reason import Misused
from intoto_action.store.files import read_capped


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

    def check_signer(self, key: Key) -> None:
        """Raises: Misused when a link of this step by that key would not count."""
        functionaries = self._layout.functionaries(self._step)
        if not any(key.fingerprint == each.fingerprint for each in functionaries):
            listed = ", ".join(str(each) for each in functionaries) or "nobody"
            raise Misused(
                f"--key: expected a functionary of step {self._step.name!r} in {self._path} ({listed}), found {key}: "
                "verification would refuse the link; give the right key, or put this one into the layout"
            )


def _read(path: Path) -> Layout:
    envelope = parse_envelope(read_capped(path, 2 * LAYOUT_CAP, "--layout"), str(path))
    return parse_layout(envelope.payload, str(path))
