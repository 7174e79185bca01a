"""What somebody would try who wants `pass` for what should not pass.

Each test says who tries what: a functionary, whoever packs the evidence, whoever writes to the registry. The owner of
the layout is trusted; finding the owner's mistakes is lint's.
"""

from __future__ import annotations

import base64
import json
import unicodedata
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.parts.chain import (
    ARTIFACT,
    IMAGE_DIGEST,
    NOW,
    REPOSITORY,
    Chain,
    MemorySigner,
    digests,
    digests_of,
)

from intoto_action.decide.decide import Attestation, decide
from intoto_action.decide.demands import Revoked, SameAs, Trust
from intoto_action.formats.envelope import (
    PAYLOAD_TYPE,
    Envelope,
    Signature,
    encode_dsse,
    pae,
    parse_envelope,
)
from intoto_action.formats.evidence import Evidence, parse_links, parse_signed
from intoto_action.formats.key import PublicKey
from intoto_action.formats.key_entry import KeyEntry, KeyValue
from intoto_action.formats.layout import INSTANT, encode_layout
from intoto_action.formats.link import encode_link, link_file_name
from intoto_action.formats.oci import Descriptor, Index
from intoto_action.formats.reference import Image, Platform
from intoto_action.formats.verdict import Verdict
from intoto_action.keys.sealing import seal
from intoto_action.reason import Malformed, Misused, Reason

OTHER = "sha256:" + "2b" * 32
CONFUSABLES = [
    "oci:ghcr.io/octo/аpp",
    "oci:ghcr.io/octo/app\u200b",
    "oci:ghcr.io/octo/\u202eapp",
    "oci:ghcr.io/octo/ａｐｐ",
    "oci:ghcr．io/octo/app",
    "oci:ghcr.io/octo⁄app",
    "oci:ghcr.io/octo/app\u0301",
    "oci:GHCR.IO/octo/app",
    "oci:ghcr.io/Octo/app",
    "oci:ghcr.io:443/octo/app",
    "oci:ghcr.io/octo/app/",
    "oci:ghcr.io/octo//app",
    "oci:ghcr.io/octo/../octo/app",
    "oci: ghcr.io/octo/app",
    "oci:ghcr.io/octo/app ",
    "oci:https://ghcr.io/octo/app",
    "oci:ghcr.io/octo/app:latest",
    f"oci:ghcr.io/octo/app@{IMAGE_DIGEST}",
    "OCI:ghcr.io/octo/app",
    "oci:oci:ghcr.io/octo/app",
    "./oci:ghcr.io/octo/app",
    "image:ghcr.io/octo/app",
    "oci:#ghcr.io/octo/app",
    "oci:",
]


def _replace_artifact(chain: Chain, name: str) -> None:
    """The image is recorded under another name everywhere, and rules that want it recorded are content with it."""
    image = {name: digests_of(IMAGE_DIGEST)}
    build, scan = chain.link("build"), chain.link("scan")
    build.change(products={"src/app.py": digests("a"), **image})
    scan.change(materials=image, products={**image, "report.json": digests("b")})
    for step in ("build", "scan"):
        rules = {
            kind: [rule for rule in getattr(chain.step(step), kind)[:-1] if ARTIFACT not in rule]
            + [["ALLOW", "*oci*"], ["ALLOW", "*OCI*"], ["ALLOW", "image:*"], ["DISALLOW", "*"]]
            for kind in ("expected_materials", "expected_products")
        }
        chain.change_step(step, **rules)


@pytest.mark.parametrize("name", CONFUSABLES, ids=ascii)
def test_a_functionary_records_the_image_under_a_name_that_looks_like_its_own(
    chain: Chain, name: str
) -> None:
    _replace_artifact(chain, name)
    assert chain.verify().verdict == "deny"
    assert chain.verify(subject_step="build").verdict == "deny"


