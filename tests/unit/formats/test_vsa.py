"""What a VSA says, and what it does not say."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from intoto_action.formats.reference import Image
from intoto_action.formats.statement import parse_statement
from intoto_action.formats.vsa import ResourceDescriptor, Vsa, encode_vsa, named_information, passed_vsa

AT = datetime(2031, 5, 1, 12, 0, 0, tzinfo=UTC)
HEX = "1a" * 32
LAYOUT = "2b" * 32
RESOURCE = f"ghcr.io/octo/app@sha256:{HEX}"
EVIDENCE = ResourceDescriptor(uri=f"ghcr.io/octo/app@sha256:{'3c' * 32}", digest={"sha256": "4d" * 32})
PROVENANCE = ResourceDescriptor(digest={"sha256": "5e" * 32})


def vsa(*provenance: ResourceDescriptor) -> Vsa:
    return passed_vsa(
        RESOURCE,
        layout=LAYOUT,
        evidence=EVIDENCE,
        provenance=provenance,
        versions={"intoto-action": "1.0"},
        at=AT,
    )


def statement(made: Vsa, image: Image | None = None) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        encode_vsa(made, image or Image("ghcr.io/octo/app", f"sha256:{HEX}"))
    )
    return document


def test_it_has_every_field_of_the_specification_that_can_be_said_of_a_pass() -> None:
    assert statement(vsa()) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "ghcr.io/octo/app", "digest": {"sha256": HEX}}],
        "predicateType": "https://slsa.dev/verification_summary/v1",
        "predicate": {
            "verifier": {
                "id": "https://github.com/org/intoto-action/verify",
                "version": {"intoto-action": "1.0"},
            },
            "timeVerified": "2031-05-01T12:00:00Z",
            "resourceUri": RESOURCE,
            "policy": {
                "uri": "ni:///sha-256;KysrKysrKysrKysrKysrKysrKysrKysrKysrKysrKys",
                "digest": {"sha256": LAYOUT},
            },
            "inputAttestations": [
                {"uri": f"ghcr.io/octo/app@sha256:{'3c' * 32}", "digest": {"sha256": "4d" * 32}}
            ],
            "verificationResult": "PASSED",
            "verifiedLevels": ["INTOTO_ACTION_LAYOUT_PASSED"],
            "slsaVersion": "1.2",
        },
    }


def test_a_slsa_level_is_claimed_only_for_provenance_and_not_more_than_it_proves() -> None:
    assert not any(level.startswith("SLSA_") for level in vsa().verified_levels)
    assert vsa(PROVENANCE).verified_levels == ("INTOTO_ACTION_LAYOUT_PASSED", "SLSA_BUILD_LEVEL_1")


def test_every_attestation_that_was_used_is_listed() -> None:
    assert vsa(PROVENANCE, PROVENANCE).input_attestations == (EVIDENCE, PROVENANCE, PROVENANCE)


def test_what_nobody_else_can_fetch_has_a_digest_and_no_uri() -> None:
    listed = statement(vsa(PROVENANCE))["predicate"]["inputAttestations"]
    assert listed[1] == {"digest": {"sha256": "5e" * 32}}


def test_nothing_is_said_of_dependencies() -> None:
    """An empty object would say that there are none."""
    assert "dependencyLevels" not in statement(vsa())["predicate"]


def test_the_subject_of_an_image_with_a_sha512_digest_is_that_digest() -> None:
    digest = "sha512:" + "6f" * 64
    subject = statement(vsa(), Image("ghcr.io/octo/app", digest))["subject"]
    assert subject == [{"name": "ghcr.io/octo/app", "digest": {"sha512": "6f" * 64}}]


def test_it_is_a_statement_on_one_line_that_our_own_reader_takes() -> None:
    raw = encode_vsa(vsa(), Image("ghcr.io/octo/app", f"sha256:{HEX}"))
    assert b"\n" not in raw
    assert parse_statement(raw, "the VSA").predicate_type == "https://slsa.dev/verification_summary/v1"


def test_a_digest_has_the_name_that_rfc_6920_gives_it() -> None:
    """The example of its section 8.1: the digest of `Hello World!`."""
    digest = "7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069"
    assert named_information(digest) == "ni:///sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk"


@given(st.binary(min_size=32, max_size=32))
def test_the_name_of_a_digest_holds_the_digest(digest: bytes) -> None:
    name = named_information(digest.hex())
    assert base64.urlsafe_b64decode(name.removeprefix("ni:///sha-256;") + "=") == digest
    assert "=" not in name
