"""A chain by keys of gpg and of a PKCS#11 token, as people run it: stock in-toto reads ours, and we what it wrote."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from in_toto.exceptions import SignatureVerificationError
from in_toto.models.metadata import Metadata
from in_toto.verifylib import in_toto_verify
from securesystemslib.signer._gpg_signer import GPGSigner
from tests.parts.desk import Ended, console_script, run
from tests.parts.gpg_home import GpgHome, gpg_home
from tests.parts.token import PIN, Token

from intoto_action.keys.keygen import generate

pytestmark = pytest.mark.needs("gpg", "softhsm2-util")
YAML = """\
expires: 1 year
functionaries:
  alice: {key: alice.asc}
  bob: {key: bob.gpg}
  token: {key: token.pub}
steps:
  - name: checkout
    functionaries: [alice]
    expected_products: [CREATE main.c]
  - name: build
    functionaries: [bob]
    expected_materials: [MATCH main.c WITH PRODUCTS FROM checkout]
    expected_products: [CREATE app, MATCH main.c WITH MATERIALS FROM build]
  - name: scan
    functionaries: [token]
    expected_materials: [MATCH app WITH PRODUCTS FROM build]
    expected_products: [CREATE report]
"""
WORK = {
    "checkout": (["--products", "main.c"], "echo 'int main;' > main.c"),
    "build": (["--materials", "main.c", "--products", "main.c", "--products", "app"], "cat main.c > app"),
    "scan": (["--materials", "app", "--products", "report"], "echo fine > report"),
}


class Custody:
    """alice has a primary key of Ed25519, bob a subkey of RSA, and the scanner a key on a token.

    Of gpg's other pairs securesystemslib reads no subkeys: it hashes packets with lengths of two bytes only.
    """

    def __init__(self, directory: Path, home: GpgHome) -> None:
        self.directory = directory
        self.home = home
        self.work = directory / "work"
        self.links = directory / "links"
        self.work.mkdir()
        self.alice = home.new_key("ed25519")
        self.bob = home.new_key("rsa2048", usage="cert")
        self.subkey = home.new_subkey(self.bob, "rsa2048")
        home.export(self.alice, directory / "alice.asc")
        home.export(self.bob, directory / "bob.gpg", armoured=False)
        self.token = Token(directory / "token")
        (directory / "token.pub").write_bytes(self.token.put("p256", 2).read_bytes())
        owner = generate("ed25519", None)
        (directory / "owner.pem").write_bytes(owner.private_pem)
        (directory / "owner.pem").chmod(0o600)
        (directory / "owner.pub").write_text(owner.public.pem)
        (directory / "layout.yaml").write_text(YAML)
        self.keys = {
            "checkout": ["--key", home.key(self.alice)],
            "build": ["--key", home.key(self.subkey)],
            "scan": self.on_token(),
        }

    def on_token(self, keyid: int = 2) -> list[str]:
        public = str(self.directory / "token.pub")
        return ["--key", self.token.word(keyid), "--public-key", public, "--password-env", "TOKEN_PIN"]

    def call(self, *words: str, **environ: str) -> Ended:
        ended = run(*words, cwd=self.work, environ={**self.token.environ, "TOKEN_PIN": PIN, **environ})
        assert PIN not in ended.out + ended.err
        return ended

    def sign_layout(self, *key: str) -> Ended:
        words = key or ("--key", str(self.directory / "owner.pem"))
        return self.call(
            "layout", "sign", *words, "--force", "-o", str(self.layout), str(self.directory / "layout.yaml")
        )

    @property
    def layout(self) -> Path:
        return self.directory / "root.layout"

    def record(self, step: str, *words: str, **environ: str) -> Ended:
        patterns, script = WORK[step]
        front = ["record", "--step-name", step, "--link-dir", str(self.links)]
        return self.call(*front, *(words or self.keys[step]), *patterns, "--", "sh", "-c", script, **environ)

    def make(self, *layout_key: str) -> Custody:
        """Sign the layout and do all steps."""
        for ended in (self.sign_layout(*layout_key), *(self.record(step) for step in WORK)):
            assert ended.code == 0, ended
        return self

    def verify(self, *words: str, key: str = "owner.pub") -> Ended:
        front = ["verify", "--link-dir", str(self.links), "--layout", str(self.layout)]
        return self.call(*front, "--layout-key", str(self.directory / key), *words)

    def stock_verify(self) -> subprocess.CompletedProcess[str]:
        program = str(Path(console_script()).with_name("in-toto-verify"))
        words = ["--layout", str(self.layout), "--link-dir", str(self.links)]
        return self._stock(program, *words, "--verification-keys", str(self.directory / "owner.pub"))

    def stock_library_verify(self, keyid: str) -> None:
        """As in-toto-verify does, with the layout's key as securesystemslib takes it from the keyring."""
        _, public = GPGSigner.import_(keyid, str(self.home.directory))
        key: dict[str, Any] = {**public.to_dict(), "keyid": public.keyid}
        in_toto_verify(Metadata.load(str(self.layout)), {public.keyid: key}, str(self.links))

    def stock_run(self, step: str, keyid: str) -> subprocess.CompletedProcess[str]:
        """`in-toto-run --gpg`, which writes a Metablock."""
        program = str(Path(console_script()).with_name("in-toto-run"))
        patterns, script = WORK[step]
        words = ["--step-name", step, "--metadata-directory", str(self.links), "--gpg", keyid]
        words += ["--gpg-home", str(self.home.directory), *_grouped(patterns)]
        self.links.mkdir(exist_ok=True)
        return self._stock(program, *words, "--", "sh", "-c", script)

    def stock_library_run(self, step: str, keyid: str) -> subprocess.CompletedProcess[str]:
        """in-toto's library with securesystemslib's GPGSigner, which writes DSSE."""
        patterns, script = WORK[step]
        pairs = list(zip(patterns[::2], patterns[1::2], strict=True))
        lists = [[value for each, value in pairs if each == flag] for flag in ("--materials", "--products")]
        self.links.mkdir(exist_ok=True)
        program = (
            "from in_toto.runlib import in_toto_run\n"
            "from securesystemslib.signer import GPGSigner\n"
            f"uri, public = GPGSigner.import_({keyid!r}, {str(self.home.directory)!r})\n"
            f"in_toto_run({step!r}, *{lists!r}, ['sh', '-c', {script!r}], use_dsse=True,"
            f" signer=GPGSigner.from_priv_key_uri(uri, public), metadata_directory={str(self.links)!r})\n"
        )
        return self._stock(sys.executable, "-c", program)

    def _stock(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.work, capture_output=True, text=True, check=False, timeout=120
        )

    def link(self, step: str) -> Path:
        (path,) = self.links.glob(f"{step}.*.link")
        return path