def test_the_chain_of_the_tests_above_passes_under_the_right_name(chain: Chain) -> None:
    _replace_artifact(chain, ARTIFACT)
    assert chain.verify(subject_step="build").verdict == "pass"
    assert chain.verify().reason is Reason.SUBJECT_UNBOUND


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_a_file_is_recorded_in_another_normalisation_of_its_name(chain: Chain, form: Any) -> None:
    composed, other = "src/\u00e9ﬁ.py", unicodedata.normalize(form, "src/\u00e9ﬁ.py")
    chain.link("checkout").change(products={composed: digests("a")})
    chain.link("build").change(
        materials={other: digests("a")}, products={other: digests("a"), ARTIFACT: digests_of(IMAGE_DIGEST)}
    )
    assert (chain.verify().verdict == "pass") == (other == composed)


@pytest.mark.parametrize("name", ["SRC/app.py", "src/APP.py", "src/app.pY", "ſrc/app.py"])
def test_a_file_is_recorded_in_another_case(chain: Chain, name: str) -> None:
    chain.link("build").change(materials={name: digests("a")})
    assert chain.verify().reason is Reason.RULE_VIOLATION


@pytest.mark.parametrize(
    "label", ["#", "##", "#a@b", "#:latest", f"#@{IMAGE_DIGEST}", "#../x", "#/x", "#linux/arm64"]
)
def test_a_label_smuggles_nothing_into_the_repository(chain: Chain, label: str) -> None:
    """The digest that counts is that of a name which the rules let through; a label makes no other repository."""
    link = chain.link("build")
    link.change(products={**link.link.products, f"{ARTIFACT}{label}": digests_of(OTHER)})
    chain.image, chain.statement_digest = Image(REPOSITORY, OTHER), OTHER
    assert chain.verify().verdict == "deny"


@pytest.mark.parametrize(
    "rule",
    [
        ["require", "oci:ghcr.io/octo/other"],
        ["REQUıRE", ARTIFACT],
        ["REQUIRE", ARTIFACT, "extra"],
        ["REQUIRE ", ARTIFACT],
        [f"REQUIRE {ARTIFACT}"],
        ["ＲＥＱＵＩＲＥ", ARTIFACT],
        ["REQUIRE"],
        [],
    ],
    ids=ascii,
)
def test_a_rule_that_is_nearly_a_require_binds_nothing(chain: Chain, rule: list[str]) -> None:
    rules = [rule, *(each for each in chain.step("build").expected_products if each[0] != "REQUIRE")]
    chain.change_step("build", expected_products=rules)
    assert chain.verify().reason is Reason.LAYOUT_INVALID


@pytest.mark.parametrize(
    "pattern", ["oci:ghcr.io/octo/*", "oci:*", "oci:ghcr.io/octo/ap?", "oci:ghcr.io/octo/[a]pp", "*"]
)
def test_a_require_with_a_pattern_binds_no_repository(chain: Chain, pattern: str) -> None:
    rules = [["REQUIRE", pattern], *chain.step("build").expected_products[1:]]
    chain.change_step("build", expected_products=rules)
    assert chain.verify().reason is Reason.LAYOUT_INVALID


def test_a_lower_case_require_is_one_for_both(chain: Chain) -> None:
    rules = [["require", ARTIFACT], *chain.step("build").expected_products[1:]]
    chain.change_step("build", expected_products=rules)
    assert chain.verify().verdict == "pass"
    link = chain.link("build")
    link.change(products={"src/app.py": digests("a")})
    assert chain.verify().reason is Reason.RULE_VIOLATION


class _Colliding(MemorySigner):
    """A functionary whose keyid begins as that of another one."""

    def __init__(self, other: MemorySigner) -> None:
        super().__init__()
        keyid = other.key.keyid[:8] + self._key.keyid[8:]
        self._key = PublicKey(keyid, "ed25519", "ed25519", self._key.public, self._key.spki)


def test_two_functionaries_whose_links_would_have_one_file_name_make_the_layout_invalid(chain: Chain) -> None:
    other = _Colliding(chain.signers["build"])
    chain.add_functionary("build", other)
    chain.link("build").signed_by(other)
    verdict = chain.verify()
    assert verdict.reason is Reason.LAYOUT_INVALID
    assert "first 8 digits" in verdict.explanation[0].expected


