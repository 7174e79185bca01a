"""The closed lists of reasons for a denial and of what comes before any decision, and the exceptions that carry them.

`Reason` is in the order of the checks: the reason of a verdict is the first one, in this order, of the
phase that failed. Everything a user, a metric or an annotation calls a failure is a member of it.
`Trouble` is why there was nothing to decide: it is for the documentation alone, and no verdict has one.
"""

from __future__ import annotations

from enum import Enum, IntEnum

import msgspec


class ExitCode(IntEnum):
    """What a process of ours ends with."""

    PASS = 0
    DENIED = 1
    USAGE = 2
    INFRASTRUCTURE = 3
    REHEARSED = 4


class Reason(Enum):
    """Why something was denied, in the order of the checks."""

    INVALID_REFERENCE = "invalid-reference"
    MUTABLE_REFERENCE = "mutable-reference"
    NO_ATTESTATION = "no-attestation"
    REGISTRY_ERROR = "registry-error"
    SUBJECT_MISMATCH = "subject-mismatch"
    LAYOUT_SIGNATURE = "layout-signature"
    LAYOUT_EXPIRED = "layout-expired"
    LAYOUT_REVOKED = "layout-revoked"
    LAYOUT_INVALID = "layout-invalid"
    ATTESTATION_SIGNATURE = "attestation-signature"
    LINK_MISSING = "link-missing"
    LINK_INVALID = "link-invalid"
    LINK_SIGNATURE = "link-signature"
    IDENTITY_MISMATCH = "identity-mismatch"
    THRESHOLD = "threshold"
    RULE_VIOLATION = "rule-violation"
    SUBJECT_UNBOUND = "subject-unbound"
    SOURCE_MISMATCH = "source-mismatch"
    RUN_MISMATCH = "run-mismatch"
    INSPECTION_FAILED = "inspection-failed"
    INSPECTION_REFUSED = "inspection-refused"
    PROVENANCE_MISSING = "provenance-missing"
    PROVENANCE_MISMATCH = "provenance-mismatch"
    SIGSTORE_UNAVAILABLE = "sigstore-unavailable"
    KEY_UNAVAILABLE = "key-unavailable"
    OVERLOADED = "overloaded"
    INTERNAL_ERROR = "internal-error"

    @property
    def order(self) -> int:
        """The place of this reason in the order of the checks, from 0."""
        return _ORDER[self]

    @property
    def exit_code(self) -> ExitCode:
        """What a process ends with for this reason."""
        return ExitCode.INFRASTRUCTURE if self in _INFRASTRUCTURE else ExitCode.DENIED


_ORDER = {reason: place for place, reason in enumerate(Reason)}
_INFRASTRUCTURE = frozenset({Reason.REGISTRY_ERROR, Reason.SIGSTORE_UNAVAILABLE, Reason.KEY_UNAVAILABLE})


class Trouble(Enum):
    """What kept a command from its work before anything was decided: what ends with exit code 2."""

    INPUT = "wrong-input"
    DOCUMENT = "wrong-document"
    KEY = "wrong-key"
    IDENTITY = "wrong-identity"
    IMAGE = "wrong-image"
    LINKS = "wrong-links"
    RECORDING = "not-recordable"
    FILE = "wrong-file"
    PLACE = "wrong-place"


Topic = Reason | Trouble
"""What has a section of its own in the documentation."""


class Sighting(msgspec.Struct, frozen=True):
    """What one step recorded for an artifact: `recorded` is a digest such as `sha256:…`, or `not recorded`."""

    step: str
    where: str
    recorded: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One denial as facts; `render` makes the sentences.

    `where` names the document or object that was looked at; `advice` is the one thing to do or to look at
    when it depends on the case (otherwise `render` has one for each reason).
    """

    reason: Reason
    expected: str
    found: str
    where: str = ""
    step: str | None = None
    rule: str | None = None
    artifacts: tuple[str, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    advice: str = ""


class IntotoActionError(Exception):
    """Anything this project raises on purpose; its text is a sentence for a person.

    `topic` is where the documentation explains it.
    """

    topic: Topic = Reason.INTERNAL_ERROR


class Malformed(IntotoActionError):
    """Bytes that are not what they should be. Whoever asked for them knows which reason that is.

    `where` names the document (and line and column when it was written by a person).
    """

    topic = Trouble.DOCUMENT

    def __init__(self, where: str, expected: str, found: str) -> None:
        super().__init__(f"{where}: expected {expected}, found {found}")
        self.where = where
        self.expected = expected
        self.found = found


class MalformedKey(Malformed):
    """A public key that is none, or none that may sign."""

    topic = Trouble.KEY


class MalformedReference(Malformed):
    """The name of an image, or a part of one, that cannot be read."""

    topic = Trouble.IMAGE


class Denied(IntotoActionError):
    """A check that failed, with its facts."""

    def __init__(self, finding: Finding, *more: Finding) -> None:
        first = min((finding, *more), key=lambda each: each.reason.order)
        super().__init__(f"{first.reason.value}: expected {first.expected}, found {first.found}")
        self.topic = self.reason = first.reason
        self.findings = (finding, *more)


class Misused(IntotoActionError):
    """The words of the command line, a key or a configuration file are wrong: exit code 2.

    The classes below say what it is about, for the documentation; they are caught as one.
    """

    topic = Trouble.INPUT


class WrongDocument(Misused):
    """A document that can be read, and is not the one that was asked for."""

    topic = Trouble.DOCUMENT


class WrongKey(Misused):
    """A key or its password that is missing, cannot be read or cannot sign."""

    topic = Trouble.KEY


class WrongIdentity(Misused):
    """Signing without a key that cannot work: the token, whom it speaks of, or which Sigstore."""

    topic = Trouble.IDENTITY


class WrongImage(Misused):
    """The name of an image, or what a registry is reached with: a login, certificates."""

    topic = Trouble.IMAGE


class WrongLinks(Misused):
    """Links that cannot be signed or attached as they lie there."""

    topic = Trouble.LINKS


class NotRecordable(Misused):
    """Materials, products or a command that no link can speak of."""

    topic = Trouble.RECORDING


class WrongFile(Misused):
    """A file or a directory that cannot be read or written where it is."""

    topic = Trouble.FILE


class WrongPlace(Misused):
    """A system, or a job, in which this cannot run."""

    topic = Trouble.PLACE


class Unavailable(IntotoActionError):
    """A service or a tool did not do its part: exit code 3. `reason` says which kind of service."""

    def __init__(self, message: str, reason: Reason = Reason.REGISTRY_ERROR) -> None:
        super().__init__(message)
        self.topic = self.reason = reason
