"""The private Sigstore is one: the clients of three languages sign with it or take what it certified."""

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from make.cache import CHECKOUT
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.oidc import IdentityToken, detect_credential
from sigstore.sign import SigningContext
from sigstore.verify import Verifier, policy
from tests.parts.certificate_authority import FULCIO
from tests.parts.forge import Forge
from tests.parts.github_job import GITHUB_ISSUER, GitHubJob
from tests.parts.sigstore import SIGSTORE, PrivateSigstore, private_sigstore
from tests.parts.tools import tool

pytestmark = pytest.mark.needs(*SIGSTORE)
DATA = b"what is signed"
JOBS = {
    "branch": GitHubJob(),
    "tag": GitHubJob.tag(),
    "pull request": GitHubJob.pull_request(),
    "reusable workflow": GitHubJob(called="octo/shared/.github/workflows/build.yml@refs/tags/v1"),
    "private repository": GitHubJob(visibility="private"),
    "other owner of the same name": GitHubJob(owner_id="9999"),
    "environment": GitHubJob(environment="prod"),
    "fork": GitHubJob(repository="mallory/app", owner_id="13", repository_id="14"),
    "runner of one's own": GitHubJob(runner="self-hosted", run_attempt="3"),
}


def sign(trust_config: Path, token: str) -> Bundle:
    """As sigstore-python signs."""
    context = SigningContext.from_trust_config(ClientTrustConfig.from_json(trust_config.read_text()))
    with context.signer(IdentityToken(token)) as signer:
        return signer.sign_artifact(DATA)


def verify(part: PrivateSigstore, bundle: Bundle, job: GitHubJob) -> None:
    root = ClientTrustConfig.from_json(part.trust_config.read_text()).trusted_root
    Verifier(trusted_root=root).verify_artifact(
        DATA, bundle, policy.Identity(identity=job.identity, issuer=part.issuer)
    )


def run(*command: str | Path, environ: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(word) for word in command], env=environ, capture_output=True, text=True, check=False, timeout=120
    )


def flags(part: PrivateSigstore, job: GitHubJob) -> list[str]:
    """What cosign and sigstore-verify are told."""
    return [
        f"--trusted-root={part.trusted_root}",
        f"--certificate-identity={job.identity}",
        f"--certificate-oidc-issuer={part.issuer}",
    ]


def claims_of(certificate: x509.Certificate, issuer: str) -> dict[str, bytes]:
    """Fulcio's extensions by number, with a placeholder for the issuer."""
    prefix = f"{FULCIO}."
    return {
        each.oid.dotted_string.removeprefix(prefix): each.value.public_bytes().replace(
            issuer.encode(), b"issuer"
        )
        for each in certificate.extensions
        if each.oid.dotted_string.startswith(prefix)
    }