def test_a_stranger_whose_keyid_begins_as_a_functionarys_signs_nothing(chain: Chain) -> None:
    chain.link("build").signed_by(_Colliding(chain.signers["build"]))
    assert chain.link("build").file_name == link_file_name("build", chain.signers["build"].key.keyid)
    assert chain.verify().reason is Reason.LINK_SIGNATURE


def test_a_stranger_signs_under_the_keyid_of_a_functionary(chain: Chain) -> None:
    link, stranger = chain.link("build"), MemorySigner()
    link.document = seal(
        PAYLOAD_TYPE, encode_link(link.link), stranger, keyids=(chain.signers["build"].key.keyid,)
    )
    assert chain.verify().reason is Reason.LINK_SIGNATURE


def test_a_layout_lists_the_key_of_one_under_the_keyid_of_another(chain: Chain) -> None:
    """The owner's mistake, or a keyid that somebody chose: lint names it, and whose key it is decides."""
    build, scan = chain.signers["build"].key, chain.signers["scan"].key
    entry = KeyEntry(scan.keytype, scan.scheme, KeyValue(scan.public))
    chain.change_layout(keys={**chain.layout.keys, build.keyid: entry})
    assert chain.verify().verdict == "deny"


@pytest.mark.parametrize(
    "other", ["build.abc", "build.12345678", "buil", "BUILD", "build ", "bυild", "build\n", "build.link"]
)
def test_the_link_of_a_step_whose_name_is_nearly_this_one_does_not_count(chain: Chain, other: str) -> None:
    link = chain.link("build")
    link.file_name = link_file_name(other, link.signer.key.keyid)
    evidence = chain.evidence()
    verdict = decide(evidence, None, chain.demands(), at=NOW)
    assert verdict.reason is Reason.LINK_MISSING
    link.change(name=other)
    link.file_name = link_file_name("build", link.signer.key.keyid)
    assert chain.verify().reason is Reason.LINK_INVALID


def test_the_functionary_of_one_step_signs_the_link_of_another(chain: Chain) -> None:
    for link in chain.links:
        chain.link(link.link.name).signed_by(chain.signers["checkout"])
    verdict = chain.verify()
    assert verdict.reason is Reason.LINK_SIGNATURE
    assert {each.step for each in verdict.explanation} == {"build", "scan"}


def _with_both_signatures(chain: Chain, step: str, *signers: MemorySigner) -> bytes:
    payload = encode_link(chain.link(step).link)
    signed = pae(PAYLOAD_TYPE, payload)
    return encode_dsse(
        PAYLOAD_TYPE, payload, tuple(Signature(each.key.keyid, each.sign(signed)) for each in signers)
    )


def test_one_link_with_the_signatures_of_two_is_one_link(chain: Chain) -> None:
    second = MemorySigner()
    chain.add_functionary("build", second).change_step("build", threshold=2)
    chain.link("build").document = _with_both_signatures(chain, "build", chain.signers["build"], second)
    assert chain.verify().reason is Reason.THRESHOLD


def test_one_functionary_brings_two_links_of_a_step(chain: Chain) -> None:
    """The file that is named for the functionary counts, as for the reference, whatever sorts before it."""
    second = MemorySigner()
    chain.add_functionary("build", second)
    named = chain.link("build")
    hidden = chain.add_link("build", chain.signers["build"])
    hidden.file_name = link_file_name("build", "0" * 64)
    named.change(products={**named.link.products, "src/backdoor.py": digests("e")})
    assert chain.verify().reason is Reason.RULE_VIOLATION


def test_a_functionary_signs_in_the_file_of_another(chain: Chain) -> None:
    second = MemorySigner()
    chain.add_functionary("build", second)
    link = chain.link("build")
    link.file_name = link_file_name("build", second.key.keyid)
    assert chain.verify().reason is Reason.LINK_SIGNATURE
    link.file_name = link_file_name("build", "0" * 64)
    assert chain.verify().verdict == "pass", "a file that is named for nobody is anybody's"


