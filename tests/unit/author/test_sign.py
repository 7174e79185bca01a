from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from in_toto.models.layout import Layout as StockLayout
from in_toto.models.metadata import Metadata
from tests.parts.draft import HEAD, NOW, STEPS, Draft
from tests.parts.forge import Fault, Forge, GitHubJob
from tests.parts.keyless_signer import KeylessSigner, trust_root

from intoto_action.author.open import open_layout, read_envelope
from intoto_action.author.show import signature_lines
from intoto_action.author.sign import SignedLayout, co_sign_layout, sign_layout
from intoto_action.formats.envelope import PAYLOAD_TYPE, Envelope, Wrapper, parse_envelope
from intoto_action.formats.key import Key
from intoto_action.formats.layout import encode_layout
from intoto_action.keys.interface import Signer
from intoto_action.keys.keygen import generate
from intoto_action.keys.sealing import seal
from intoto_action.keys.words import open_signer
from intoto_action.reason import Misused
from intoto_action.trust.signature import check_signature, examine

TEXT = "source: {repository: octo/app, refs: [refs/heads/main]}\n" + HEAD + STEPS
INSTANT = TEXT.replace("6 months", "2031-11-01T12:00:00Z")


def signers(envelope: Envelope, keys: Sequence[Key]) -> list[Key]:
    return [each.key for each in examine(envelope, keys, None).signers]


def signer(draft: Draft, name: str) -> Signer:
    return open_signer(str(draft.directory / name), environ={})


def signed(draft: Draft, text: str = TEXT, name: str = "alice") -> SignedLayout:
    return sign_layout(draft.layout(text), signer(draft, name))


def envelope(document: bytes) -> Envelope:
    return parse_envelope(document, "root.layout")


def keys(draft: Draft) -> list[Key]:
    return [pair.public for pair in draft.pairs.values()]


class TestOneSignature:
    def test_it_is_there_under_both_keyids_and_counts_once(self, draft: Draft) -> None:
        read = envelope(signed(draft).document)
        key = draft.pairs["alice"].public
        assert read.wrapper is Wrapper.DSSE
        assert [each.keyid for each in read.signatures] == [key.keyid, key.go_keyid]
        assert len({each.value for each in read.signatures}) == 1
        assert signers(read, keys(draft)) == [key]

    def test_the_payload_is_the_layout(self, draft: Draft) -> None:
        made = signed(draft)
        assert made.payload == encode_layout(draft.layout(TEXT)) == envelope(made.document).payload

    @pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "ecdsa-p384", "rsa"])
    def test_stock_in_toto_reads_and_verifies_it(self, draft: Draft, kind: str) -> None:
        pair = generate(kind, None)
        (draft.directory / "carl.pub").write_text(pair.public.pem)
        text = TEXT.replace("[alice]", "[alice, carl]").replace(
            "alice.pub}", "alice.pub}\n  carl: {key: carl.pub}"
        )
        private = {"KEY": pair.private_pem.decode()}
        made = sign_layout(draft.layout(text), open_signer("env:KEY", environ=private))
        path = draft.directory / "root.layout"
        path.write_bytes(made.document)

        stock = Metadata.load(str(path))
        layout = stock.get_payload()

        assert isinstance(layout, StockLayout)
        layout.validate()
        stock.verify_signature(msgspec.to_builtins(pair.public.entry))
        assert layout.keys[pair.public.keyid]["keytype"] == pair.public.keytype
        assert [step.name for step in layout.steps] == ["checkout", "build"]
        assert layout.inspect[0].run[:3] == ["intoto-action", "inspect", "source"]


