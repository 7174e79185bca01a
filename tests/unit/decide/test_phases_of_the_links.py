"""Phases 5 to 7: links there, valid, signed, and the rules they must follow."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.parts.chain import ARTIFACT, Chain, MemorySigner, digests

from intoto_action.decide.demands import Revoked
from intoto_action.formats.artifact import Digests
from intoto_action.formats.envelope import PAYLOAD_TYPE
from intoto_action.formats.key_entry import KeyEntry
from intoto_action.formats.layout import encode_layout
from intoto_action.formats.link import encode_link, link_file_name
from intoto_action.keys.sealing import seal
from intoto_action.reason import Reason


def test_a_step_without_a_link_is_missing(chain: Chain) -> None:
    chain.link("build").present = False
    verdict = chain.verify()
    assert verdict.reason is Reason.LINK_MISSING
    assert verdict.explanation[0].step == "build"


def test_every_missing_step_is_named(chain: Chain) -> None:
    chain.link("build").present = False
    chain.link("scan").present = False
    assert [each.step for each in chain.verify().explanation] == ["build", "scan"]


def test_a_link_of_another_step_under_this_name_is_invalid(chain: Chain) -> None:
    chain.add_functionary("build", chain.signers["checkout"])
    chain.link("build").present = False
    copy = chain.add_link("checkout", chain.signers["checkout"])
    copy.rename_to("build")
    assert chain.verify().reason is Reason.LINK_INVALID


@pytest.mark.parametrize("returned", [1, True, False, "0", None, 0.0, -1, [0]])
def test_a_return_value_that_is_not_the_integer_zero_is_invalid(chain: Chain, returned: object) -> None:
    chain.link("build").change(byproducts={"return-value": returned})
    assert chain.verify().reason is Reason.LINK_INVALID


def test_a_command_without_a_return_value_is_invalid(chain: Chain) -> None:
    chain.link("build").change(byproducts={})
    assert chain.verify().reason is Reason.LINK_INVALID


def test_a_link_without_a_command_needs_no_return_value_as_in_toto_record_writes_it(chain: Chain) -> None:
    chain.link("build").change(byproducts={}, command=[])
    assert chain.verify().verdict == "pass"


def test_a_failure_that_a_functionary_signed_denies_although_another_signed_a_success(chain: Chain) -> None:
    second = MemorySigner()
    chain.add_functionary("build", second)
    chain.add_link("build", second).change(byproducts={"return-value": 3})
    assert chain.verify().reason is Reason.LINK_INVALID


def test_a_sublayout_in_place_of_a_link_is_invalid(chain: Chain) -> None:
    chain.link("build").payload = encode_layout(chain.layout)
    assert chain.verify().reason is Reason.LINK_INVALID


def _payload(chain: Chain, **fields: Any) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(encode_link(chain.link("build").link)) | fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"surprise": 1},
        {"name": 7},
        {"products": {"x": {"md5": "0" * 32}}},
        {"products": {"x": {"sha1": "0" * 40}}},
        {"products": {"x": {}}},
        {"products": {"x": {"sha256": "A" * 64}}},
        {"products": {"x": {"sha256": "a" * 63}}},
        {"products": {"/etc/passwd": {"sha256": "a" * 64}}},
        {"products": {"a/../b": {"sha256": "a" * 64}}},
        {"products": {"../b": {"sha256": "a" * 64}}},
        {"products": {"./b": {"sha256": "a" * 64}}},
        {"products": {"a//b": {"sha256": "a" * 64}}},
        {"products": {"a\\b": {"sha256": "a" * 64}}},
        {"products": {"a\nb": {"sha256": "a" * 64}}},
        {"products": {"a\x1b[31m": {"sha256": "a" * 64}}},
        {"products": {"": {"sha256": "a" * 64}}},
        {"products": {"dir/": {"sha256": "a" * 64}}},
        {"materials": {"oci:../x": {"sha256": "a" * 64}}},
    ],
)
def test_a_link_that_is_not_well_made_is_invalid(chain: Chain, fields: dict[str, Any]) -> None:
    chain.link("build").payload = _payload(chain, **fields)
    assert chain.verify().reason is Reason.LINK_INVALID


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw.replace(b'"products":', b'"products":{},"products":', 1),
        lambda raw: raw.replace(b'"return-value":0', b'"return-value":1,"return-value":0', 1),
        lambda raw: raw.replace(b'"return-value":0', b'"return-value":NaN', 1),
        lambda raw: raw.replace(
            b'"return-value":0', b'"return-value":0,"x":' + b"[" * 100_000 + b"]" * 100_000, 1
        ),
        lambda raw: raw[:-1],
        lambda raw: raw + b" " * (17 << 20),
        lambda raw: raw.replace(b"make", b"\xff\xfe"),
    ],
    ids=["products twice", "return value twice", "NaN", "deep", "cut", "20 MB", "not UTF-8"],
)
def test_json_that_two_readers_could_read_differently_is_invalid(chain: Chain, spoil: Any) -> None:
    link = chain.link("build")
    link.payload = spoil(encode_link(link.link))
    assert chain.verify_links().reason is Reason.LINK_INVALID


def test_a_colon_after_a_quote_inside_a_string_is_no_duplicate_key(chain: Chain) -> None:
    chain.link("build").change(command=['echo "a":1'])
    assert chain.verify().verdict == "pass"


def test_a_link_file_that_is_no_envelope_is_invalid(chain: Chain) -> None:
    chain.link("build").document = b'{"payloadType": "text/plain", "payload": "", "signatures": []}'
    assert chain.verify_links().reason is Reason.LINK_INVALID


def test_a_link_without_a_signature_is_refused(chain: Chain) -> None:
    link = chain.link("build")
    document = msgspec.json.decode(link.sealed())
    document["signatures"] = []
    link.document = msgspec.json.encode(document)
    verdict = chain.verify()
    assert verdict.reason is Reason.LINK_SIGNATURE
    assert verdict.explanation[0].found == "no signature at all"


def test_a_link_signed_by_a_functionary_of_another_step_is_refused(chain: Chain) -> None:
    chain.link("build").signed_by(chain.signers["scan"])
    verdict = chain.verify()
    assert verdict.reason is Reason.LINK_SIGNATURE
    assert verdict.explanation[0].step == "build"


def test_a_signature_by_the_right_key_over_other_bytes_is_refused(chain: Chain) -> None:
    link = chain.link("build")
    document = msgspec.json.decode(link.sealed())
    link.change(products={**link.link.products, "src/app.py": digests("f")})
    document["payload"] = msgspec.json.decode(link.sealed())["payload"]
    link.document = msgspec.json.encode(document)
    assert chain.verify().reason is Reason.LINK_SIGNATURE


def test_a_link_by_a_revoked_functionary_is_refused(chain: Chain) -> None:
    revoked = Revoked(keyids=frozenset({chain.signers["build"].key.keyid}))
    verdict = chain.verify(revoked=revoked)
    assert verdict.reason is Reason.LINK_SIGNATURE
    assert "revoked" in verdict.explanation[0].found


def test_a_strangers_link_beside_a_good_one_changes_nothing(chain: Chain) -> None:
    chain.add_link("build", MemorySigner()).change(byproducts={"return-value": 1})
    assert chain.verify().verdict == "pass"


def test_a_threshold_of_two_is_not_met_by_one(chain: Chain) -> None:
    second = MemorySigner()
    chain.add_functionary("build", second).change_step("build", threshold=2)
    verdict = chain.verify()
    assert verdict.reason is Reason.THRESHOLD
    chain.add_link("build", second)
    assert chain.verify().verdict == "pass"


def test_one_key_twice_does_not_meet_a_threshold_of_two(chain: Chain) -> None:
    second = MemorySigner()
    chain.add_functionary("build", second).change_step("build", threshold=2)
    copy = chain.add_link("build", chain.signers["build"])
    copy.file_name = link_file_name("build", "f" * 64)
    assert chain.verify().reason is Reason.THRESHOLD


def test_one_key_under_two_keyids_does_not_meet_a_threshold_of_two(chain: Chain) -> None:
    key = chain.signers["build"].key
    other = key.go_keyid
    entry = KeyEntry(keyid=other, keytype=key.keytype, scheme=key.scheme, keyval=key.entry.keyval)
    chain.change_layout(keys={**chain.layout.keys, other: entry})
    chain.change_step("build", pubkeys=[key.keyid, other], threshold=2)
    copy = chain.add_link("build", chain.signers["build"])
    copy.document = seal(PAYLOAD_TYPE, encode_link(copy.link), chain.signers["build"], keyids=(other,))
    copy.file_name = link_file_name("build", other)
    assert chain.verify().reason in {Reason.THRESHOLD, Reason.LAYOUT_INVALID}


def test_functionaries_of_one_step_that_recorded_different_artifacts_do_not_agree(chain: Chain) -> None:
    second = MemorySigner()
    chain.add_functionary("scan", second)
    link = chain.add_link("scan", second)
    link.change(products={**link.link.products, "report.json": digests("c")})
    verdict = chain.verify()
    assert verdict.reason is Reason.THRESHOLD
    assert verdict.explanation[0].artifacts == ("report.json",)


def test_a_source_changed_between_checkout_and_build_breaks_the_rule_and_is_shown(chain: Chain) -> None:
    link = chain.link("build")
    link.change(
        materials={"src/app.py": digests("e")}, products={**link.link.products, "src/app.py": digests("e")}
    )
    verdict = chain.verify()
    assert verdict.reason is Reason.RULE_VIOLATION
    first = verdict.explanation[0]
    assert (first.step, first.rule, first.artifacts) == ("build", "DISALLOW *", ("src/app.py",))
    seen = {(each.step, each.where): each.recorded for each in first.sightings}
    assert seen["checkout", "products"] == "sha256:" + "a" * 64
    assert seen["build", "materials"] == "sha256:" + "e" * 64


def test_a_required_artifact_that_is_not_there_names_the_rule(chain: Chain) -> None:
    link = chain.link("scan")
    link.change(products={name: each for name, each in link.link.products.items() if name != "report.json"})
    verdict = chain.verify()
    assert verdict.reason is Reason.RULE_VIOLATION
    assert verdict.explanation[0].rule == "REQUIRE report.json"


def test_an_artifact_that_no_rule_allows_is_named(chain: Chain) -> None:
    link = chain.link("checkout")
    link.change(products={**link.link.products, "backdoor.so": digests("d")})
    verdict = chain.verify()
    assert verdict.reason is Reason.RULE_VIOLATION
    assert "backdoor.so" in verdict.explanation[0].artifacts


def test_every_list_of_rules_that_fails_is_explained(chain: Chain) -> None:
    for name in ("checkout", "scan"):
        link = chain.link(name)
        link.change(products={**link.link.products, "x": digests("d")})
    assert [each.step for each in chain.verify().explanation] == ["checkout", "scan"]


def test_a_scan_that_saw_another_image_breaks_the_rule(chain: Chain) -> None:
    chain.link("scan").change(materials={ARTIFACT: digests("9")})
    assert chain.verify().reason is Reason.RULE_VIOLATION


def test_a_scan_that_saw_no_image_breaks_the_rule(chain: Chain) -> None:
    link = chain.link("scan")
    link.change(materials={}, products={"report.json": digests("b")})
    assert chain.verify().reason is Reason.RULE_VIOLATION


def test_digests_are_compared_whole(chain: Chain) -> None:
    both = Digests(sha256="a" * 64, sha512="a" * 128)
    chain.link("build").change(materials={"src/app.py": both})
    assert chain.verify().reason is Reason.RULE_VIOLATION


def test_another_command_than_the_expected_one_is_noted_and_no_more(chain: Chain) -> None:
    chain.change_step("build", expected_command=["make", "release"])
    verdict = chain.verify()
    assert verdict.verdict == "pass"
    assert "'build' ran another command" in verdict.notes[0]
