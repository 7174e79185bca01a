"""The story of the demo, and the one table of what each act must end with."""

from __future__ import annotations

import msgspec

from intoto_action.demo.attacks import (
    Attack,
    alter_link,
    change_source,
    replace_image,
    sign_in_a_pull_request,
    sign_with_another_key,
    skip_scan,
    use_old_layout,
)
from intoto_action.formats.verdict import DENY, PASS
from intoto_action.reason import Reason

OPENING = (
    "A container image is built, and at every step somebody signs what went in and what came out. "
    "The owner of the project signs which steps there must be, and by whom. "
    "Then anybody can check the image - and six ways to cheat are tried.",
    "Everything happens on this machine: real keys, commands, images and signatures; no network.",
)
CLOSING = (
    ("Read how to do this for an image of yours:", 'README.md, section "Use it"'),
    ("Make the first key:", "intoto-action keygen keys/owner"),
    ("Write down your steps:", "docs/layouts.md"),
)
AROUND_ATTACH = (
    "Each is played on a copy of the release, by somebody who may write to the registry: `attach` decides as "
    "`verify` does before it pushes, and who plays here goes round it."
)


WITHOUT_KEYS = (
    "A Sigstore on this machine certifies jobs that its identity provider vouches for, each for minutes, and logs what "
    "they sign. The layout names workflows in the place of keys; that is all that changes."
)


class Outcome(msgspec.Struct, frozen=True):
    """How an act must end: the verdict, and the code of its reason."""

    verdict: str
    reason: Reason | None = None

    def __str__(self) -> str:
        return f"{self.verdict}: {self.reason.value}" if self.reason else self.verdict


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One attack: what is done, and how it must end. `name` is its directory."""

    name: str
    title: str
    done: str
    play: Attack
    outcome: Outcome


RELEASE = Outcome(PASS)
"""How the release that nobody attacked must end."""

ACTS = (
    Act(
        name="1-changed-source",
        title="A source file is changed between checkout and build",
        done="While the builder runs, src/door/lock.py opens for `mallory` too; before the tests it is clean again. "
        "Tests pass, the scan finds nothing, everybody signs.",
        play=change_source,
        outcome=Outcome(DENY, Reason.RULE_VIOLATION),
    ),
    Act(
        name="2-skipped-step",
        title="A step is skipped",
        done="There is no time for the scan today: build, test, push.",
        play=skip_scan,
        outcome=Outcome(DENY, Reason.LINK_MISSING),
    ),
    Act(
        name="3-wrong-key",
        title="A link is signed by the wrong key",
        done="Mallory runs the scan and signs its link, with a key that the layout does not list.",
        play=sign_with_another_key,
        outcome=Outcome(DENY, Reason.LINK_SIGNATURE),
    ),
    Act(
        name="4-another-image",
        title="Another image under the same name",
        done="An image with a backdoor is pushed under the tag, and the release's own, genuine evidence is attached "
        "to it.",
        play=replace_image,
        outcome=Outcome(DENY, Reason.SUBJECT_MISMATCH),
    ),
    Act(
        name="5-expired-layout",
        title="A layout that has expired",
        done="The evidence comes with a layout that the owner did sign - more than a year ago, for six months.",
        play=use_old_layout,
        outcome=Outcome(DENY, Reason.LAYOUT_EXPIRED),
    ),
    Act(
        name="6-altered-link",
        title="One link inside the evidence is altered",
        done="In the registry the scan's link gets the digest of a forged report. The digests of bundle, manifest and "
        "index are computed anew, so that everything fits.",
        play=alter_link,
        outcome=Outcome(DENY, Reason.ATTESTATION_SIGNATURE),
    ),
)

KEYLESS_ACTS = (
    Act(
        name="7-pull-request",
        title="A pull request runs the scan",
        done="The same workflow of the same repository scans and signs, but a pull request started it, and may have "
        "changed what it scans for.",
        play=sign_in_a_pull_request,
        outcome=Outcome(DENY, Reason.IDENTITY_MISMATCH),
    ),
)
"""What is tried where jobs sign and nobody has a key."""
