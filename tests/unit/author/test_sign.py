from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from in_toto.models.layout import Layout as StockLayout
from in_toto.models.metadata import Metadata
from tests.parts.desk import HEAD, NOW, STEPS, Desk

from intoto_action.author.open import open_layout, read_envelope
from intoto_action.author.sign import SignedLayout, co_sign_layout, sign_layout
from intoto_action.formats.envelope import Envelope, Wrapper, parse_envelope
from intoto_action.formats.key import Key
from intoto_action.formats.layout import encode_layout
from intoto_action.keys.interface import Signer
from intoto_action.keys.keygen import generate
from intoto_action.keys.words import open_signer
from intoto_action.reason import Misused
from intoto_action.trust.signature import check_signature, keys_that_signed

TEXT = "source: {repository: octo/app, refs: [refs/heads/main]}\n" + HEAD + STEPS
INSTANT = TEXT.replace("6 months", "2031-11-01T12:00:00Z")


def signer(desk: Desk, name: str) -> Signer:
    return open_signer(str(desk.directory / name), environ={})


def signed(desk: Desk, text: str = TEXT, name: str = "alice") -> SignedLayout:
    return sign_layout(desk.layout(text), signer(desk, name))


def envelope(document: bytes) -> Envelope:
    return parse_envelope(document, "root.layout")


def keys(desk: Desk) -> list[Key]:
    return [pair.public for pair in desk.pairs.values()]


class TestOneSignature:
    def test_it_is_there_under_both_keyids_and_counts_once(self, desk: Desk) -> None:
        read = envelope(signed(desk).document)
        key = desk.pairs["alice"].public
        assert read.wrapper is Wrapper.DSSE
        assert [each.keyid for each in read.signatures] == [key.keyid, key.go_keyid]
        assert len({each.value for each in read.signatures}) == 1
        assert keys_that_signed(read, keys(desk)) == (key,)

    def test_the_payload_is_the_layout(self, desk: Desk) -> None:
        made = signed(desk)
        assert made.payload == encode_layout(desk.layout(TEXT)) == envelope(made.document).payload

    @pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "ecdsa-p384", "rsa"])
    def test_stock_in_toto_reads_and_verifies_it(self, desk: Desk, kind: str) -> None:
        pair = generate(kind, None)
        (desk.directory / "carl.pub").write_text(pair.public.pem)
        text = TEXT.replace("[alice]", "[alice, carl]").replace(
            "alice.pub}", "alice.pub}\n  carl: {key: carl.pub}"
        )
        private = {"KEY": pair.private_pem.decode()}
        made = sign_layout(desk.layout(text), open_signer("env:KEY", environ=private))
        path = desk.directory / "root.layout"
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
    def test_it_is_added_to_the_same_bytes(self, desk: Desk) -> None:
        first = envelope(signed(desk).document)
        later = NOW + timedelta(days=3)
        both = co_sign_layout(desk.compile(TEXT, later), first, signer(desk, "bob"), at=later)
        read = envelope(both.document)
        assert read.payload == first.payload
        assert len(read.signatures) == 4
        assert keys_that_signed(read, keys(desk)) == (desk.pairs["alice"].public, desk.pairs["bob"].public)

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
    def test_other_bytes_are_not_signed(self, desk: Desk, old: str, new: str, said: str) -> None:
        first = envelope(signed(desk).document)
        with pytest.raises(Misused, match=said):
            co_sign_layout(desk.compile(TEXT.replace(old, new, 1)), first, signer(desk, "bob"), at=NOW)

    def test_an_instant_is_the_instant_that_is_written(self, desk: Desk) -> None:
        first = envelope(signed(desk, INSTANT).document)
        assert co_sign_layout(desk.compile(INSTANT), first, signer(desk, "bob"), at=NOW)

    @pytest.mark.parametrize("later", [timedelta(days=-2), timedelta(days=200)])
    def test_an_end_that_the_length_of_time_cannot_mean_is_not_signed(
        self, desk: Desk, later: timedelta
    ) -> None:
        first = envelope(signed(desk).document)
        with pytest.raises(Misused, match="ends within 6 months from now"):
            co_sign_layout(desk.compile(TEXT, NOW + later), first, signer(desk, "bob"), at=NOW + later)

    def test_nobody_signs_twice(self, desk: Desk) -> None:
        first = envelope(signed(desk).document)
        with pytest.raises(Misused, match="a key that has not signed this layout yet"):
            co_sign_layout(desk.compile(TEXT), first, signer(desk, "alice"), at=NOW)

    def test_a_metablock_gets_none(self, desk: Desk) -> None:
        first = envelope(signed(desk).document)
        other = msgspec.structs.replace(first, wrapper=Wrapper.METABLOCK)
        with pytest.raises(Misused, match="expected a DSSE envelope"):
            co_sign_layout(desk.compile(TEXT), other, signer(desk, "bob"), at=NOW)


def test_a_layout_of_another_tool_is_opened_in_both_wrappers(desk: Desk) -> None:
    from in_toto.models._signer import load_crypto_signer_from_pkcs8_file
    from in_toto.models.metadata import Envelope as StockEnvelope
    from in_toto.models.metadata import Metablock

    stock = StockLayout.read(msgspec.to_builtins(desk.layout(TEXT)))
    owner = load_crypto_signer_from_pkcs8_file(str(desk.directory / "alice"))
    for wrapper, document in (
        (Wrapper.DSSE, StockEnvelope.from_signable(stock)),
        (Wrapper.METABLOCK, Metablock(signed=stock)),
    ):
        document.create_signature(owner)
        path = desk.directory / "other.layout"
        document.dump(str(path))
        opened = open_layout(path, at=NOW)
        assert opened.envelope is not None
        assert opened.envelope.wrapper is wrapper
        assert check_signature(opened.envelope, desk.pairs["alice"].public)
        assert opened.layout == desk.layout(TEXT)


_SIGN = "import sys; from intoto_action.cli.main import main; main(sys.argv[1:])"


@pytest.mark.parametrize("delay", [0.05, 0.15, 0.25])
def test_a_kill_while_signing_leaves_the_old_layout_or_the_new_one(desk: Desk, delay: float) -> None:
    desk.compile(INSTANT)
    output = desk.directory / "root.layout"
    output.write_bytes(signed(desk, INSTANT).document)
    words = [
        "layout",
        "sign",
        "--key",
        str(desk.directory / "bob"),
        "--append",
        "-o",
        str(output),
        str(desk.file),
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


def test_paths_of_keys_are_looked_for_beside_the_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path("/"))
    assert desk.layout(TEXT)
