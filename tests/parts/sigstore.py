"""A private Sigstore on loopback, as the session fixture `sigstore`: the real Fulcio, Rekor v2 and timestamp authority.

The identity provider and the CT log are the tests' own. Everything has keys of this run and ports that were free, so
that two runs do not meet. A test that asks for `sigstore` needs fulcio, rekor-server and timestamp-server
(`@pytest.mark.needs(*SIGSTORE)`); when it fails, the last words of the servers are in its report.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from tests.parts import trust_documents
from tests.parts.certificate_authority import CertificateAuthority
from tests.parts.ct_server import CtServer
from tests.parts.detour import Detour
from tests.parts.fulcio_config import fulcio_config
from tests.parts.github_job import GitHubJob
from tests.parts.loopback import HOST, Loopback, Reply
from tests.parts.oidc_issuer import AUDIENCE, LIFETIME, OidcIssuer, Terms
from tests.parts.registries import DidNotStart, free_port, running
from tests.parts.tools import tool
from tests.parts.transparency_log import TransparencyLog
from tests.parts.trust_documents import AuthorityTrust, LogTrust

SIGSTORE = ("fulcio", "rekor-server", "timestamp-server")
"""The parts that a test with the fixture names."""

_AS_IT_IS: Mapping[str, object] = MappingProxyType({})
_PASSWORD = "of the tests"
_TIMESTAMPS = "/api/v1/timestamp"
_TRIES = 3
_LAST_WORDS = 4000


@dataclass(frozen=True)
class Services:
    """Where the services of an instance are."""

    fulcio: str
    rekor: str
    tsa: str


@dataclass(frozen=True)
class PrivateSigstore:
    """The running instance.

    `trusted_root`, `signing_config` and `trust_config` are files: what verifiers, cosign and sigstore-python or this
    project read. `logs` has a file for each server.
    """

    services: Services
    provider: OidcIssuer
    trusted_root: Path
    signing_config: Path
    trust_config: Path
    logs: Mapping[str, Path]

    @property
    def issuer(self) -> str:
        """What its certificates call the identity provider."""
        return self.provider.url

    def token(
        self,
        job: GitHubJob | None = None,
        *,
        claims: Mapping[str, object] = _AS_IT_IS,
        audience: str = AUDIENCE,
        lifetime: int = LIFETIME,
        born: int = 0,
    ) -> str:
        """A token of a job, for `--identity-token`. In `claims`, None leaves one out; it is `born` seconds from now."""
        return self.provider.token(Terms(job or GitHubJob(), claims, audience, lifetime, born))

    def environ(
        self,
        job: GitHubJob | None = None,
        *,
        claims: Mapping[str, object] = _AS_IT_IS,
        audience: str | None = None,
        lifetime: int = LIFETIME,
        born: int = 0,
        replies: Iterable[Reply] = (),
    ) -> dict[str, str]:
        """The variables of a job with `id-token: write`: what the runner says of it, and where its tokens are.

        The tokens are for whom they are asked for, unless `audience` says that the provider ignores it. `replies` are
        what the token endpoint answers at first, in the place of tokens.
        """
        job = job or GitHubJob()
        terms = Terms(job, claims, audience, lifetime, born)
        return job.environ | self.provider.environ(terms, replies)

    @contextmanager
    def behind(
        self,
        folder: Path,
        *,
        fulcio: Iterable[Reply] = (),
        rekor: Iterable[Reply] = (),
        tsa: Iterable[Reply] = (),
    ) -> Iterator[Behind]:
        """The same instance, each service reached by a detour that answers with these replies first.

        `itertools.repeat(REPLY)` never lets anything pass.
        """
        with (
            Detour(self.services.fulcio, fulcio) as to_fulcio,
            Detour(self.services.rekor, rekor) as to_rekor,
            Detour(self.services.tsa, tsa) as to_tsa,
        ):
            services = Services(to_fulcio.url, to_rekor.url, to_tsa.url)
            config = _signing_config(services, self.issuer)
            trust_config = folder / "trust_config_behind.json"
            root = json.loads(self.trusted_root.read_text())
            trust_config.write_text(json.dumps(trust_documents.trust_config(root, config)))
            yield Behind(trust_config, to_fulcio, to_rekor, to_tsa)


@dataclass(frozen=True)
class Behind:
    """The detours of an instance, and the client trust config that takes them."""

    trust_config: Path
    fulcio: Detour
    rekor: Detour
    tsa: Detour


@contextmanager
def private_sigstore(folder: Path) -> Iterator[PrivateSigstore]:
    """Start everything, in a second or two, and stop it at the end. Raises DidNotStart with a server's log."""
    since = datetime.now(UTC) - timedelta(hours=1)
    ca = CertificateAuthority("private.test", since, since + timedelta(days=2))
    log = TransparencyLog(HOST, ed25519.Ed25519PrivateKey.generate())
    ct = CtServer()
    with ExitStack() as stack:
        provider = stack.enter_context(OidcIssuer())
        ct_url = stack.enter_context(Loopback(ct)).url
        tsa = stack.enter_context(_timestamp_server(folder))
        rekor = stack.enter_context(_again(partial(_rekor_server, folder, log)))
        fulcio = stack.enter_context(_again(partial(_fulcio, folder, ca, ct, ct_url, provider.url)))
        tsa_chain = x509.load_pem_x509_certificates(_get(f"{tsa}{_TIMESTAMPS}/certchain"))
        services = Services(fulcio, rekor, tsa)
        root = trust_documents.trusted_root(
            logs=[LogTrust(rekor, log.public_der, log.key_details, log.log_id, since)],
            ct_logs=[LogTrust(ct_url, ct.log.public_der, "PKIX_ECDSA_P256_SHA_256", ct.log.log_id, since)],
            certificate_authorities=[AuthorityTrust(fulcio, ca.chain, since)],
            timestamp_authorities=[AuthorityTrust(f"{tsa}{_TIMESTAMPS}", tsa_chain, since)],
        )
        config = _signing_config(services, provider.url)
        documents = {
            "trusted_root": root,
            "signing_config": config,
            "trust_config": trust_documents.trust_config(root, config),
        }
        files = {name: folder / f"{name}.json" for name in documents}
        for name, document in documents.items():
            files[name].write_text(json.dumps(document, indent=1))
        logs = {name: folder / f"{name}.log" for name in SIGSTORE}
        yield PrivateSigstore(services, provider, **files, logs=logs)


