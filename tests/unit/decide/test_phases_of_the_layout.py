"""Phases 2 to 4: the Statement's subject, the layout, the outer signature."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.parts.chain import IMAGE_DIGEST, NOW, REPOSITORY, Chain, MemorySigner

from intoto_action.decide.decide import Attestation, decide
from intoto_action.decide.demands import Revoked, Trust
from intoto_action.formats.envelope import PAYLOAD_TYPE, parse_envelope
from intoto_action.formats.evidence import parse_signed
from intoto_action.formats.key import PublicKey
from intoto_action.formats.layout import INSTANT, encode_layout
from intoto_action.formats.reference import Image, Platform
from intoto_action.keys.sealing import seal
from intoto_action.reason import Reason


def test_an_honest_chain_passes_and_says_which_step_made_the_image(chain: Chain) -> None:
    verdict = chain.verify()
    assert (verdict.verdict, verdict.reason, verdict.explanation) == ("pass", None, ())
    assert "'build'" in verdict.subject
    assert [step.verdict for step in verdict.steps] == ["pass"] * 3
    assert verdict.exit_code == 0


def test_an_honest_link_directory_passes_and_says_that_no_image_was_bound(chain: Chain) -> None:
    verdict = chain.verify_links()
    assert verdict.verdict == "pass"
    assert verdict.subject == "not checked: no image was given"


def test_a_statement_about_another_image_is_a_subject_mismatch(chain: Chain) -> None:
    chain.statement_digest = "sha256:" + "2b" * 32
    verdict = chain.verify()
    assert verdict.reason is Reason.SUBJECT_MISMATCH
    assert verdict.explanation[0].expected == IMAGE_DIGEST


def test_a_statement_about_a_child_of_the_index_names_the_child(chain: Chain) -> None:
    child = "sha256:" + "2b" * 32
    chain.statement_digest = child
    chain.image = Image(REPOSITORY, IMAGE_DIGEST, platforms=(Platform("linux/arm64", child),))
    verdict = chain.verify()
    assert verdict.reason is Reason.SUBJECT_MISMATCH
    assert "its child linux/arm64" in verdict.explanation[0].found


def test_a_payload_that_is_no_statement_is_no_attestation(chain: Chain) -> None:
    chain.change_document = lambda document: document.replace(b"Statement/v1", b"Statement/v9")
    assert chain.verify().reason is Reason.NO_ATTESTATION


def test_another_predicate_type_is_no_attestation(chain: Chain) -> None:
    chain.change_document = lambda document: document.replace(b"evidence/v1", b"evidence/v2")
    assert chain.verify().reason is Reason.NO_ATTESTATION


def test_a_layout_signed_by_somebody_else_is_refused(chain: Chain) -> None:
    chain.layout_signers = [MemorySigner()]
    verdict = chain.verify()
    assert verdict.reason is Reason.LAYOUT_SIGNATURE
    assert verdict.layout is None, "nothing of an untrusted layout is shown as if it were one"


def test_a_layout_without_a_signature_is_refused(chain: Chain) -> None:
    chain.layout_signers = []
    verdict = chain.verify()
    assert verdict.reason is Reason.LAYOUT_SIGNATURE
    assert verdict.explanation[0].found == "no signature at all"


def test_a_layout_changed_after_it_was_signed_is_refused(chain: Chain) -> None:
    document = msgspec.json.decode(chain.sealed_layout())
    chain.change_layout(readme="laxer")
    document["payload"] = base64.b64encode(encode_layout(chain.layout)).decode()
    chain.layout_document = msgspec.json.encode(document)
    assert chain.verify().reason is Reason.LAYOUT_SIGNATURE


def test_an_unsigned_layout_is_not_even_parsed(chain: Chain) -> None:
    chain.layout_document = seal(PAYLOAD_TYPE, b"this is no layout", MemorySigner())
    assert chain.verify().reason is Reason.LAYOUT_SIGNATURE


def test_a_threshold_of_two_is_not_met_by_one_root(chain: Chain) -> None:
    other = MemorySigner()
    assert chain.verify(layout_trust=Trust((chain.root.key, other.key), 2)).reason is Reason.LAYOUT_SIGNATURE
    chain.layout_signers.append(other)
    assert chain.verify(layout_trust=Trust((chain.root.key, other.key), 2)).verdict == "pass"


def test_one_root_under_two_keyids_counts_once(chain: Chain) -> None:
    key = chain.root.key
    twin = PublicKey(key.go_keyid, key.keytype, key.scheme, key.public, key.spki)
    payload = encode_layout(chain.layout)
    chain.layout_document = seal(PAYLOAD_TYPE, payload, chain.root, keyids=(key.keyid, key.go_keyid))
    assert chain.verify().verdict == "pass"
    assert chain.verify(layout_trust=Trust((key, twin), 2)).reason is Reason.LAYOUT_SIGNATURE


def test_a_layout_that_has_ended_is_expired(chain: Chain) -> None:
    chain.now = NOW + timedelta(days=90)
    assert chain.verify().reason is Reason.LAYOUT_EXPIRED


def test_a_layout_lives_until_the_second_before_it_ends(chain: Chain) -> None:
    chain.now = NOW + timedelta(days=90, seconds=-1)
    assert chain.verify().verdict == "pass"


def test_the_reason_is_the_first_in_the_order_of_the_checks_and_all_are_said(chain: Chain) -> None:
    floor = NOW + timedelta(days=200)
    chain.now = NOW + timedelta(days=100)
    verdict = chain.verify(layout_expires_after=floor)
    assert verdict.reason is Reason.LAYOUT_EXPIRED
    assert [each.reason for each in verdict.explanation] == [Reason.LAYOUT_EXPIRED, Reason.LAYOUT_REVOKED]


def test_a_layout_below_the_floor_is_an_old_one(chain: Chain) -> None:
    floor = NOW + timedelta(days=90)
    assert chain.verify(layout_expires_after=floor).reason is Reason.LAYOUT_REVOKED
    assert chain.verify(layout_expires_after=floor - timedelta(seconds=1)).verdict == "pass"


def test_a_revoked_layout_is_refused_by_its_digest(chain: Chain) -> None:
    digest = parse_signed(chain.sealed_layout(), "layout").sha256
    verdict = chain.verify(revoked=Revoked(layouts=frozenset({digest})))
    assert verdict.reason is Reason.LAYOUT_REVOKED


@pytest.mark.parametrize("keyid", ["keyid", "go_keyid", "spki"])
def test_a_revoked_root_does_not_count_under_any_of_its_names(chain: Chain, keyid: str) -> None:
    revoked = Revoked(keyids=frozenset({getattr(chain.root.key, keyid)}))
    assert chain.verify(revoked=revoked).reason is Reason.LAYOUT_REVOKED


def _break(document: dict[str, Any], path: list[Any], value: Any) -> bytes:
    node: Any = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return msgspec.json.encode(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["steps", 0, "treshold"], 2),
        (["steps", 0, "threshold"], 0),
        (["steps", 0, "threshold"], 2),
        (["steps", 0, "threshold"], True),
        (["steps", 0, "threshold"], "1"),
        (["steps", 0, "name"], "../build"),
        (["steps", 1, "name"], "checkout"),
        (["steps", 0, "pubkeys"], ["ab" * 32]),
        (["expires"], "2031-13-01T00:00:00Z"),
        (["expires"], "2031-10-01"),
        (["_type"], "link"),
        (["surprise"], 1),
    ],
)
def test_a_layout_that_is_not_well_made_is_invalid(chain: Chain, path: list[Any], value: Any) -> None:
    payload = _break(msgspec.json.decode(encode_layout(chain.layout)), path, value)
    chain.layout_document = seal(PAYLOAD_TYPE, payload, chain.root)
    assert chain.verify().reason is Reason.LAYOUT_INVALID


def test_duplicate_keys_in_a_layout_are_refused(chain: Chain) -> None:
    payload = encode_layout(chain.layout).replace(
        b'"expires":', b'"expires":"2099-01-01T00:00:00Z","expires":', 1
    )
    chain.layout_document = seal(PAYLOAD_TYPE, payload, chain.root)
    verdict = chain.verify()
    assert verdict.reason is Reason.LAYOUT_INVALID
    assert "twice" in verdict.explanation[0].found


def test_a_layout_that_leaves_a_list_open_is_invalid(chain: Chain) -> None:
    chain.change_step("scan", expected_products=[["REQUIRE", "report.json"]])
    assert chain.verify().reason is Reason.LAYOUT_INVALID


def test_a_functionary_of_an_unknown_algorithm_makes_the_layout_invalid(chain: Chain) -> None:
    keyid, entry = next(iter(chain.layout.keys.items()))
    chain.change_layout(keys={**chain.layout.keys, keyid: msgspec.structs.replace(entry, scheme="ml-dsa-65")})
    assert chain.verify().reason is Reason.LAYOUT_INVALID


def test_the_layout_of_the_verifier_beats_that_of_the_evidence(chain: Chain) -> None:
    pinned = parse_signed(chain.sealed_layout(), "pinned")
    chain.change_step("scan", expected_products=[["ALLOW", "*"]])
    chain.link("scan").change(products={})
    assert chain.verify().verdict == "pass", "the laxer layout, by the same root"
    verdict = chain.verify(layout=pinned)
    assert verdict.reason is Reason.RULE_VIOLATION
    assert verdict.layout is not None and verdict.layout.source == "the verifier"


def test_an_attestation_signed_by_a_stranger_is_refused(chain: Chain) -> None:
    chain.outer = MemorySigner()
    assert chain.verify().reason is Reason.ATTESTATION_SIGNATURE


def test_a_functionary_may_sign_the_attestation(chain: Chain) -> None:
    chain.outer = chain.signers["scan"]
    assert chain.verify().verdict == "pass"


def test_with_attesters_nobody_else_may_sign_the_attestation(chain: Chain) -> None:
    attester = MemorySigner()
    assert chain.verify(attesters=(attester.key,)).reason is Reason.ATTESTATION_SIGNATURE
    chain.outer = attester
    assert chain.verify(attesters=(attester.key,)).verdict == "pass"
    revoked = Revoked(keyids=frozenset({attester.key.keyid}))
    assert chain.verify(attesters=(attester.key,), revoked=revoked).reason is Reason.ATTESTATION_SIGNATURE


def test_a_revoked_functionary_may_not_sign_the_attestation(chain: Chain) -> None:
    extra = MemorySigner()
    chain.add_functionary("scan", extra)
    chain.outer = extra
    assert chain.verify().verdict == "pass"
    revoked = Revoked(keyids=frozenset({extra.key.keyid}))
    assert chain.verify(revoked=revoked).reason is Reason.ATTESTATION_SIGNATURE


def test_a_strangers_payload_is_not_parsed_when_the_verifier_says_who_may_sign(chain: Chain) -> None:
    chain.outer = MemorySigner()
    chain.change_document = lambda _: b"\x00 no json at all"
    pinned = parse_signed(chain.sealed_layout(), "pinned")
    assert chain.verify(attesters=(chain.root.key,)).reason is Reason.ATTESTATION_SIGNATURE
    assert chain.verify(layout=pinned).reason is Reason.ATTESTATION_SIGNATURE


def test_without_a_root_everything_else_is_checked_and_said(chain: Chain) -> None:
    chain.outer = chain.signers["build"]
    verdict = chain.verify(layout_trust=None)
    assert verdict.verdict == "pass"
    assert "NOT checked" in verdict.criteria[0]
    chain.link("build").change(byproducts={"return-value": 1})
    assert chain.verify(layout_trust=None).reason is Reason.LINK_INVALID


def test_a_layout_that_is_no_envelope_is_invalid(chain: Chain) -> None:
    def spoil(document: bytes) -> bytes:
        statement = msgspec.json.decode(document)
        statement["predicate"]["layout"] = {"surprise": 1}
        return msgspec.json.encode(statement)

    chain.change_document = spoil
    assert chain.verify().reason is Reason.LAYOUT_INVALID


def test_links_without_a_layout_anywhere_are_refused(chain: Chain) -> None:
    evidence = msgspec.structs.replace(chain.evidence(), layout=None)
    verdict = decide(evidence, None, chain.demands(), at=NOW)
    assert verdict.reason is Reason.LAYOUT_INVALID


def test_an_expiry_in_the_layout_is_shown_as_it_was_written(chain: Chain) -> None:
    verdict = chain.verify()
    assert verdict.layout is not None
    assert verdict.layout.expires == (NOW + timedelta(days=90)).strftime(INSTANT)
    assert verdict.layout.signers == (str(chain.root.key),)


def test_a_bundle_with_altered_payload_and_every_digest_rewritten_is_refused(chain: Chain) -> None:
    bundle = msgspec.json.decode(chain.bundle())
    chain.link("scan").change(products={})
    forged = msgspec.json.decode(chain.bundle())
    bundle["dsseEnvelope"]["payload"] = forged["dsseEnvelope"]["payload"]
    attestation = Attestation(parse_envelope(msgspec.json.encode(bundle), "forged"), "forged")
    verdict = decide(attestation, chain.image, chain.demands(), at=NOW)
    assert verdict.reason is Reason.ATTESTATION_SIGNATURE