def test_the_file_of_a_functionary_that_cannot_be_read_is_not_passed_over(chain: Chain) -> None:
    second = MemorySigner()
    chain.add_functionary("build", second)
    chain.add_link("build", second).document = b'{"signatures": []}'
    assert chain.verify_links().reason is Reason.LINK_INVALID
    chain.links[-1].file_name = link_file_name("build", "f" * 64)
    assert chain.verify_links().verdict == "pass", "a file that nobody is named in says nothing"


def test_evidence_that_names_one_link_as_good_and_as_broken_counts_it_once(chain: Chain) -> None:
    evidence = chain.evidence()
    name = chain.link("build").file_name
    fault = Malformed(name, "an envelope", "none")
    without = {key: value for key, value in evidence.links.items() if key != name}
    broken = msgspec.structs.replace(evidence, links=without, faults={name: fault})
    assert decide(broken, None, chain.demands(), at=NOW).reason is Reason.LINK_INVALID


def test_a_layout_that_cannot_be_read_does_not_make_room_for_none(chain: Chain) -> None:
    fault = Malformed("the layout", "an envelope", "none")
    evidence = msgspec.structs.replace(chain.evidence(), layout=None, layout_fault=fault)
    for changes in ({}, {"layout_trust": None}):
        verdict = decide(evidence, None, chain.demands(**changes), at=NOW)
        assert verdict.reason is Reason.LAYOUT_INVALID
    pinned = parse_signed(chain.sealed_layout(), "pinned")
    assert decide(evidence, None, chain.demands(layout=pinned), at=NOW).verdict == "pass"


def _statement(chain: Chain, subjects: list[dict[str, Any]]) -> None:
    def change(document: bytes) -> bytes:
        statement = json.loads(document)
        statement["subject"] = subjects
        return json.dumps(statement).encode()

    chain.change_document = change


@pytest.mark.parametrize(
    ("subjects", "reason"),
    [
        ([{"digest": {"sha256": "2b" * 32}}, {"digest": {"sha256": "1a" * 32}}], None),
        ([{"digest": {"sha256": "2b" * 32}}], Reason.SUBJECT_MISMATCH),
        ([{"name": IMAGE_DIGEST, "digest": {"sha256": "2b" * 32}}], Reason.SUBJECT_MISMATCH),
        ([{"digest": {"gitCommit": "1a" * 32}}], Reason.SUBJECT_MISMATCH),
        ([{"digest": {"SHA256": "1a" * 32}}], Reason.SUBJECT_MISMATCH),
        ([{"digest": {}}], Reason.SUBJECT_MISMATCH),
        ([{"digest": {"sha256": "1A" * 32}}], Reason.NO_ATTESTATION),
        ([], Reason.NO_ATTESTATION),
    ],
)
def test_a_statement_is_about_the_digests_of_its_subjects(
    chain: Chain, subjects: list[dict[str, Any]], reason: Reason | None
) -> None:
    _statement(chain, subjects)
    assert chain.verify().reason is reason


def test_a_statement_about_two_images_binds_only_the_one_that_was_made(chain: Chain) -> None:
    _statement(chain, [{"digest": {"sha256": "2b" * 32}}, {"digest": {"sha256": "1a" * 32}}])
    chain.image = Image(REPOSITORY, OTHER)
    assert chain.verify().reason is Reason.SUBJECT_UNBOUND


def test_a_bundle_hints_at_the_root_and_is_signed_by_a_stranger(chain: Chain) -> None:
    chain.outer = MemorySigner()
    bundle = json.loads(chain.bundle())
    hint = base64.b64encode(bytes.fromhex(chain.root.key.spki)).decode()
    bundle["verificationMaterial"]["publicKey"]["hint"] = hint
    attestation = Attestation(parse_envelope(json.dumps(bundle).encode(), "x"), "x")
    assert decide(attestation, chain.image, chain.demands(), at=NOW).reason is Reason.ATTESTATION_SIGNATURE


