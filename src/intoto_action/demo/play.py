"""The demo, from the first key to the last attack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from intoto_action.demo.site import Site
from intoto_action.demo.stage import PLAIN, Stage
from intoto_action.demo.steps import OWNER, RELEASER, STEPS, TAG
from intoto_action.demo.story import (
    ACTS,
    AROUND_ATTACH,
    CLOSING,
    KEYLESS_ACTS,
    OPENING,
    RELEASE,
    WITHOUT_KEYS,
    Act,
    Outcome,
)
from intoto_action.demo.vouched import Vouched, VouchedSite
from intoto_action.formats.verdict import Verdict
from intoto_action.reason import ExitCode, WrongFile

_RELEASE = "release"
_KEYLESS = "keyless"
_ATTACKS = "attacks"
_IMAGE = f"oci-layout:registry:{TAG}"
_VERIFY = ("intoto-action", "verify", "--layout-key", f"keys/{OWNER}.pub", _IMAGE)
_ATTACH = (
    *("intoto-action", "attach", "--layout", "root.layout", "--link-dir", "links"),
    *("--layout-key", f"keys/{OWNER}.pub", "--key", f"keys/{RELEASER}", _IMAGE),
)
_SIGN = ("intoto-action", "layout", "sign", "--key", f"keys/{OWNER}", "layout.yaml")


def play(
    stage: Stage,
    keep: Path | None = None,
    *,
    acts: Sequence[Act] = ACTS,
    release: Outcome = RELEASE,
    vouched: Vouched | None = None,
) -> ExitCode:
    """Play the release and the attacks; in `keep`, which stays, or in a private directory, which does not.

    With `vouched` the same release is then made without keys.

    The exit code is 1 when an outcome is not the one that its act must end with. Raises: Misused when there is no
    room to play in, or a step fails.
    """
    try:
        with _directory(keep) as directory:
            show = _Show(stage, directory)
            show.release(release)
            show.attacks(acts)
            if vouched is not None:
                show.keyless(VouchedSite(directory / _KEYLESS, vouched), len(acts))
            show.end(keep)
    except BrokenPipeError:
        raise  # the audience has left, which is no fault of the place
    except OSError as error:
        raise WrongFile(
            f"the demo cannot go on: {error}; is there room for a few files, and may it write?"
        ) from error
    return ExitCode.DENIED if show.surprises else ExitCode.PASS


class _Show:
    """One run of the demo, and the outcomes that were not as they must be."""

    def __init__(self, stage: Stage, directory: Path) -> None:
        self.surprises: list[str] = []
        self._outcomes: list[tuple[str, str]] = []
        self._stage = stage
        self._site = Site(directory / _RELEASE)
        self._attacks = directory / _ATTACKS

    def release(self, outcome: Outcome) -> None:
        """The release as it should be."""
        stage, site = self._stage, self._site
        for words in OPENING:
            stage.say(words)
        self._make_keys()
        self._write_layout()
        stage.headline("Record: every step runs, and its functionary signs what went in and what came out")
        for step in STEPS:
            stage.gap()
            stage.say(f"{step.name}: {step.purpose}")
            stage.command(step.words(f"keys/{step.name}"))
            stage.output(site.record(step))
        stage.headline("Attach: layout and links become signed evidence beside the image")
        stage.command(_ATTACH)
        attached = site.attach(at=datetime.now(UTC))
        stage.output([f"attached {attached.referrer.digest}"])
        stage.headline("Verify: all that is needed is the owner's public key")
        stage.command(_VERIFY)
        verdict = site.verify(at=datetime.now(UTC))
        stage.verdict(verdict)
        self._compare("The release", verdict, outcome)

    def attacks(self, acts: Sequence[Act]) -> None:
        """Every attack, on a copy of the release."""
        self._stage.headline(f"Now {len(acts)} attacks")
        self._stage.say(AROUND_ATTACH)
        for number, act in enumerate(acts, start=1):
            self._attack(number, act, self._site, _VERIFY)

    def keyless(self, site: VouchedSite, played: int) -> None:
        """The release again, by jobs that an identity provider vouches for, and what is tried there."""
        stage = self._stage
        stage.headline("The same release once more, and nobody has a key")
        stage.say(WITHOUT_KEYS)
        site.root.mkdir(parents=True)
        site.set_up()
        stage.document(_functionaries((site.root / "layout.yaml").read_text()))
        site.sign_layout(datetime.now(UTC))
        for step in STEPS:
            stage.command(step.words("keyless:"))
            site.record(step)
        site.attach(at=datetime.now(UTC))
        verify = (
            "intoto-action",
            "verify",
            "--layout-key",
            f"identity={site.owner.identity},issuer=…",
            _IMAGE,
        )
        stage.command(verify)
        verdict = site.verify(at=datetime.now(UTC))
        stage.verdict(verdict)
        self._compare("The release without keys", verdict, RELEASE)
        for number, act in enumerate(KEYLESS_ACTS, start=played + 1):
            self._attack(number, act, site, verify)

    def _attack(self, number: int, act: Act, released: Site, verify: Sequence[str]) -> None:
        self._stage.headline(f"Attack {number}: {act.title}")
        self._stage.say(act.done)
        site = released.copy(self._attacks / act.name)
        at = datetime.now(UTC)
        act.play(site, at)
        self._stage.command(verify)
        verdict = site.verify(at=at)
        self._stage.denial(verdict)
        self._compare(f"{number}  {act.title}", verdict, act.outcome)

    def end(self, keep: Path | None) -> None:
        """The count, and what to do next."""
        stage = self._stage
        stage.headline("The end")
        stage.table(self._outcomes, PLAIN)
        if self.surprises:
            stage.bad(f"{len(self.surprises)} of {len(self._outcomes)} outcomes are not what they must be:")
            for each in self.surprises:
                stage.bad(f"- {each}")
        else:
            stage.good(f"All {len(self._outcomes)} outcomes are what they must be.")
        if keep is not None:
            stage.headline("Look around: `verify` works there as it did above")
            stage.command(("cd", str(keep.absolute() / _RELEASE)))
            stage.say(f"Each attack has a directory of its own in {keep.absolute() / _ATTACKS}.")
        stage.headline("What next?")
        stage.table(CLOSING, PLAIN)

    def _make_keys(self) -> None:
        self._stage.headline("Keys: one for the owner of the project, one for whoever does each step")
        self._site.root.mkdir(parents=True)
        self._site.set_up()
        keys = []
        for name, does in ((OWNER, "signs the layout"), *((each.name, each.purpose) for each in STEPS)):
            key = self._site.make_key(name)
            self._stage.command(("intoto-action", "keygen", f"keys/{name}"))
            keys.append((f"keys/{name}", str(key), does))
        self._stage.table(keys)

    def _write_layout(self) -> None:
        self._stage.headline("Layout: the owner writes down who does what, and signs it")
        self._stage.document((self._site.root / "layout.yaml").read_text())
        self._stage.command(_SIGN)
        self._stage.output([f"ends {self._site.sign_layout(datetime.now(UTC))}"])

    def _compare(self, what: str, verdict: Verdict, outcome: Outcome) -> None:
        found = Outcome(verdict.verdict, verdict.reason)
        self._outcomes.append((what, str(found)))
        if found == outcome:
            return
        self.surprises.append(f"{' '.join(what.split())}: must end with {outcome}, ended with {found}")
        self._stage.bad(f"This act must end with {outcome}, and ended with {found}.")


@contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
    """A private directory that is removed at the end, or the one that was asked for, empty."""
    if keep is None:
        try:
            temporary = TemporaryDirectory(prefix="intoto-action-demo-")
        except OSError as error:
            raise WrongFile(
                f"there is no temporary directory to play in ({error.strerror or error}): set TMPDIR, or say --dir DIR"
            ) from error
        with temporary as name:
            yield Path(name)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        free = next(keep.iterdir(), None) is None
    except OSError as error:
        raise WrongFile(f"--dir {keep}: cannot be made: {error.strerror or error}") from error
    if not free:
        raise WrongFile(f"--dir {keep}: expected a new or empty directory, found something in it")
    yield keep.absolute()


def _functionaries(layout: str) -> str:
    """The part of layout.yaml that is another one."""
    begin = layout.index("functionaries:")
    return layout[begin : layout.index("\n\n", begin)]