def _grouped(patterns: list[str]) -> list[str]:
    """`--products a --products b` as in-toto-run wants it: `--products a b`."""
    grouped: dict[str, list[str]] = {}
    for flag, value in zip(patterns[::2], patterns[1::2], strict=True):
        grouped.setdefault(flag, []).append(value)
    return [word for flag, values in grouped.items() for word in (flag, *values)]


@pytest.fixture
def custody(tmp_path: Path) -> Iterator[Custody]:
    with gpg_home() as home:
        yield Custody(tmp_path, home)


class TestOurChain:
    def test_passes_here_and_for_the_stock_verifier(self, custody: Custody) -> None:
        custody.make()
        ended = custody.verify()
        assert ended.code == 0, ended
        assert f"GPG key {custody.alice}" in ended.out
        assert f"GPG key {custody.subkey}" in ended.out
        stock = custody.stock_verify()
        assert stock.returncode == 0, stock.stderr

    def test_with_any_link_that_was_altered_fails_in_both(self, custody: Custody) -> None:
        custody.make()
        for step in WORK:
            path = custody.link(step)
            before = path.read_bytes()
            document = json.loads(before)
            signature = bytearray(base64.b64decode(document["signatures"][0]["sig"]))
            signature[-1] ^= 1
            document["signatures"][0]["sig"] = base64.b64encode(signature).decode()
            path.write_text(json.dumps(document))
            assert "DENIED: link-signature" in custody.verify().out
            assert custody.stock_verify().returncode != 0
            path.write_bytes(before)
        assert custody.verify().code == 0

    def test_with_a_link_by_another_subkey_fails_in_both(self, custody: Custody) -> None:
        custody.make()
        other = custody.home.new_subkey(custody.bob)
        path = custody.link("build")
        name = path.name
        path.unlink()
        assert custody.record("build", "--key", custody.home.key(other)).code == 0
        custody.link("build").rename(path.with_name(name))
        assert "DENIED: link-signature" in custody.verify().out
        assert custody.stock_verify().returncode != 0

    def test_with_a_revoked_key_fails_when_the_verifier_says_so(self, custody: Custody) -> None:
        custody.make()
        for word in (custody.alice, custody.alice.upper(), str(custody.directory / "alice.asc")):
            assert "DENIED: link-signature" in custody.verify("--revoked", word).out
        custody.home.revoke(custody.alice)
        revoked = custody.home.export(custody.alice, custody.directory / "revoked.asc")
        assert custody.verify().code == 0, "neither the layout nor the link knows"
        assert "DENIED: link-signature" in custody.verify("--revoked", str(revoked)).out

    def test_whose_layout_is_signed_with_gpg_passes_in_both(self, custody: Custody) -> None:
        """in-toto-verify --gpg reads signatures of Metablocks only, so the reference is asked as a library."""
        custody.make("--key", custody.home.key(custody.alice))
        assert custody.verify(key="alice.asc").code == 0
        assert "DENIED: layout-signature" in custody.verify(key="bob.gpg").out
        custody.stock_library_verify(custody.alice)
        with pytest.raises(SignatureVerificationError):
            custody.stock_library_verify(custody.subkey)

    def test_whose_layout_is_signed_on_the_token_passes_in_both(self, custody: Custody) -> None:
        custody.make(*custody.on_token())
        assert custody.verify(key="token.pub").code == 0
        (custody.directory / "owner.pub").write_bytes((custody.directory / "token.pub").read_bytes())
        stock = custody.stock_verify()
        assert stock.returncode == 0, stock.stderr

    def test_whose_layout_is_signed_by_two_kinds_of_keys_meets_a_threshold_of_two(
        self, custody: Custody
    ) -> None:
        custody.make("--key", custody.home.key(custody.alice))
        layout = ["-o", str(custody.layout), str(custody.directory / "layout.yaml")]
        appended = custody.call("layout", "sign", *custody.on_token(), "--append", *layout)
        assert appended.code == 0, appended
        words = ["--layout-key", str(custody.directory / "token.pub"), "--layout-threshold", "2"]
        assert custody.verify(*words, key="alice.asc").code == 0
        again = custody.call("layout", "sign", *custody.on_token(), "--append", *layout)
        assert "that has not signed this layout yet" in again.err


