"""Signing without a key against the real Fulcio, Rekor and timestamp authority: signatures, and how each fails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import chain, repeat
from pathlib import Path

import pytest
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy
from tests.parts.github_job import GitHubJob
from tests.parts.loopback import HANG, Reply, busy, refusal
from tests.parts.sigstore import SIGSTORE, PrivateSigstore

from intoto_action.deadline import Deadline
from intoto_action.formats.envelope import PAYLOAD_TYPE, parse_envelope
from intoto_action.formats.identity import identity_of
from intoto_action.formats.statement import encode_statement
from intoto_action.keys.certified import Certifier, Terms
from intoto_action.keys.keyless import KeylessSigner, certificate_of
from intoto_action.keys.oidc import token_source
from intoto_action.keys.sealing import seal, seal_bundle
from intoto_action.keys.sigstore import Instance, open_instance
from intoto_action.reason import IntotoActionError, Misused, Reason, Unavailable
from intoto_action.trust.signature import check_signature

pytestmark = pytest.mark.needs(*SIGSTORE)
JOB = GitHubJob()
PAYLOAD = b'{"_type":"link"}'
STATEMENT = encode_statement("https://example.com/p", {"a": 1}, "app", "sha256:" + "a" * 64)


def signer(
    trust_config: Path,
    environ: Mapping[str, str],
    *,
    seconds: float = 20,
    allow_public_log: bool = False,
    expected_identity: str | None = None,
) -> KeylessSigner:
    def opened(deadline: Deadline) -> Instance:
        return open_instance(
            str(trust_config), root_file=None, offline=False, deadline=deadline, tell=lambda _: None
        )

    terms = Terms(seconds=seconds, allow_public_log=allow_public_log, expected_identity=expected_identity)
    return KeylessSigner(Certifier(opened, token_source(environ), terms))


def refused(signer: KeylessSigner, kind: type[IntotoActionError]) -> str:
    with pytest.raises(kind) as error:
        seal(PAYLOAD_TYPE, PAYLOAD, signer)
    if isinstance(error.value, Unavailable):
        assert error.value.reason is Reason.SIGSTORE_UNAVAILABLE
    return str(error.value)


class TestSignatures:
    def test_an_envelope_is_signed_as_the_job(self, sigstore: PrivateSigstore) -> None:
        made = signer(sigstore.trust_config, sigstore.environ(JOB))
        envelope = parse_envelope(seal(PAYLOAD_TYPE, PAYLOAD, made), "it")
        assert made.key == identity_of(JOB.identity, sigstore.issuer)
        assert envelope.signatures[0].keyid == made.key.keyid
        root = made._certifier.instance.trust_root
        found = check_signature(envelope, made.key, root)
        assert found is not None
        assert found.certificate == certificate_of(made)

    def test_a_statement_is_signed_into_a_bundle_that_others_read(self, sigstore: PrivateSigstore) -> None:
        bundle = seal_bundle(PAYLOAD_TYPE, STATEMENT, signer(sigstore.trust_config, sigstore.environ(JOB)))
        verifier = Verifier(trusted_root=TrustedRoot.from_file(str(sigstore.trusted_root)))
        who = policy.Identity(identity=JOB.identity, issuer=sigstore.issuer)
        assert verifier.verify_dsse(Bundle.from_json(bundle), who) == (PAYLOAD_TYPE, STATEMENT)

    def test_an_old_statement_is_signed_as_it_is(self, sigstore: PrivateSigstore) -> None:
        """sigstore-python knows no Statement v0.1: this holds what its signer asks of one, which is not documented."""
        document = json.loads(STATEMENT) | {"_type": "https://in-toto.io/Statement/v0.1"}
        payload = json.dumps(document).encode()
        bundle = seal_bundle(PAYLOAD_TYPE, payload, signer(sigstore.trust_config, sigstore.environ(JOB)))
        verifier = Verifier(trusted_root=TrustedRoot.from_file(str(sigstore.trusted_root)))
        who = policy.Identity(identity=JOB.identity, issuer=sigstore.issuer)
        assert verifier.verify_dsse(Bundle.from_json(bundle), who) == (PAYLOAD_TYPE, payload)

    def test_one_certificate_is_for_all_signatures(self, sigstore: PrivateSigstore, tmp_path: Path) -> None:
        with sigstore.behind(tmp_path) as behind:
            made = signer(behind.trust_config, sigstore.environ(JOB))
            assert behind.fulcio.asked == []
            for _ in range(2):
                seal(PAYLOAD_TYPE, PAYLOAD, made)
            seal_bundle(PAYLOAD_TYPE, STATEMENT, made)
            assert [len(each.asked) for each in (behind.fulcio, behind.tsa, behind.rekor)] == [1, 3, 3]

    def test_a_token_is_asked_for_when_something_is_to_be_signed_and_once(
        self, sigstore: PrivateSigstore
    ) -> None:
        before = len(sigstore.provider.asked)
        made = signer(sigstore.trust_config, sigstore.environ(JOB))
        assert len(sigstore.provider.asked) == before
        assert made.certificate.claim("source-repository") == "https://github.com/octo/app"
        seal(PAYLOAD_TYPE, PAYLOAD, made)
        assert sigstore.provider.asked[before:] == ["sigstore"]


class TestServicesThatFail:
    @pytest.mark.parametrize("reply", [busy(0), refusal(500), refusal(502), refusal(503), refusal(504)])
    def test_each_is_asked_again(self, sigstore: PrivateSigstore, tmp_path: Path, reply: Reply) -> None:
        with sigstore.behind(tmp_path, fulcio=[reply], tsa=[reply], rekor=[reply]) as behind:
            made = signer(behind.trust_config, sigstore.environ(JOB, replies=[reply]))
            seal(PAYLOAD_TYPE, PAYLOAD, made)
            assert [len(each.asked) for each in (behind.fulcio, behind.tsa, behind.rekor)] == [2, 2, 2]

    @pytest.mark.parametrize("reply", [refusal(503, "closed today"), HANG])
    @pytest.mark.parametrize("service", ["fulcio", "tsa", "rekor"])
    def test_one_that_stays_away_is_named_with_its_address(
        self, sigstore: PrivateSigstore, tmp_path: Path, service: str, reply: Reply
    ) -> None:
        names = {"fulcio": "Fulcio", "tsa": "the timestamp authority", "rekor": "the log"}
        with sigstore.behind(tmp_path, **{service: repeat(reply)}) as behind:
            said = refused(signer(behind.trust_config, sigstore.environ(JOB), seconds=2), Unavailable)
            assert said.startswith(f"{names[service]} {getattr(behind, service).url}")
            assert ("no answer within" if reply is HANG else "HTTP 503: closed today") in said
            if service == "tsa":
                assert behind.rekor.asked == []

    def test_one_that_is_gone_is_named(self, sigstore: PrivateSigstore, tmp_path: Path) -> None:
        config = tmp_path / "gone.json"
        config.write_text(
            sigstore.trust_config.read_text().replace(sigstore.services.rekor, "http://127.0.0.1:1")
        )
        said = refused(signer(config, sigstore.environ(JOB), seconds=1), Unavailable)
        assert "the log http://127.0.0.1:1/api/v2: no answer: " in said
        assert "refused" in said

    def test_fulcios_own_words_are_told(self, sigstore: PrivateSigstore, tmp_path: Path) -> None:
        with sigstore.behind(tmp_path, fulcio=[refusal(403, "not on my watch")]) as behind:
            said = refused(signer(behind.trust_config, sigstore.environ(JOB)), Misused)
            assert "gave no certificate for this token: HTTP 403: not on my watch" in said
            assert f"take tokens of {sigstore.issuer}" in said
            assert len(behind.fulcio.asked) == 1

    def test_the_real_fulcio_says_what_it_does_not_like(self, sigstore: PrivateSigstore) -> None:
        environ = sigstore.environ(JOB, claims={"iss": "https://elsewhere.example"})
        said = refused(signer(sigstore.trust_config, environ), Misused)
        assert "HTTP 40" in said
        assert "take tokens of https://elsewhere.example" in said

    @pytest.mark.parametrize("service", ["fulcio", "tsa", "rekor"])
    def test_an_answer_that_is_none_is_told(
        self, sigstore: PrivateSigstore, tmp_path: Path, service: str
    ) -> None:
        page = Reply(200, b"<html>please log in</html>", {"Content-Type": "text/html"})
        with sigstore.behind(tmp_path, **{service: repeat(page)}) as behind:
            said = refused(signer(behind.trust_config, sigstore.environ(JOB), seconds=5), Unavailable)
            assert f"{getattr(behind, service).url}" in said
            assert len(getattr(behind, service).asked) == 1

    def test_a_log_that_has_the_signature_already_gets_another(
        self, sigstore: PrivateSigstore, tmp_path: Path
    ) -> None:
        with sigstore.behind(tmp_path, rekor=[refusal(409, "an equivalent entry exists")]) as behind:
            seal(PAYLOAD_TYPE, PAYLOAD, signer(behind.trust_config, sigstore.environ(JOB)))
            first, second = (each.body for each in behind.rekor.asked)
            assert first != second
            assert len(behind.fulcio.asked) == 1

    def test_a_log_that_has_every_signature_already_is_told(
        self, sigstore: PrivateSigstore, tmp_path: Path
    ) -> None:
        with sigstore.behind(tmp_path, rekor=repeat(refusal(409))) as behind:
            said = refused(signer(behind.trust_config, sigstore.environ(JOB)), Unavailable)
            assert "has taken none of 3 signatures" in said

    def test_an_entry_that_is_refused_is_told_in_the_words_of_the_log(
        self, sigstore: PrivateSigstore, tmp_path: Path
    ) -> None:
        with sigstore.behind(tmp_path, rekor=chain([refusal(413, "too large")])) as behind:
            said = refused(signer(behind.trust_config, sigstore.environ(JOB)), Unavailable)
            assert "did not take the entry: HTTP 413: too large" in said

    def test_services_of_one_instance_under_the_root_of_another_sign_nothing(
        self, sigstore: PrivateSigstore, tmp_path: Path
    ) -> None:
        from tests.parts.forge import Forge

        document = json.loads(sigstore.trust_config.read_text())
        foreign = json.loads(Forge().trusted_root)
        mixed = tmp_path / "mixed.json"
        mixed.write_text(json.dumps(document | {"trustedRoot": foreign}))
        said = refused(signer(mixed, sigstore.environ(JOB)), Unavailable)
        assert "its certificate does not hold under the trust config" in said
        document["trustedRoot"]["tlogs"] = foreign["tlogs"]
        mixed.write_text(json.dumps(document))
        said = refused(signer(mixed, sigstore.environ(JOB)), Unavailable)
        assert "Do the services and the trusted root of --sigstore belong together" in said


class TestTokens:
    @pytest.mark.parametrize(
        ("job", "expected"),
        [
            (JOB, JOB.identity),
            (GitHubJob.tag(), "https://github.com/octo/app/.github/workflows/build.yml@refs/tags/*"),
        ],
    )
    def test_the_expected_identity_signs(
        self, sigstore: PrivateSigstore, job: GitHubJob, expected: str
    ) -> None:
        made = signer(sigstore.trust_config, sigstore.environ(job), expected_identity=expected)
        assert made.key.identity == job.identity

    @pytest.mark.parametrize(
        "job",
        [
            GitHubJob.pull_request(),
            GitHubJob.tag(),
            GitHubJob(called="octo/shared/.github/workflows/build.yml@refs/heads/main"),
            GitHubJob(repository="mallory/app"),
        ],
    )
    def test_another_identity_signs_nothing_and_is_not_logged(
        self, sigstore: PrivateSigstore, tmp_path: Path, job: GitHubJob
    ) -> None:
        with sigstore.behind(tmp_path) as behind:
            made = signer(behind.trust_config, sigstore.environ(job), expected_identity=JOB.identity)
            said = refused(made, Misused)
            assert f"expected {JOB.identity}, found {job.identity} (issuer {sigstore.issuer})" in said
            assert (behind.tsa.asked, behind.rekor.asked) == ([], [])

    def test_a_token_that_is_nearly_over_is_replaced(self, sigstore: PrivateSigstore) -> None:
        before = len(sigstore.provider.asked)
        seal(PAYLOAD_TYPE, PAYLOAD, signer(sigstore.trust_config, sigstore.environ(JOB, lifetime=9)))
        assert len(sigstore.provider.asked) > before + 1

    @pytest.mark.parametrize(
        ("born", "words"), [(-3600, "by the clock of this machine"), (3600, "seconds slow; set it")]
    )
    def test_a_clock_that_is_wrong_is_told(self, sigstore: PrivateSigstore, born: int, words: str) -> None:
        assert words in refused(signer(sigstore.trust_config, sigstore.environ(JOB, born=born)), Misused)

    def test_a_provider_that_ignores_for_whom_the_token_is_asked_is_told(
        self, sigstore: PrivateSigstore
    ) -> None:
        said = refused(signer(sigstore.trust_config, sigstore.environ(JOB, audience="aws")), Misused)
        assert "expected a token for the audience 'sigstore', found one for 'aws'" in said

    def test_a_token_without_what_sigstore_needs_is_told(self, sigstore: PrivateSigstore) -> None:
        said = refused(signer(sigstore.trust_config, sigstore.environ(JOB, claims={"iat": None})), Misused)
        assert "expected the claims iss, sub, aud, exp and iat" in said

    def test_a_private_repository_may_use_a_log_of_its_own(self, sigstore: PrivateSigstore) -> None:
        job = GitHubJob(visibility="private")
        assert (
            signer(sigstore.trust_config, sigstore.environ(job)).certificate.claim("visibility") == "private"
        )