def test_a_functionary_of_the_evidences_own_layout_is_nobody_when_the_layout_is_given(chain: Chain) -> None:
    pinned = parse_signed(chain.sealed_layout(), "pinned")
    mallory = MemorySigner()
    chain.add_functionary("scan", mallory)
    chain.outer = mallory
    assert chain.verify().verdict == "pass", "the root signed the laxer layout too"
    assert chain.verify(layout=pinned).reason is Reason.ATTESTATION_SIGNATURE


def test_a_functionary_cannot_sign_a_layout(chain: Chain) -> None:
    chain.layout_signers = [chain.signers["build"]]
    chain.outer = chain.signers["build"]
    assert chain.verify().reason is Reason.LAYOUT_SIGNATURE


@pytest.mark.parametrize("step", ["build", "scan"])
def test_a_layout_signed_by_a_functionary_is_no_link(chain: Chain, step: str) -> None:
    link = chain.link(step)
    link.payload = encode_layout(chain.layout)
    assert chain.verify().reason is Reason.LINK_INVALID


def test_a_link_signed_by_the_root_is_no_layout(chain: Chain) -> None:
    chain.layout_document = seal(PAYLOAD_TYPE, encode_link(chain.link("build").link), chain.root)
    assert chain.verify().reason is Reason.LAYOUT_INVALID


def test_the_bundle_in_place_of_the_layout_is_none(chain: Chain) -> None:
    """The root signs bundles too; such a signature must not carry a layout."""
    bundle = chain.bundle()
    with pytest.raises(Malformed):
        parse_signed(bundle, "the layout")


def test_one_person_with_two_roots_in_the_flags_is_one(chain: Chain) -> None:
    key = chain.root.key
    upper = PublicKey("ab" * 32, key.keytype, key.scheme, key.public.upper(), key.spki)
    chain.layout_document = seal(
        PAYLOAD_TYPE, encode_layout(chain.layout), chain.root, keyids=(key.keyid, "ab" * 32)
    )
    assert chain.verify(layout_trust=Trust((key, upper, key), 2)).reason is Reason.LAYOUT_SIGNATURE


def test_two_steps_share_a_functionary_and_a_threshold_counts_each_of_them_for_itself(chain: Chain) -> None:
    shared = chain.signers["checkout"]
    chain.add_functionary("build", shared).change_step("build", threshold=2)
    assert chain.verify().reason is Reason.THRESHOLD
    chain.add_link("build", shared)
    assert chain.verify().verdict == "pass"


@pytest.mark.parametrize("threshold", [0, -1])
def test_a_trust_that_nobody_needs_to_meet_is_refused(chain: Chain, threshold: int) -> None:
    with pytest.raises(Misused, match="at least 1"):
        Trust((chain.root.key,), threshold)
    with pytest.raises(Misused):
        Trust((), threshold)


def test_a_trust_without_keys_trusts_nobody(chain: Chain) -> None:
    assert chain.verify(layout_trust=Trust(())).reason is Reason.LAYOUT_SIGNATURE


@pytest.mark.parametrize(
    ("seconds", "reason"), [(1, None), (0, Reason.LAYOUT_EXPIRED), (-1, Reason.LAYOUT_EXPIRED)]
)
def test_the_last_moment_of_a_layout_is_the_one_before_it_ends(
    chain: Chain, seconds: int, reason: Reason | None
) -> None:
    chain.change_layout(expires=(NOW + timedelta(seconds=seconds)).strftime(INSTANT))
    assert chain.verify().reason is reason


def _metablock(payload: dict[str, Any], signer: MemorySigner, *, indent: int | None = None) -> bytes:
    from securesystemslib.formats import encode_canonical

    signature = signer.sign(str(encode_canonical(payload)).encode())
    document = {"signed": payload, "signatures": [{"keyid": signer.key.keyid, "sig": signature.hex()}]}
    return json.dumps(document, indent=indent).encode()


