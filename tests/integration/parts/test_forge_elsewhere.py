"""What the forge makes is accepted by the verifiers of two other languages, and what another instance made is not."""

import subprocess
from pathlib import Path

import pytest
from tests.parts.forge import Forge, Form, GitHubJob, Log, Signed
from tests.parts.github_job import GITHUB_ISSUER
from tests.parts.tools import tool

STATEMENT = (
    b'{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"'
    + b"0" * 64
    + b'"}}],'
    b'"predicateType":"https://example.com/tests/v1","predicate":{}}'
)


def sign(forge: Forge, log: Log, form: Form) -> Signed:
    if form is Form.DSSE:
        return forge.sign_dsse("application/vnd.in-toto+json", STATEMENT, log=log)
    return forge.sign(STATEMENT, log=log)


def verified_by(command: list[str | Path], forge: Forge, bundle: bytes, folder: Path) -> tuple[int, str]:
    """Exit code and complaint of a verifier that trusts the forge; the artifact is `data`."""
    (folder / "root.json").write_text(forge.trusted_root)
    (folder / "bundle.json").write_bytes(bundle)
    (folder / "data").write_bytes(STATEMENT)
    words = [
        f"--trusted-root={folder / 'root.json'}",
        f"--certificate-identity={GitHubJob().identity}",
        f"--certificate-oidc-issuer={GITHUB_ISSUER}",
    ]
    done = subprocess.run(
        [*command, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stderr


@pytest.mark.needs("cosign")
@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("log", Log)
def test_cosign_accepts_what_the_forge_signs(tmp_path: Path, log: Log, form: Form) -> None:
    forge = Forge()
    command: list[str | Path] = [tool("cosign"), "verify-blob", "--bundle=bundle.json", "data"]
    if form is Form.DSSE:
        kind = "--type=https://example.com/tests/v1"
        command = [
            tool("cosign"),
            "verify-blob-attestation",
            "--bundle=bundle.json",
            kind,
            "--check-claims=false",
        ]
    assert verified_by(command, forge, sign(forge, log, form).bundle, tmp_path) == (0, "Verified OK\n")
    code, said = verified_by(command, forge, sign(Forge(), log, form).bundle, tmp_path)
    assert code == 1, said


@pytest.mark.needs("sigstore-verify")
@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("log", Log)
def test_sigstore_verify_accepts_what_the_forge_signs(tmp_path: Path, log: Log, form: Form) -> None:
    forge = Forge()
    command: list[str | Path] = [
        tool("sigstore-verify"),
        "bundle.json",
        *(["data"] if form is Form.MESSAGE else []),
    ]
    assert verified_by(command, forge, sign(forge, log, form).bundle, tmp_path)[0] == 0
    code, said = verified_by(command, forge, sign(Forge(), log, form).bundle, tmp_path)
    assert (code, "_ERROR: " in said) == (1, True)