class TestChainsOfStockInToto:
    def test_recorded_with_gpg_pass_under_our_layout(self, custody: Custody) -> None:
        assert custody.sign_layout().code == 0
        for step, keyid in (("checkout", custody.alice), ("build", custody.subkey)):
            stock = custody.stock_run(step, keyid)
            assert stock.returncode == 0, stock.stderr
            assert "signature" in json.loads(custody.link(step).read_text())["signatures"][0]
        assert custody.record("scan").code == 0
        ended = custody.verify()
        assert ended.code == 0, ended
        # The reference itself takes such a Metablock with a layout's entry of its own older form alone.
        assert "KeyError: 'type'" in custody.stock_verify().stderr

    def test_recorded_with_gpg_as_dsse_pass_under_our_layout(self, custody: Custody) -> None:
        assert custody.sign_layout().code == 0
        for step, keyid in (("checkout", custody.alice), ("build", custody.subkey)):
            stock = custody.stock_library_run(step, keyid)
            assert stock.returncode == 0, stock.stderr
        assert custody.record("scan").code == 0
        assert custody.verify().code == 0
        assert custody.stock_verify().returncode == 0

    def test_recorded_with_another_gpg_key_fail(self, custody: Custody) -> None:
        custody.make()
        path = custody.link("checkout")
        path.unlink()
        other = custody.home.new_key()
        assert custody.stock_run("checkout", other).returncode == 0
        custody.link("checkout").rename(path)
        assert "DENIED: link-signature" in custody.verify().out


class TestRecording:
    def test_again_with_the_same_gpg_key_leaves_the_link_that_is_there(self, custody: Custody) -> None:
        custody.make()
        before = custody.link("checkout").read_bytes()
        assert custody.record("checkout").code == 0
        assert custody.link("checkout").read_bytes() == before

    def test_with_a_key_that_is_no_functionary_fails_before_the_command_runs(self, custody: Custody) -> None:
        assert custody.sign_layout().code == 0
        for key in (["--key", custody.home.key(custody.subkey)], custody.on_token()):
            ended = custody.record("checkout", *key, "--layout", str(custody.layout))
            assert ended.code == 2
            assert "expected a functionary of step 'checkout'" in ended.err
            assert not (custody.work / "main.c").exists()
        assert (
            custody.record("checkout", *custody.keys["checkout"], "--layout", str(custody.layout)).code == 0
        )

    def test_with_an_expired_key_fails_before_the_command_runs(self, custody: Custody) -> None:
        ended_key = custody.home.new_key("ed25519", "sign", "20200601T120000", at="20200101T120000")
        ended = custody.record("checkout", "--key", custody.home.key(ended_key))
        assert ended.code == 2
        assert f"{ended_key}, which expired on 2020-06-01" in ended.err
        assert not (custody.work / "main.c").exists()

    def test_hides_from_the_command_the_pin_and_the_tokens_of_the_service(self, custody: Custody) -> None:
        front = ["record", "--step-name", "scan", "--link-dir", str(custody.links), *custody.on_token()]
        ended = custody.call(*front, "--products", "seen", "--", "sh", "-c", "env > seen")
        assert ended.code == 0, ended
        seen = (custody.work / "seen").read_text()
        assert "PATH=" in seen
        assert "TOKEN_PIN" not in seen

    def test_unsigned_is_signed_by_gpg_and_by_the_token_in_another_process(self, custody: Custody) -> None:
        for step, key in (("checkout", custody.keys["checkout"]), ("scan", custody.on_token())):
            (custody.work / "app").write_text("app")
            ended = custody.record(step, "--unsigned")
            assert ended.code == 0, ended
            digest = ended.out.splitlines()[-1]
            words = ["--step-name", step, "--expect", digest, str(custody.links / f"{step}.link-unsigned")]
            signed = custody.call("sign", *key, *words)
            assert signed.code == 0, signed
            assert custody.link(step).is_file()

    def test_in_a_job_says_how_to_put_the_gpg_key_into_the_layout(self, custody: Custody) -> None:
        output = custody.directory / "output"
        output.touch()
        environ = {
            "GITHUB_OUTPUT": str(output),
            "RUNNER_TEMP": str(custody.directory),
            "GITHUB_EVENT_NAME": "push",
        }
        ended = custody.record("checkout", *custody.keys["checkout"], "--github", **environ)
        assert ended.code == 0, ended
        told = output.read_text()
        assert f"`gpg --armor --export {custody.alice}!` prints as {custody.alice[:8]}.asc" in told
        assert f"NAME: {{key: {custody.alice[:8]}.asc}}" in told


