"""When a signature was there, by the word of a timestamp authority that the trusted root names (RFC 3161).

The responses are CMS, which rfc3161-client reads and verifies, as in sigstore-python: a parser of that is no place for
a second opinion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from rfc3161_client import TimeStampResponse, VerificationError, VerifierBuilder, decode_timestamp_response

from intoto_action.formats.trusted_root import TrustedAuthority
from intoto_action.reason import Malformed
from intoto_action.trust.signing_certificate import load_certificates

_FEWEST_CERTIFICATES = 2


class TimestampAuthority:
    """A timestamp authority of the trusted root: the certificate that signs, and those up to its root."""

    def __init__(self, authority: TrustedAuthority, where: str) -> None:
        """Raises: Malformed for certificates that are none, or fewer than two: who signs, and the root."""
        signer, *others = load_certificates(authority, where)
        if not others:
            expected = (
                f"at least {_FEWEST_CERTIFICATES} certificates of {authority.uri or 'a timestamp authority'}"
            )
            raise Malformed(where, expected, "1")
        if len(set(others)) != len(others):
            raise Malformed(where, f"each certificate of {authority.uri} once", "the same one twice")
        builder = VerifierBuilder().tsa_certificate(signer).add_root_certificate(others[-1])
        for intermediate in others[:-1]:
            builder = builder.add_intermediate_certificate(intermediate)
        self._verifier = builder.build()
        self._valid_for = authority.valid_for

    def time_of(self, response: TimeStampResponse, signature: bytes) -> datetime | None:
        """When the authority saw the signature; None for a response that is not its own, or when it is not trusted."""
        try:
            self._verifier.verify_message(response, signature)
        except VerificationError:
            return None
        at = response.tst_info.gen_time
        return at if at in self._valid_for else None


def times_of(
    responses: Iterable[bytes], signature: bytes, authorities: Sequence[TimestampAuthority], where: str
) -> list[datetime]:
    """The times that trusted authorities vouch for; a good response of somebody else proves nothing, and does no harm.

    Raises: Malformed for a response that is none, and where nobody is there to hold one against.
    """
    times: list[datetime] = []
    for raw in responses:
        if not authorities:
            raise Malformed(where, "no timestamp, because the trusted root has no timestamp authority", "one")
        try:
            response = decode_timestamp_response(raw)
        except ValueError as error:
            raise Malformed(where, "a timestamp response (RFC 3161)", "bytes that are none") from error
        vouched = (each.time_of(response, signature) for each in authorities)
        times += [at for at in vouched if at is not None][:1]
    return times