def test_white_space_in_a_metablock_does_not_bring_a_revoked_layout_back(chain: Chain) -> None:
    payload = json.loads(encode_layout(chain.layout))
    chain.layout_document = _metablock(payload, chain.root)
    passed = chain.verify()
    assert passed.verdict == "pass", passed.explanation
    assert passed.layout is not None
    revoked = Revoked(layouts=frozenset({passed.layout.sha256}))
    for indent in (None, 1, 7):
        chain.layout_document = _metablock(payload, chain.root, indent=indent)
        assert chain.verify(revoked=revoked).reason is Reason.LAYOUT_REVOKED
    backwards = _metablock(dict(reversed(payload.items())), chain.root)
    chain.layout_document = backwards
    assert chain.verify(revoked=revoked).reason is Reason.LAYOUT_REVOKED


@pytest.mark.parametrize(
    "spell", [str.upper, lambda public: " ".join(public[i : i + 2] for i in range(0, 64, 2))]
)
def test_a_revoked_key_is_revoked_however_a_layout_spells_it(chain: Chain, spell: Any) -> None:
    key = chain.signers["build"].key
    entry = KeyEntry(key.keytype, key.scheme, KeyValue(spell(key.public)))
    keyid = "ab" * 32
    chain.change_layout(keys={**{k: v for k, v in chain.layout.keys.items() if k != key.keyid}, keyid: entry})
    chain.change_step("build", pubkeys=[keyid])
    link = chain.link("build")
    link.document = seal(PAYLOAD_TYPE, encode_link(link.link), chain.signers["build"], keyids=(keyid,))
    link.file_name = link_file_name("build", keyid)
    assert chain.verify().verdict == "pass"
    for name in (key.keyid, key.go_keyid, key.spki, keyid):
        revoked = Revoked(keyids=frozenset({name}))
        assert chain.verify(revoked=revoked).reason is Reason.LINK_SIGNATURE


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b'"name": "build"', b'"name": "scan", "name": "build"'),
        lambda raw: raw.replace(b'"return-value": 0', b'"return-value": 1, "return-value": 0'),
        lambda raw: raw.replace(b'"return-value": 0', b'"return-value": 0, "return\\u002dvalue": 0'),
        lambda raw: raw.replace(b'"return-value": 0', b'"return-value": 0.0'),
        lambda raw: raw.replace(b'"return-value": 0', b'"return-value": 0e0'),
        lambda raw: raw.replace(b'"return-value": 0', b'"return-value": false'),
        lambda raw: raw.replace(b'"return-value": 0', b'"return-value": 00'),
        lambda raw: raw.replace(b'"_type": "link", ', b""),
    ],
)
def test_a_metablock_that_two_readers_could_read_differently_is_refused(chain: Chain, change: Any) -> None:
    link = chain.link("build")
    raw = _metablock(json.loads(encode_link(link.link)), chain.signers["build"])
    link.document = raw
    assert chain.verify_links().verdict == "pass"
    assert change(raw) != raw
    link.document = change(raw)
    assert chain.verify_links().reason in {Reason.LINK_INVALID, Reason.LINK_SIGNATURE}


def test_a_metablock_with_an_integer_beyond_any_machine_says_the_same_to_both(chain: Chain) -> None:
    link = chain.link("build")
    payload = json.loads(encode_link(link.link))
    payload["byproducts"] = {"return-value": 2**64}
    link.document = _metablock(payload, chain.signers["build"])
    assert chain.verify_links().reason is Reason.LINK_INVALID
    payload["byproducts"] = {"return-value": 0, "size": 2**200}
    link.document = _metablock(payload, chain.signers["build"])
    assert chain.verify_links().verdict == "pass"


def test_a_mirror_does_not_make_a_repository_that_begins_alike_the_origin(chain: Chain) -> None:
    chain.image = Image("mirror.corp/octo/app", IMAGE_DIGEST)
    for mirror, origin in (
        ("mirror.corp/octo/ap", "ghcr.io/octo/ap"),
        ("mirror.corp/oct/**", "ghcr.io/oct/**"),
        ("mirror.corp/octo/app/**", "ghcr.io/octo/app/**"),
        ("ghcr.io/**", "mirror.corp/**"),
    ):
        assert chain.verify(same_as=(SameAs(mirror, origin),)).reason is Reason.SUBJECT_UNBOUND


