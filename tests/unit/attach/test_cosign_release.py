"""A cosign that is fetched runs when digest, proofs and identity hold, and each of them broken alone is refused."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.parts.forge import Fault, Forge
from tests.parts.keyless_signer import trust_root
from tests.parts.loopback import HANG, Asked, Loopback, Reply
from tests.parts.tls import TlsLoopback

from intoto_action.attach.cosign_release import COSIGN, Release, check_installed, fetch, file_for
from intoto_action.formats.identity import identity_of
from intoto_action.keys.sigstore import known_instance
from intoto_action.reason import Malformed, Unavailable
from intoto_action.trust.identities import differences
from intoto_action.trust.keyless import TrustRoot

BINARY = b'#!/bin/sh\necho "{\\"gitVersion\\": \\"v3.1.2\\"}"\n'
FILE = "cosign-linux-amd64"
BUNDLE = f"{FILE}.sigstore.json"
IDENTITY, ISSUER = "releaser@example.test", "https://accounts.example.test"
REAL = Path(__file__).parent / "cosign-v3.1.2"


@dataclass
class Site:
    """Where the release lies: what it answers, and what it was asked for."""

    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        return self.replies.get(asked.path, Reply(404))

    def put(self, name: str, body: bytes) -> None:
        self.replies[f"/v3.1.2/{name}"] = Reply(body=body)


@dataclass
class Shop:
    """A release on a server of loopback, and how a job fetches it."""

    forge: Forge
    root: TrustRoot
    site: Site
    url: str
    folder: Path

    def release(self, binary: bytes = BINARY) -> Release:
        return Release(
            version="3.1.2",
            base_url=f"{self.url}/v3.1.2",
            identity=IDENTITY,
            issuer=ISSUER,
            digests={FILE: hashlib.sha256(binary).hexdigest()},
        )

    def bundle(
        self, data: bytes = BINARY, identity: str = IDENTITY, issuer: str = ISSUER, fault: Fault | None = None
    ) -> bytes:
        return self.forge.sign(data, identity=identity, issuer=issuer, fault=fault).bundle

    def fetch(self, file: str = FILE, *, pinned: bytes = BINARY, **bounds: float) -> Path:
        ca = bounds.pop("ca", None)
        cap = int(bounds.pop("binary_cap", 1 << 20))
        return fetch(
            self.release(pinned),
            file,
            self.folder,
            self.root,
            ca_bundle=None if ca is None else str(ca),
            binary_cap=cap,
            **bounds,
        )

    def refused(self, kind: type[Exception], *words: str, **more: object) -> None:
        """That nothing is kept, and the sentence says why."""
        with pytest.raises(kind) as caught:
            self.fetch(**more)  # type: ignore[arg-type]
        for word in words:
            assert word in str(caught.value)
        assert not self.folder.exists()


@pytest.fixture
def shop(forge: Forge, tmp_path: Path) -> Iterator[Shop]:
    site = Site()
    with Loopback(site) as server:
        shop = Shop(forge, trust_root(forge), site, server.url, tmp_path / "temp" / "cosign")
        site.put(FILE, BINARY)
        site.put(BUNDLE, shop.bundle())
        yield shop


@pytest.fixture(scope="module")
def forge() -> Forge:
    return Forge()


def test_the_release_is_fetched_proved_and_can_be_run(shop: Shop) -> None:
    path = shop.fetch()
    assert path.read_bytes() == BINARY
    assert [each.name for each in shop.folder.iterdir()] == ["cosign"]
    assert b"v3.1.2" in subprocess.run([path], capture_output=True, check=True).stdout
    check_installed(path, {})


def test_no_credential_is_sent_for_it(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login robot password hunter2\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    shop.fetch()
    assert len(shop.site.asked) == 2
    for asked in shop.site.asked:
        assert "hunter2" not in str(asked)
        assert not {"authorization", "cookie"} & asked.headers.keys()


def test_a_second_use_in_a_job_asks_nobody(shop: Shop) -> None:
    shop.fetch()
    shop.site.asked.clear()
    shop.fetch()
    assert shop.site.asked == []


@pytest.mark.parametrize("left", ["other bytes", "a symlink", "no right to run it"])
def test_what_somebody_left_in_its_place_is_not_believed(shop: Shop, left: str, tmp_path: Path) -> None:
    shop.folder.mkdir(parents=True)
    path = shop.folder / "cosign"
    match left:
        case "other bytes":
            path.write_bytes(b"#!/bin/sh\necho evil\n")
            path.chmod(0o755)
        case "a symlink":
            (tmp_path / "elsewhere").write_bytes(BINARY)
            (tmp_path / "elsewhere").chmod(0o755)
            path.symlink_to(tmp_path / "elsewhere")
        case _:
            path.write_bytes(BINARY)
            path.chmod(0o600)
    assert shop.fetch() == path
    assert not path.is_symlink()
    assert path.read_bytes() == BINARY
    subprocess.run([path], capture_output=True, check=True)


def test_a_binary_that_is_not_the_pinned_one_is_refused(shop: Shop) -> None:
    """Even when the release's own authors signed it."""
    shop.site.put(FILE, b"changed")
    shop.site.put(BUNDLE, shop.bundle(b"changed"))
    shop.refused(Malformed, f"expected sha256 {hashlib.sha256(BINARY).hexdigest()}", FILE)


