"""VSAs for images that passed: all of them are refused, or signed, before the first one is put anywhere."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from intoto_action.decide.decide import Outcome
from intoto_action.decide.demands import Demands
from intoto_action.formats.envelope import parse_envelope
from intoto_action.formats.verdict import ERROR, Verdict
from intoto_action.keys.interface import Signer
from intoto_action.keys.key_signer import KeySigner
from intoto_action.keys.sigstore_root import SigstoreRoot
from intoto_action.reason import Denied, Finding, IntotoActionError, Misused, Reason, Unavailable
from intoto_action.store.interface import Store
from intoto_action.verify.vsa import (
    UnsignedVsa,
    named_holders,
    refuse_key_of,
    refuse_signer_of,
    unsigned_vsa,
)
from intoto_action.verify.vsa_places import Place, Referrer, place_of_file


class Issuer:
    """Issues VSAs of one signer: into `file`, or beside their images when it is None.

    Raises: Misused when who reads that file cannot check the signer's signatures.
    """

    def __init__(self, signer: Signer, file: Path | None, sigstore: SigstoreRoot) -> None:
        self._signer = signer
        self._file = None if file is None else place_of_file(file, signer)
        self._sigstore = sigstore
        self._passed: dict[int, tuple[UnsignedVsa, Place]] = {}

    def refuse_for(self, demands: Demands) -> None:
        """Refuse, before anything is decided, a key that the demands name. Raises: Misused."""
        if isinstance(self._signer, KeySigner):
            refuse_key_of(self._signer.key, named_holders(demands))

    def consider(
        self, number: int, outcome: Outcome, demands: Demands, store: Store | None, *, at: datetime
    ) -> None:
        """Remember the outcome with that number if it is a pass; of the evidence nothing is kept.

        Raises: Misused when a VSA could not say what the image is called, or has no place.
        """
        vsa = unsigned_vsa(outcome, demands, at=at)
        if vsa is None:
            return
        place = self._file or (Referrer(store, self._signer) if store else None)
        if place is None:
            raise Misused("expected --vsa FILE: without a registry there is nothing to attach a VSA to")
        self._passed[number] = vsa, place

    def issue(self, verdicts: list[Verdict]) -> list[Verdict]:
        """Sign and put all VSAs; the verdicts, in which a note says where each is.

        A verdict whose VSA could not be signed, or put where it belongs, becomes an error: what was asked for is not
        there, whatever the image is like.
        Raises: Misused, before anything is put anywhere, when the signer is one that a decision counts on.
        """
        told = list(verdicts)
        documents: dict[int, bytes] = {}
        for vsa, _ in self._passed.values():
            if isinstance(self._signer, KeySigner):
                refuse_key_of(self._signer.key, vsa.holders)
        for number, (vsa, place) in self._passed.items():
            try:
                documents[number] = self._sealed(vsa, place)
            except Unavailable as error:
                told[number] = _without_vsa(told[number], error)
        for number, document in documents.items():
            vsa, place = self._passed[number]
            try:
                note = f"{place.put(vsa.image, document)}, signed by {self._signer.key}"
            except (Unavailable, Denied, Misused) as error:
                told[number] = _without_vsa(told[number], error)
            else:
                told[number] = msgspec.structs.replace(told[number], notes=(*told[number].notes, note))
        return told

    def _sealed(self, vsa: UnsignedVsa, place: Place) -> bytes:
        document = place.seal(vsa.statement)
        if not isinstance(self._signer, KeySigner):
            refuse_signer_of(parse_envelope(document, "the VSA"), vsa.holders, self._sigstore)
        return document


def _without_vsa(verdict: Verdict, error: IntotoActionError) -> Verdict:
    reason = error.reason if isinstance(error, Unavailable) else Reason.REGISTRY_ERROR
    finding = Finding(
        reason=reason,
        where=verdict.image,
        expected="a VSA of this image, which passed",
        found=f"none, because {error}",
        advice="The image passed, and no VSA says so: clear the way for it and run the same again.",
    )
    return msgspec.structs.replace(verdict, verdict=ERROR, reason=reason, explanation=(finding,))
