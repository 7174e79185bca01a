"""One functionary, with the registry in hand and every link of earlier releases: no image of their own passes.

The insider holds the key of `scan`, may attach evidence (a functionary may), and puts together what they like.
"""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.parts.attached import chain_about
from tests.parts.chain import ARTIFACT, KEYS_ALONE, NOW, Chain, digests_of
from tests.parts.images import sha256

from intoto_action.decide.decide import Attestation
from intoto_action.formats.envelope import PAYLOAD_TYPE, parse_envelope
from intoto_action.formats.evidence import Evidence, encode_evidence, parse_links, parse_signed
from intoto_action.formats.link import link_file_name, parse_link
from intoto_action.formats.reference import Image
from intoto_action.keys.sealing import seal, seal_bundle
from intoto_action.verify.candidates import Unread
from intoto_action.verify.verify import verify_attestations

EVIL = sha256(b"evil")
RELEASES = [sha256(b"release 1"), sha256(b"release 2")]
FIRST = Chain()
CHAINS = [chain_about(each, root=FIRST.root, signers=FIRST.signers) for each in RELEASES]
INSIDER = FIRST.signers["scan"]
GENUINE = [each.sealed() for chain in CHAINS for each in chain.links]
STEPS = ["checkout", "build", "scan"]
KEYIDS = [*(signer.key.keyid for signer in FIRST.signers.values()), FIRST.root.key.keyid, "0" * 64]

artifacts = st.dictionaries(
    st.sampled_from([ARTIFACT, ARTIFACT + "#x", "src/app.py", "report.json", "image:app", "evil"]),
    st.sampled_from([digests_of(each) for each in (EVIL, *RELEASES)]),
    max_size=3,
)


@st.composite
def forged(draw: st.DrawFn) -> bytes:
    """A link that the insider signs: any step, anything in it, a signature under any keyid."""
    fields: dict[str, Any] = {
        "name": draw(st.sampled_from(STEPS)),
        "materials": draw(artifacts),
        "products": draw(artifacts),
    }
    link = msgspec.structs.replace(CHAINS[0].link("scan").link, **fields)
    document = seal(PAYLOAD_TYPE, msgspec.json.encode(link), INSIDER)
    return _under(document, draw(st.sampled_from(KEYIDS)))


def _under(document: bytes, keyid: str) -> bytes:
    fields = msgspec.json.decode(document)
    fields["signatures"][0]["keyid"] = keyid
    return msgspec.json.encode(fields)


names = st.builds(link_file_name, st.sampled_from(STEPS), st.sampled_from(KEYIDS))
documents = st.sampled_from(GENUINE) | forged()


def passes(links: dict[str, bytes], digest: str) -> bool:
    envelopes, faults = parse_links(links, "links")
    layout = parse_signed(CHAINS[0].sealed_layout(), "layout")
    statement = encode_evidence(Evidence(layout, envelopes, {}, faults), "app", digest)
    attestation = Attestation(parse_envelope(seal_bundle(PAYLOAD_TYPE, statement, INSIDER), "x"), "x")
    image = Image("ghcr.io/octo/app", digest)
    outcome = verify_attestations(
        [attestation], image, FIRST.demands(), at=NOW, sigstore=KEYS_ALONE, unread=Unread()
    )
    return outcome.verdict.verdict == "pass"


@settings(max_examples=300)
@given(st.dictionaries(names, documents, max_size=6))
def test_whatever_an_insider_puts_together_their_image_does_not_pass(links: dict[str, bytes]) -> None:
    genuine = {each.file_name: each.sealed() for each in CHAINS[0].links}
    assert not passes(links, EVIL)
    assert not passes({**genuine, **links}, EVIL)
    assert not passes({**links, **genuine}, EVIL)


@settings(max_examples=100)
@given(st.permutations(CHAINS[0].links), st.integers(0, 2))
def test_links_of_two_releases_do_not_mix(order: list[Any], taken: int) -> None:
    mixed = {each.file_name: each.sealed() for each in CHAINS[1].links}
    mixed |= {each.file_name: each.sealed() for each in order[:taken]}
    images = {str(link.products[ARTIFACT]) for link in _images(mixed)}
    assert passes(mixed, RELEASES[1]) == (images == {RELEASES[1]})


def _images(raw: dict[str, bytes]) -> list[Any]:
    links = [parse_link(parse_signed(each, "x").payload, "x") for each in raw.values()]
    return [link for link in links if ARTIFACT in link.products]


def test_the_genuine_links_pass() -> None:
    assert passes({each.file_name: each.sealed() for each in CHAINS[0].links}, RELEASES[0])