def test_a_bundle_for_another_file_is_refused(shop: Shop) -> None:
    shop.site.put(BUNDLE, shop.bundle(b"another file"))
    shop.refused(Malformed, BUNDLE, "expected a signature over sha256")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.CERTIFICATE_BY_A_PRIVATE_AUTHORITY, "a certificate that chains to the root"),
        (Fault.SCT_MISSING, "a certificate with one signed certificate timestamp of a trusted log"),
        (Fault.ENTRY_MISSING, "one entry of a transparency log"),
    ],
)
def test_a_bundle_with_a_proof_less_is_refused(shop: Shop, fault: Fault, expected: str) -> None:
    shop.site.put(BUNDLE, shop.bundle(fault=fault))
    shop.refused(Malformed, BUNDLE, expected)


def test_a_bundle_of_another_sigstore_is_refused(shop: Shop) -> None:
    shop.site.put(BUNDLE, Forge().sign(BINARY, identity=IDENTITY, issuer=ISSUER).bundle)
    shop.refused(Malformed, BUNDLE, "under the forge", "timestamps by others")


def test_a_bundle_by_somebody_else_is_refused(shop: Shop) -> None:
    shop.site.put(BUNDLE, shop.bundle(identity="somebody@example.test"))
    shop.refused(Malformed, BUNDLE, f"expected a certificate of {IDENTITY}, found somebody@example.test")


def test_a_bundle_of_another_issuer_is_refused(shop: Shop) -> None:
    shop.site.put(BUNDLE, shop.bundle(issuer="https://elsewhere.example.test"))
    shop.refused(Malformed, BUNDLE, f"issuer {ISSUER}", "issuer https://elsewhere.example.test")


@pytest.mark.parametrize("document", [b"{}", b'{"mediaType": 7}', b"{" * 5000])
def test_a_bundle_that_is_none_is_refused(shop: Shop, document: bytes) -> None:
    shop.site.put(BUNDLE, document)
    shop.refused(Malformed, BUNDLE)


def test_a_statement_about_the_binary_is_no_signature_of_it(shop: Shop) -> None:
    digest = hashlib.sha256(BINARY).hexdigest()
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": FILE, "digest": {"sha256": digest}}],
        "predicateType": "https://example.test/v1",
        "predicate": {},
    }
    signed = shop.forge.sign_dsse(
        "application/vnd.in-toto+json", json.dumps(statement).encode(), identity=IDENTITY, issuer=ISSUER
    )
    shop.site.put(BUNDLE, signed.bundle)
    shop.refused(Malformed, BUNDLE)


def _redirect(location: str) -> Reply:
    return Reply(302, headers={"Location": location})


@pytest.mark.parametrize(
    ("name", "reply", "words"),
    [
        (BUNDLE, Reply(404), ("expected 200, found 404", BUNDLE)),
        (FILE, Reply(404), ("expected 200, found 404", FILE)),
        (BUNDLE, Reply(body=b"<html>blocked</html>"), ("a page of something else",)),
        (BUNDLE, _redirect("http://example.test/x"), ("redirects to plain http", "example.test")),
        (FILE, _redirect("http://example.test/x"), ("redirects to plain http", "example.test")),
        (FILE, _redirect("file:///etc/passwd"), ("no clean http URL",)),
        (BUNDLE, Reply(body=b"{" + b" " * (1 << 17)), ("more than 131072 bytes",)),
    ],
)
def test_what_cannot_be_had_is_told(shop: Shop, name: str, reply: Reply, words: tuple[str, ...]) -> None:
    shop.site.replies[f"/v3.1.2/{name}"] = reply
    shop.refused(Unavailable, *words)