@pytest.fixture(scope="session")
def sigstore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSigstore]:
    """Needs fulcio, rekor-server, timestamp-server."""
    with private_sigstore(tmp_path_factory.mktemp("sigstore")) as running_sigstore:
        yield running_sigstore


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the last words of the servers into the report of a test that failed with them."""
    report = yield
    part = getattr(item, "funcargs", {}).get("sigstore")
    if report.failed and isinstance(part, PrivateSigstore):
        for name, log in part.logs.items():
            report.sections.append((f"{name}, last words", log.read_text(errors="replace")[-_LAST_WORDS:]))
    return report


def _signing_config(services: Services, issuer: str) -> trust_documents.Document:
    return trust_documents.signing_config(
        fulcio=services.fulcio,
        rekor=services.rekor,
        rekor_version=2,
        tsa=f"{services.tsa}{_TIMESTAMPS}",
        issuer=issuer,
        valid_from=datetime.now(UTC) - timedelta(hours=1),
    )


@contextmanager
def _timestamp_server(folder: Path) -> Iterator[str]:
    log = folder / "timestamp-server.log"
    with running([tool("timestamp-server")], log, lambda: _announced(log) is not None):
        yield f"http://{_announced(log)}"


def _announced(log: Path) -> str | None:
    found = re.search(r"^listening on (\S+)$", log.read_text(errors="replace"), re.MULTILINE)
    return found[1] if found else None


@contextmanager
def _rekor_server(folder: Path, log: TransparencyLog) -> Iterator[str]:
    key = folder / "rekor.key"
    key.write_bytes(log.key_pem)
    port, grpc, metrics = free_port(), free_port(), free_port()
    words = {
        "--hostname": HOST,
        "--http-address": HOST,
        "--http-port": port,
        "--grpc-address": HOST,
        "--grpc-port": grpc,
        "--http-metrics-port": metrics,
        "--storage-dir": folder / f"log-{port}",
        "--signer-filepath": key,
        # the shortest that the log's library allows; the server looks for a new checkpoint once a second
        "--checkpoint-interval": "100ms",
        "--batch-max-age": "20ms",
    }
    argv: list[str | Path] = [tool("rekor-server"), "serve", *_words(words)]
    url = f"http://{HOST}:{port}"
    with running(argv, folder / "rekor-server.log", lambda: _is_up(f"{url}/healthz")):
        yield url


@contextmanager
def _fulcio(folder: Path, ca: CertificateAuthority, ct: CtServer, ct_url: str, issuer: str) -> Iterator[str]:
    files = {
        "ca.pem": b"".join(each.public_bytes(Encoding.PEM) for each in ca.chain),
        "ca.key": ca.key_pem(_PASSWORD.encode()),
        "ct.pub": ct.log.public_pem,
        "fulcio.yaml": yaml.safe_dump(fulcio_config(issuer)).encode(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    port, grpc = free_port(), free_port()
    words = {
        "--host": HOST,
        "--port": port,
        "--grpc-host": HOST,
        "--grpc-port": grpc,
        "--legacy-unix-domain-socket": f"@fulcio-of-the-tests-{port}",
        "--metrics-port": 0,  # its page cannot be switched off: it takes any port, of all interfaces
        "--ca": "fileca",
        "--fileca-cert": folder / "ca.pem",
        "--fileca-key": folder / "ca.key",
        "--fileca-key-passwd": _PASSWORD,
        "--ct-log-url": ct_url,
        "--ct-log-public-key-path": folder / "ct.pub",
        "--config-path": folder / "fulcio.yaml",
    }
    argv: list[str | Path] = [tool("fulcio"), "serve", "--fileca-watch=false", *_words(words)]
    url = f"http://{HOST}:{port}"
    with running(argv, folder / "fulcio.log", lambda: _is_up(f"{url}/healthz")):
        yield url


def _words(options: Mapping[str, object]) -> list[str]:
    return [word for name, value in options.items() for word in (name, str(value))]


@contextmanager
def _again(start: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """Start a server with other ports when somebody took one in the moment between finding and using it."""
    with ExitStack() as stack:
        for attempt in range(1, _TRIES + 1):
            try:
                url = stack.enter_context(start())
                break
            except DidNotStart as error:
                if attempt == _TRIES or "address already in use" not in str(error):
                    raise
        yield url


def _is_up(url: str) -> bool:
    try:
        _get(url)
    except OSError:
        return False
    return True


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:
        content: bytes = answer.read()
        return content