class TestTheToken:
    def test_with_another_key_in_the_slot_writes_nothing(self, custody: Custody) -> None:
        custody.token.put("p256", 3, number=1)
        ended = custody.record("scan", *custody.on_token(3))
        assert ended.code == 2
        assert (
            "does not hold under it: is --public-key the public key of 'hsm:3?label=build+token'" in ended.err
        )
        assert list(custody.links.glob("scan.*.link")) == []

    @pytest.mark.parametrize(
        ("word", "told"),
        [
            ("hsm:9?label=build+token", "could not find ECDSA private key"),
            ("hsm:2?label=other", "No PKCS#11 token found for label other"),
        ],
    )
    def test_without_the_key_says_so(self, custody: Custody, word: str, told: str) -> None:
        (custody.work / "app").write_text("app")
        key = ["--key", word, *custody.on_token()[2:]]
        ended = custody.record("scan", *key)
        assert ended.code == 2
        assert told in ended.err

    def test_with_a_wrong_pin_says_so_and_not_which(self, custody: Custody) -> None:
        (custody.work / "app").write_text("app")
        ended = custody.record("scan", TOKEN_PIN="1234-wrong-pin")
        assert ended.code == 2
        assert "the PIN is wrong" in ended.err
        assert "1234-wrong-pin" not in ended.out + ended.err

    def test_without_a_pin_fails_before_the_command_runs(self, custody: Custody) -> None:
        ended = custody.record("checkout", *custody.on_token(), TOKEN_PIN="")
        assert ended.code == 2
        assert not (custody.work / "main.c").exists()

    def test_whose_library_is_none_is_unavailable(self, custody: Custody) -> None:
        (custody.work / "app").write_text("app")
        ended = custody.record("scan", PYKCS11LIB="/etc/hostname")
        assert ended.code == 3
        assert "error: key-unavailable: the PKCS#11 token did not sign" in ended.err

    def test_on_p384_signs_links_that_the_stock_verifier_reads(self, custody: Custody) -> None:
        (custody.directory / "token.pub").write_bytes(custody.token.put("p384", 4).read_bytes())
        custody.keys["scan"] = custody.on_token(4)
        custody.make()
        assert custody.verify().code == 0
        assert custody.stock_verify().returncode == 0


def test_a_service_whose_libraries_are_not_installed_is_told_before_the_command_runs(
    custody: Custody,
) -> None:
    key = ["--key", "awskms:alias/build", "--public-key", str(custody.directory / "token.pub")]
    ended = custody.record("checkout", *key)
    assert ended.code == 2
    assert "pip install 'intoto-action[aws]'" in ended.err
    assert not (custody.work / "main.c").exists()


def test_a_link_by_a_pem_key_needs_none_of_it(custody: Custody) -> None:
    program = (
        "import sys; from intoto_action.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as ended: code = ended.code\n"
        "late = ('intoto_action.keys.gpg', 'intoto_action.keys.kms', 'intoto_action.trust.gpg_validity',"
        " 'securesystemslib.signer', 'pkcs11')\n"
        "print(code, [name for name in late if name in sys.modules])"
    )
    words = ["record", "--step-name", "checkout", "--key", str(custody.directory / "owner.pem")]
    words += ["--link-dir", str(custody.links), "--", "true"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=custody.work,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