def test_a_binary_that_is_too_large_is_not_read_further(shop: Shop) -> None:
    shop.refused(Unavailable, "more than 10 bytes", binary_cap=10)


@pytest.mark.parametrize("name", [BUNDLE, FILE])
def test_a_server_that_is_too_slow_is_not_waited_for(shop: Shop, name: str) -> None:
    shop.site.replies[f"/v3.1.2/{name}"] = HANG
    shop.refused(Unavailable, name, bundle_seconds=0.5, binary_seconds=0.5)


def test_a_runner_that_reaches_nobody_knows_it_at_once(shop: Shop) -> None:
    """Where GitHub is out of reach it is so in every job, and attach goes on without."""
    shop.url = "http://127.0.0.1:1"
    shop.refused(Unavailable, "did not answer", "tried once")


def test_a_machine_without_a_binary_is_told(shop: Shop) -> None:
    shop.refused(Unavailable, "has no binary cosign-plan9-amd64", file="cosign-plan9-amd64")
    assert shop.site.asked == []


def test_a_company_s_certificate_serves_and_leads_nobody_to_plain_http(shop: Shop, tmp_path: Path) -> None:
    plain = shop.url
    with TlsLoopback(shop.site, tmp_path) as server:
        shop.url = server.url
        shop.refused(Unavailable, "no TLS that is trusted")
        good = shop.site.replies[f"/v3.1.2/{FILE}"]
        shop.site.replies[f"/v3.1.2/{FILE}"] = _redirect(f"{plain}/v3.1.2/{FILE}")
        shop.refused(Unavailable, "redirects to plain http", ca=server.ca)
        shop.site.replies["/elsewhere"] = good
        shop.site.replies[f"/v3.1.2/{FILE}"] = _redirect("/elsewhere")
        assert shop.fetch(ca=server.ca).read_bytes() == BINARY  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("system", "machine"),
    [
        ("Linux", "x86_64"),
        ("Linux", "aarch64"),
        ("Linux", "armv7l"),
        ("Linux", "ppc64le"),
        ("Linux", "riscv64"),
        ("Linux", "s390x"),
        ("Darwin", "x86_64"),
        ("Darwin", "arm64"),
    ],
)
def test_runners_have_a_binary(system: str, machine: str) -> None:
    assert file_for(system, machine) in COSIGN.digests


def test_the_pinned_digests_are_those_that_the_release_s_authors_signed() -> None:
    """The release's real list of digests and its real bundle, under Sigstore's production root."""
    listed = (REAL / "cosign_checksums.txt").read_bytes()
    instance = known_instance("production", root_file=None)
    assert instance is not None
    bundle = (REAL / "cosign_checksums.txt.sigstore.json").read_bytes()
    digest = hashlib.sha256(listed)
    certificate = instance.trust_root.certificate_over(digest.digest(), bundle, "the list")
    assert list(differences(identity_of(COSIGN.identity, COSIGN.issuer), certificate)) == []
    lines = (line.split() for line in listed.decode().splitlines())
    digests = {name: sha256 for sha256, name in lines}
    assert COSIGN.digests.items() <= digests.items()
    with pytest.raises(Malformed):
        other = hashlib.sha256(listed + b"\n").digest()
        instance.trust_root.certificate_over(other, bundle, "the list")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ('echo \'{"gitVersion": "v3.0.6"}\'', "too old"),
        ("echo hello", "does not say which version it is"),
        ("exec sleep 60", "within"),
    ],
)
def test_a_cosign_of_the_job_that_will_not_do_is_told(
    answer: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intoto_action.attach.cosign_release._VERSION_SECONDS", 0.5)
    path = tmp_path / "cosign"
    path.write_text(f"#!/bin/sh\n{answer}\n")
    path.chmod(0o755)
    with pytest.raises(Unavailable, match=words):
        check_installed(path, {"PATH": "/usr/bin:/bin"})


def test_a_cosign_of_the_job_gets_neither_keys_nor_its_own_switches(tmp_path: Path) -> None:
    path = tmp_path / "cosign"
    path.write_text(f'#!/bin/sh\nenv > "{tmp_path}/env"\necho \'{{"gitVersion": "v3.1.2"}}\'\n')
    path.chmod(0o755)
    secret = {
        "INTOTO_ACTION_SIGNING_KEY": "k",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t",
        "COSIGN_REPOSITORY": "r",
    }
    check_installed(path, {"PATH": "/usr/bin:/bin", **secret})
    seen = (tmp_path / "env").read_text()
    assert [name for name in secret if name in seen] == []
