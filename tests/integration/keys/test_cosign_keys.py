"""Keys that cosign makes, and bundles by a token that cosign reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.keys.test_bundles_with_cosign import statement, verified_by_cosign
from tests.parts.desk import console_script, run
from tests.parts.key_material import pem, private_key
from tests.parts.token import PIN, Token
from tests.parts.tools import tool

from intoto_action.formats.envelope import PAYLOAD_TYPE
from intoto_action.keys.words import open_public_key, open_signer
from intoto_action.reason import Misused

PASSWORD = "the password of the pair"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with what `cosign generate-key-pair` wrote."""
    directory = tmp_path_factory.mktemp("cosign")
    command = [str(tool("cosign")), "generate-key-pair"]
    environ = {**os.environ, "COSIGN_PASSWORD": PASSWORD}
    subprocess.run(command, cwd=directory, env=environ, capture_output=True, check=True, timeout=60)
    return directory


def body(text: str) -> str:
    """A line of the key itself."""
    return next(line for line in text.splitlines()[1:] if line)


@pytest.mark.needs("cosign")
class TestAKeyOfCosign:
    def test_is_told_what_it_is_and_what_to_make_in_its_place(self, pair: Path) -> None:
        text = (pair / "cosign.key").read_text()
        for word, environ in ((str(pair / "cosign.key"), {}), ("env:KEY", {"KEY": text})):
            with pytest.raises(Misused) as caught:
                open_signer(word, environ={**environ, "PASSWORD": PASSWORD}, password_env="PASSWORD")
            told = str(caught.value)
            assert "found a private key in cosign's own format, which only cosign reads" in told
            assert "make a key with `intoto-action keygen` (cosign reads its .pub)" in told
            assert body(text) not in told

    def test_is_refused_by_the_command_line_without_a_word_of_it(self, pair: Path, tmp_path: Path) -> None:
        link = tmp_path / "links"
        words = ["record", "--step-name", "build", "--key", str(pair / "cosign.key"), "--link-dir", str(link)]
        command = [console_script(), *words, "--password-env", "PASSWORD", "--", "true"]
        environ = {**os.environ, "PASSWORD": PASSWORD}
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
        assert ended.returncode == 2
        assert "is not encrypted" not in ended.stderr, "its password was needed, by cosign"
        assert "cosign's own format" in ended.stderr
        for secret in (body((pair / "cosign.key").read_text()), PASSWORD):
            assert secret not in ended.stdout + ended.stderr
        assert list(link.glob("*.link")) == []

    def test_has_a_public_part_that_is_read(self, pair: Path) -> None:
        key = open_public_key(str(pair / "cosign.pub"), environ={})
        assert key.entry.scheme == "ecdsa-sha2-nistp256"

    def test_that_keygen_made_in_its_place_is_read_by_cosign(self, tmp_path: Path) -> None:
        made = run("keygen", "--type", "ecdsa", "--no-password", str(tmp_path / "key"))
        assert made.code == 0, made
        signer = open_signer(str(tmp_path / "key"), environ={})
        bundle = signer.bundle(PAYLOAD_TYPE, statement())
        assert verified_by_cosign(tmp_path, bundle, (tmp_path / "key.pub").read_text())


@pytest.mark.needs("cosign", "softhsm2-util")
def test_cosign_verifies_a_bundle_by_a_token(tmp_path: Path) -> None:
    token = Token(tmp_path / "token")
    public = token.put("p256", 2)
    (tmp_path / "statement").write_bytes(statement())
    program = (
        "import os, sys\n"
        "from intoto_action.keys.words import open_signer\n"
        "word, public, statement, bundle = sys.argv[1:]\n"
        "signer = open_signer(word, environ=os.environ, password_env='PIN', public_key=public)\n"
        f"made = signer.bundle({PAYLOAD_TYPE!r}, open(statement, 'rb').read())\n"
        "open(bundle, 'wb').write(made)\n"
    )
    words = [token.word(2), str(public), str(tmp_path / "statement"), str(tmp_path / "made.json")]
    environ = {**os.environ, **token.environ, "PIN": PIN}
    subprocess.run([sys.executable, "-c", program, *words], env=environ, check=True, timeout=60)
    bundle = (tmp_path / "made.json").read_bytes()
    assert json.loads(bundle)["verificationMaterial"]["publicKey"]["hint"]
    assert verified_by_cosign(tmp_path, bundle, public.read_text())
    assert not verified_by_cosign(tmp_path, bundle, pem(private_key("p256", 1).public_key()))