@pytest.mark.parametrize(
    ("mirror", "origin"), [("mirror.corp/**", "ghcr.io/octo/a"), ("mirror.corp/pp", "ghcr.io/**")]
)
def test_a_mirror_of_a_tree_is_no_mirror_of_one_repository(mirror: str, origin: str) -> None:
    with pytest.raises(Misused, match="both end in"):
        SameAs(mirror, origin)


def test_a_step_that_the_verifier_names_still_has_to_make_the_mirrored_image(chain: Chain) -> None:
    chain.image = Image("mirror.corp/octo/app", IMAGE_DIGEST)
    same_as = (SameAs("mirror.corp/**", "ghcr.io/**"),)
    assert chain.verify(same_as=same_as, subject_step="build").verdict == "pass"
    assert chain.verify(same_as=same_as, subject_step="checkout").reason is Reason.SUBJECT_UNBOUND
    assert chain.verify(subject_step="build").reason is Reason.SUBJECT_UNBOUND


def test_evidence_of_an_index_does_not_pass_for_its_child_nor_the_reverse(chain: Chain) -> None:
    child = Platform("linux/amd64", OTHER)
    chain.image = Image(REPOSITORY, OTHER)
    assert chain.verify().reason is Reason.SUBJECT_MISMATCH
    chain.statement_digest = OTHER
    assert chain.verify().reason is Reason.SUBJECT_UNBOUND
    chain.image = Image(REPOSITORY, OTHER, platforms=(Platform("linux/amd64", IMAGE_DIGEST),))
    assert chain.verify().reason is Reason.SUBJECT_UNBOUND
    chain.image, chain.statement_digest = Image(REPOSITORY, IMAGE_DIGEST, platforms=(child,)), OTHER
    assert chain.verify().reason is Reason.SUBJECT_MISMATCH


def test_a_digest_of_another_algorithm_is_another_digest(chain: Chain) -> None:
    chain.image = Image(REPOSITORY, "sha512:" + "1a" * 64)
    assert chain.verify().reason is Reason.SUBJECT_MISMATCH


def test_a_link_that_was_signed_before_it_was_finished_does_not_count(chain: Chain) -> None:
    """A functionary's signature over another type of document, moved into a link."""
    link = chain.link("build")
    statement = b'{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"","predicate":{}}'
    link.document = seal(PAYLOAD_TYPE, statement, chain.signers["build"])
    assert chain.verify().reason is Reason.LINK_INVALID


def test_evidence_packed_by_anybody_but_a_signer_is_refused_although_every_part_is_genuine(
    chain: Chain,
) -> None:
    genuine = json.loads(chain.bundle())
    genuine["dsseEnvelope"]["signatures"] = [{"sig": ""}]
    attestation = Attestation(parse_envelope(json.dumps(genuine).encode(), "x"), "x")
    assert decide(attestation, chain.image, chain.demands(), at=NOW).reason is Reason.ATTESTATION_SIGNATURE


def _verdict_of(documents: dict[str, bytes], chain: Chain) -> Verdict:
    links, faults = parse_links(documents, "the directory")
    layout: Envelope = parse_signed(chain.sealed_layout(), "layout")
    return decide(Evidence(layout, links, {}, faults), None, chain.demands(), at=NOW)


def test_file_names_are_hints_and_never_more(chain: Chain) -> None:
    documents = {each.file_name: each.sealed() for each in chain.links}
    build, scan = chain.link("build").file_name, chain.link("scan").file_name
    swapped = {**documents, build: documents[scan], scan: documents[build]}
    assert _verdict_of(swapped, chain).verdict == "deny"
    newline = {**documents, f"x\n{build}": documents[scan]}
    assert _verdict_of(newline, chain).verdict == "pass"
    del newline[build]
    assert _verdict_of(newline, chain).reason is Reason.LINK_MISSING


def test_an_index_of_images_is_no_evidence() -> None:
    index = msgspec.json.encode(Index(2, (Descriptor("x", IMAGE_DIGEST, 1),)))
    with pytest.raises(Malformed):
        parse_envelope(index, "x")
