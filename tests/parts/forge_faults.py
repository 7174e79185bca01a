"""What can be wrong with a signature of the forge, and which way of signing can have it."""

from __future__ import annotations

from enum import Enum, auto


class Log(Enum):
    """The log an entry is in, and who says when."""

    V1 = "Rekor v1, whose promise says the time"
    V1_TIMESTAMPED = "Rekor v1 with a timestamp beside it, as cosign 3 asks for"
    V2 = "Rekor v2, where a timestamp says the time"


class Form(Enum):
    """What a bundle holds."""

    MESSAGE = auto()
    DSSE = auto()


class Fault(Enum):
    """One thing that is wrong, and nothing else is. The values are sentences for people."""

    CERTIFICATE_EXPIRED = "log and timestamp say that it was signed an hour after the certificate began"
    CERTIFICATE_NOT_YET_VALID = "log and timestamp say that it was signed before the certificate began"
    CERTIFICATE_BY_A_PRIVATE_AUTHORITY = (
        "an authority of the same name with another key issued the certificate"
    )
    CERTIFICATE_NOT_FOR_SIGNATURES = "the certificate's key usage has no digital signatures"
    CERTIFICATE_NOT_FOR_CODE = "the certificate's extended key usage is another than code signing"

    SCT_MISSING = "no certificate transparency log has promised to include the certificate"
    SCT_BY_ANOTHER_LOG = "a log that nobody trusts has promised it"
    SCT_OF_ANOTHER_CERTIFICATE = "the log has promised to include another certificate"
    TWO_SCTS = "two logs have promised it, one of them a stranger"

    SIGNATURE_BY_ANOTHER_KEY = "the signature, logged as it is, is by another key than the certificate's"
    SIGNATURE_OVER_ANOTHER_ARTIFACT = "the signature, logged as it is, is over something else"
    SIGNATURE_SWAPPED = "the signature is good, and another good one of the same key is logged"
    DIGEST_OF_ANOTHER_ARTIFACT = "the bundle names the digest of something else beside its signature"
    TWO_SIGNATURES = "the DSSE envelope has two signatures"

    ENTRY_MISSING = "nothing was logged, as with GitHub's own instance for private repositories"
    TWO_ENTRIES = "there are two log entries, both good"
    ENTRY_OF_UNKNOWN_KIND = "the log entry is of a kind that nobody reads here"
    ENTRY_OF_UNKNOWN_VERSION = "the log entry is of a version that nobody reads here"
    ENTRY_OF_ANOTHER_ARTIFACT = "the log entry is about something else"
    ENTRY_OF_ANOTHER_CERTIFICATE = "the log entry names another certificate for the same key"
    ENTRY_CHANGED_AFTERWARDS = "the entry says the same as the one in the log, in other bytes"
    ENTRY_IN_ANOTHER_LOG = "entry, proof and checkpoint are those of a log that nobody trusts"

    PROOF_MISSING = "the log entry has no inclusion proof"
    PROOF_OF_ANOTHER_ENTRY = "the inclusion proof is that of another entry of the same log"
    CHECKPOINT_MISSING = "the inclusion proof has no checkpoint"
    CHECKPOINT_BY_ANOTHER_LOG = "the checkpoint is signed by a log that nobody trusts"
    CHECKPOINT_FORGED = "the checkpoint is signed by another key that poses as the log's"
    CHECKPOINT_OF_ANOTHER_TREE = "the checkpoint is the log's own, of a tree with another root"

    PROMISE_MISSING = "there is neither a promise of the log nor a timestamp, so nobody says when"
    PROMISE_BY_ANOTHER_LOG = "the promise is signed by a log that nobody trusts"
    PROMISE_FOR_ANOTHER_TIME = "the log promised another time, when the certificate had expired"

    TIMESTAMP_MISSING = "there is neither a timestamp nor a promise of the log, so nobody says when"
    TIMESTAMP_BY_ANOTHER_AUTHORITY = "an authority of the same name with another key made the timestamp"
    TIMESTAMP_OF_ANOTHER_SIGNATURE = "the timestamp is of another signature"
    TIMESTAMP_OUTSIDE_CERTIFICATE = "the timestamp is of a time when the certificate had expired"
    TIMESTAMP_BEFORE_ITS_AUTHORITY = (
        "the trusted root takes timestamps of this authority from a later day only"
    )
    TIMESTAMP_NOT_GRANTED = "the authority's response says that it refused"
    TIMESTAMP_GARBLED = "the timestamp is no timestamp"
    TIMESTAMP_REPEATED = "the same timestamp is there twice"


# A timestamp that cannot be verified does no harm where the log's promise says the time, and the other way round.
_NOT_BY_LOG = {
    Log.V1: {each for each in Fault if each.name.startswith("TIMESTAMP_")},
    Log.V1_TIMESTAMPED: {
        Fault.PROMISE_MISSING,
        Fault.TIMESTAMP_MISSING,
        Fault.TIMESTAMP_BY_ANOTHER_AUTHORITY,
        Fault.TIMESTAMP_OF_ANOTHER_SIGNATURE,
        Fault.TIMESTAMP_BEFORE_ITS_AUTHORITY,
        Fault.TIMESTAMP_NOT_GRANTED,
    },
    Log.V2: {each for each in Fault if each.name.startswith("PROMISE_")},
}
_NOT_BY_FORM = {Form.MESSAGE: {Fault.TWO_SIGNATURES}, Form.DSSE: {Fault.DIGEST_OF_ANOTHER_ARTIFACT}}


def faults(log: Log, form: Form = Form.MESSAGE) -> list[Fault]:
    """The faults that something signed in this way can have, each of them a reason to refuse it."""
    return [each for each in Fault if each not in _NOT_BY_LOG[log] | _NOT_BY_FORM[form]]