def ask_fulcio(part: PrivateSigstore, token: str) -> tuple[int, dict[str, Any]]:
    """Status and document of the answer, whatever a client would have thought of the token."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    body = {"certificateSigningRequest": base64.b64encode(request.public_bytes(Encoding.PEM)).decode()}
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.post(
        f"{part.services.fulcio}/api/v2/signingCert", json=body, headers=headers, timeout=30
    )
    return answer.status_code, answer.json()


def certificate_of(document: dict[str, Any]) -> x509.Certificate:
    chain = document["signedCertificateEmbeddedSct"]["chain"]["certificates"]
    return x509.load_pem_x509_certificate(chain[0].encode())


@pytest.mark.needs("cosign", "sigstore-verify")
def test_the_clients_of_three_languages_accept_what_a_job_signed(
    sigstore: PrivateSigstore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = GitHubJob.tag()
    for name, value in sigstore.environ(job).items():
        monkeypatch.setenv(name, value)
    token = detect_credential()
    assert token is not None
    bundle = sign(sigstore.trust_config, token)
    verify(sigstore, bundle, job)
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "bundle").write_text(bundle.to_json())
    for command in (
        (tool("cosign"), "verify-blob", f"--bundle={tmp_path / 'bundle'}"),
        (tool("sigstore-verify"), tmp_path / "bundle"),
    ):
        done = run(*command, *flags(sigstore, job), tmp_path / "data")
        assert done.returncode == 0, done.stderr
        denied = run(*command, *flags(sigstore, GitHubJob()), tmp_path / "data")
        assert denied.returncode == 1, denied.stdout


@pytest.mark.needs("cosign")
def test_cosign_signs_as_the_job_whose_variables_it_has(sigstore: PrivateSigstore, tmp_path: Path) -> None:
    job = GitHubJob.pull_request()
    (tmp_path / "data").write_bytes(DATA)
    trust = (f"--signing-config={sigstore.signing_config}", f"--trusted-root={sigstore.trusted_root}")
    words = ("--yes", f"--bundle={tmp_path / 'bundle'}", *trust, tmp_path / "data")
    environ = {**sigstore.environ(job), "HOME": str(tmp_path)}
    done = run(tool("cosign"), "sign-blob", *words, environ=environ)
    assert done.returncode == 0, done.stderr
    verify(sigstore, Bundle.from_json((tmp_path / "bundle").read_bytes()), job)


def test_the_command_of_sigstore_python_signs_with_a_token(sigstore: PrivateSigstore, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    command = [sys.executable, "-m", "sigstore", f"--trust-config={sigstore.trust_config}", "sign"]
    words = [f"--bundle={tmp_path / 'bundle'}", f"--identity-token={sigstore.token()}"]
    done = run(*command, *words, tmp_path / "data")
    assert done.returncode == 0, done.stderr
    verify(sigstore, Bundle.from_json((tmp_path / "bundle").read_bytes()), GitHubJob())


@pytest.mark.parametrize("name", JOBS)
def test_a_certificate_says_of_a_job_what_the_forge_says_of_it(sigstore: PrivateSigstore, name: str) -> None:
    status, document = ask_fulcio(sigstore, sigstore.token(JOBS[name]))
    assert status == 200, document
    real = certificate_of(document)
    forged = Forge().sign(DATA, job=JOBS[name]).certificate
    assert claims_of(real, sigstore.issuer) | {"8": b""} == claims_of(forged, GITHUB_ISSUER) | {"8": b""}
    names = [each.extensions.get_extension_for_class(x509.SubjectAlternativeName) for each in (real, forged)]
    assert names[0] == names[1]
    kinds = [{(each.oid, each.critical) for each in extensions.extensions} for extensions in (real, forged)]
    assert kinds[0] == kinds[1]


UNTRUE = {
    "expired": {"born": -600},
    "not yet valid": {"born": 600},
    "for another audience": {"audience": "nobody"},
    "of another provider": {"claims": {"iss": GITHUB_ISSUER}},
    **{f"without {claim}": {"claims": {claim: None}} for claim in ("repository", "job_workflow_ref", "iss")},
}


@pytest.mark.parametrize("name", UNTRUE)
def test_a_token_that_does_not_hold_gets_no_certificate(sigstore: PrivateSigstore, name: str) -> None:
    status, document = ask_fulcio(sigstore, sigstore.token(**UNTRUE[name]))  # type: ignore[arg-type]
    assert (status, sorted(document)) == (400, ["code", "details", "message"])


def test_two_run_side_by_side_and_do_not_know_each_other(sigstore: PrivateSigstore, tmp_path: Path) -> None:
    with private_sigstore(tmp_path) as other:
        bundle = sign(other.trust_config, other.token())
        verify(other, bundle, GitHubJob())
        with pytest.raises(Exception, match=r"candidates exhausted|not enough sources"):
            verify(sigstore, bundle, GitHubJob())


FAILING = """
import pytest
pytest_plugins = ["tests.parts.sigstore"]
def test_that_fails(sigstore) -> None:
    assert sigstore.issuer == ""
"""


def test_the_report_of_a_failed_test_has_the_last_words_of_the_servers(tmp_path: Path) -> None:
    (tmp_path / "test_probe.py").write_text(FAILING)
    words = (f"--rootdir={tmp_path}", f"--confcutdir={tmp_path}", "-c/dev/null", "-pno:cacheprovider")
    environ = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = run(sys.executable, "-m", "pytest", *words, tmp_path / "test_probe.py", environ=environ)
    assert done.returncode == 1, done.stdout
    for name in SIGSTORE:
        assert f"{name}, last words" in done.stdout
    assert "listening on 127.0.0.1:" in done.stdout