class TestAnotherSignature:
    def test_it_is_added_to_the_same_bytes(self, draft: Draft) -> None:
        first = envelope(signed(draft).document)
        later = NOW + timedelta(days=3)
        both = co_sign_layout(draft.compile(TEXT, later), first, signer(draft, "bob"), at=later)
        read = envelope(both.document)
        assert read.payload == first.payload
        assert len(read.signatures) == 4
        assert signers(read, keys(draft)) == [draft.pairs["alice"].public, draft.pairs["bob"].public]

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("CREATE out/*", "CREATE *", "a difference in steps"),
            ("refs/heads/main", "refs/heads/*", "a difference in inspections"),
            ("key: keys/bob.pub", "keys: [keys/bob.pub, carl.pub]", "a difference in steps, keys"),
            ("expires", "readme: hello\nexpires", "a difference in readme"),
            ("6 months", "2031-11-01T12:00:01Z", "a difference in expires"),
        ],
    )
    def test_other_bytes_are_not_signed(self, draft: Draft, old: str, new: str, said: str) -> None:
        first = envelope(signed(draft).document)
        with pytest.raises(Misused, match=said):
            co_sign_layout(draft.compile(TEXT.replace(old, new, 1)), first, signer(draft, "bob"), at=NOW)

    def test_an_instant_is_the_instant_that_is_written(self, draft: Draft) -> None:
        first = envelope(signed(draft, INSTANT).document)
        assert co_sign_layout(draft.compile(INSTANT), first, signer(draft, "bob"), at=NOW)

    @pytest.mark.parametrize("later", [timedelta(days=-2), timedelta(days=200)])
    def test_an_end_that_the_length_of_time_cannot_mean_is_not_signed(
        self, draft: Draft, later: timedelta
    ) -> None:
        first = envelope(signed(draft).document)
        with pytest.raises(Misused, match="ends within 6 months from now"):
            co_sign_layout(draft.compile(TEXT, NOW + later), first, signer(draft, "bob"), at=NOW + later)

    def test_nobody_signs_twice(self, draft: Draft) -> None:
        first = envelope(signed(draft).document)
        with pytest.raises(Misused, match="a key that has not signed this layout yet"):
            co_sign_layout(draft.compile(TEXT), first, signer(draft, "alice"), at=NOW)

    def test_the_same_layout_in_other_json_is_not_signed(self, draft: Draft) -> None:
        payload = msgspec.json.format(signed(draft).payload, indent=1)
        other = envelope(seal(PAYLOAD_TYPE, payload, signer(draft, "alice")))
        with pytest.raises(Misused, match="how its JSON is written"):
            co_sign_layout(draft.compile(TEXT), other, signer(draft, "bob"), at=NOW)

    def test_a_metablock_gets_none(self, draft: Draft) -> None:
        first = envelope(signed(draft).document)
        other = msgspec.structs.replace(first, wrapper=Wrapper.METABLOCK)
        with pytest.raises(Misused, match="expected a DSSE envelope"):
            co_sign_layout(draft.compile(TEXT), other, signer(draft, "bob"), at=NOW)


class TestByIdentities:
    """An owner without a key, beside one with a key."""

    def test_both_signatures_count_and_each_owner_signs_once(self, draft: Draft, forge: Forge) -> None:
        compiled = draft.compile(TEXT)
        owner = KeylessSigner(forge)
        first = envelope(sign_layout(compiled.layout, owner).document)
        assert [each.keyid for each in first.signatures] == [owner.key.keyid]
        both = envelope(co_sign_layout(compiled, first, signer(draft, "bob"), at=NOW).document)
        keys = (owner.key, draft.pairs["bob"].public)
        assert len(examine(both, keys, trust_root(forge)).signers) == 2
        with pytest.raises(Misused, match="a key that has not signed"):
            co_sign_layout(compiled, both, signer(draft, "bob"), at=NOW)
        with pytest.raises(Misused, match="an identity that has not signed"):
            co_sign_layout(compiled, both, KeylessSigner(forge), at=NOW)

    def test_another_identity_adds_its_own(self, draft: Draft, forge: Forge) -> None:
        compiled = draft.compile(TEXT)
        first = envelope(sign_layout(compiled.layout, KeylessSigner(forge)).document)
        other = KeylessSigner(forge, GitHubJob(workflow="other.yml"))
        both = envelope(co_sign_layout(compiled, first, other, at=NOW).document)
        keys = (KeylessSigner(forge).key, other.key)
        assert len(examine(both, keys, trust_root(forge)).signers) == 2

    def test_whose_certificates_there_are_is_shown_unchecked(self, draft: Draft, forge: Forge) -> None:
        compiled = draft.compile(TEXT)
        owner = KeylessSigner(forge, fault=Fault.SCT_MISSING)
        first = envelope(sign_layout(compiled.layout, owner).document)
        both = envelope(co_sign_layout(compiled, first, signer(draft, "bob"), at=NOW).document)
        bob = draft.pairs["bob"].public
        assert signature_lines(both, "root.layout") == [
            f"signatures   {owner.key.keyid[:8]}, {owner.key.identity} (issuer {owner.key.issuer})",
            f"             {bob.keyid[:8]}",
            f"             {bob.go_keyid[:8]}",
            "             (hints, not checked here)",
        ]

    def test_one_that_cannot_be_read_is_shown_as_that(self, draft: Draft, forge: Forge) -> None:
        made = envelope(sign_layout(draft.compile(TEXT).layout, KeylessSigner(forge)).document)
        broken = msgspec.structs.replace(made.signatures[0], beside={"extension": b'{"kind":"x","ext":{}}'})
        (line, _) = signature_lines(msgspec.structs.replace(made, signatures=(broken,)), "root.layout")
        assert "expected an extension of kind" in line


def test_a_layout_that_nobody_signed_says_so(draft: Draft) -> None:
    made = envelope(signed(draft).document)
    assert signature_lines(msgspec.structs.replace(made, signatures=()), "x") == ["signatures   nobody"]


def test_a_layout_of_another_tool_is_opened_in_both_wrappers(draft: Draft) -> None:
    from in_toto.models._signer import load_crypto_signer_from_pkcs8_file
    from in_toto.models.metadata import Envelope as StockEnvelope
    from in_toto.models.metadata import Metablock

    stock = StockLayout.read(msgspec.to_builtins(draft.layout(TEXT)))
    owner = load_crypto_signer_from_pkcs8_file(str(draft.directory / "alice"))
    for wrapper, document in (
        (Wrapper.DSSE, StockEnvelope.from_signable(stock)),
        (Wrapper.METABLOCK, Metablock(signed=stock)),
    ):
        document.create_signature(owner)
        path = draft.directory / "other.layout"
        document.dump(str(path))
        opened = open_layout(path, at=NOW)
        assert opened.envelope is not None
        assert opened.envelope.wrapper is wrapper
        assert check_signature(opened.envelope, draft.pairs["alice"].public)
        assert opened.layout == draft.layout(TEXT)


_SIGN = "import sys; from intoto_action.cli.main import main; main(sys.argv[1:])"


@pytest.mark.parametrize("delay", [0.05, 0.15, 0.25])
def test_a_kill_while_signing_leaves_the_old_layout_or_the_new_one(draft: Draft, delay: float) -> None:
    draft.compile(INSTANT)
    output = draft.directory / "root.layout"
    output.write_bytes(signed(draft, INSTANT).document)
    words = [
        "layout",
        "sign",
        "--key",
        str(draft.directory / "bob"),
        "--append",
        "-o",
        str(output),
        str(draft.file),
    ]
    child = subprocess.Popen(
        [sys.executable, "-c", _SIGN, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        child.wait(delay)
    except subprocess.TimeoutExpired:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert len(read_envelope(output).signatures) in {2, 4}
    subprocess.run([sys.executable, "-c", _SIGN, *words], capture_output=True, check=False, timeout=60)
    assert len(read_envelope(output).signatures) == 4


def test_paths_of_keys_are_looked_for_beside_the_file(draft: Draft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path("/"))
    assert draft.layout(TEXT)
