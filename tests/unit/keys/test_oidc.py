"""The OIDC token: where it comes from, and for each way not to get one what a person should change."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from pathlib import Path

import pytest
from tests.parts.github_job import GitHubJob
from tests.parts.loopback import HANG, Reply, busy, json_reply, refusal
from tests.parts.oidc_issuer import OidcIssuer, Terms

from intoto_action.deadline import Deadline
from intoto_action.keys.attempts import Attempts
from intoto_action.keys.oidc import AUDIENCE, IdentityToken, check_token, fetch_claims, token_source
from intoto_action.keys.oidc_ambient import AmbientTokens
from intoto_action.reason import Misused, Reason, Unavailable

JOB = GitHubJob()
GITHUB = {"GITHUB_ACTIONS": "true"}


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcIssuer]:
    with OidcIssuer() as running:
        yield running


def environ(provider: OidcIssuer, replies: Iterable[Reply] = ()) -> dict[str, str]:
    return GITHUB | provider.environ(Terms(JOB, {}), replies)


def fetch(environ: Mapping[str, str], given: str | None = None, seconds: float = 10) -> IdentityToken:
    attempts = Attempts(Deadline(seconds), lambda _: None)
    return token_source(environ, given=given).fetch(AUDIENCE, attempts)


def refused(environ: Mapping[str, str], *, given: str | None = None, seconds: float = 10) -> str:
    with pytest.raises((Misused, Unavailable)) as error:
        fetch(environ, given, seconds)
    said = str(error.value)
    for name, value in environ.items():
        if name.endswith("_TOKEN") and value:
            assert value not in said
    return said


class TestGithub:
    def test_the_token_of_the_job_is_asked_for(self, provider: OidcIssuer) -> None:
        token = fetch(environ(provider))
        assert token.said.issuer == provider.url
        assert token.said.claims.items() >= JOB.token_claims.items()
        check_token(token, AUDIENCE, "it")
        assert provider.asked[-1] == AUDIENCE

    def test_its_claims_are_asked_for_with_an_audience_that_nobody_takes(self, provider: OidcIssuer) -> None:
        claims = fetch_claims(environ(provider), Deadline(10))
        assert claims["job_workflow_ref"] == JOB.job_workflow_ref
        assert (claims["aud"], provider.asked[-1]) == ("nobody", "nobody")

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    def test_what_may_pass_is_tried_again(self, provider: OidcIssuer, status: int) -> None:
        assert fetch(environ(provider, [refusal(status), refusal(status)])).said.issuer == provider.url

    def test_a_server_that_stays_broken_is_named_with_its_words(self, provider: OidcIssuer) -> None:
        said = refused(environ(provider, repeat(refusal(503, "out of tokens"))), seconds=0.3)
        host = provider.url.removeprefix("http://")
        assert said.startswith(f"GitHub's token server {host}: HTTP 503: ")
        assert "out of tokens" in said

    def test_a_server_that_asks_for_patience_is_asked_no_more_when_there_is_none(
        self, provider: OidcIssuer
    ) -> None:
        assert "asks to wait 60 more" in refused(environ(provider, repeat(busy(60))))

    def test_a_server_that_hangs_is_left(self, provider: OidcIssuer) -> None:
        assert "no answer within" in refused(environ(provider, repeat(HANG)), seconds=0.2)

    def test_a_server_that_is_not_there_is_told(self, provider: OidcIssuer) -> None:
        gone = environ(provider) | {"ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:1/token?a=b"}
        assert "127.0.0.1:1: no answer" in refused(gone, seconds=0.3)

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
    def test_a_refusal_is_told_in_the_words_of_the_server_and_not_tried_again(
        self, provider: OidcIssuer, status: int
    ) -> None:
        here = environ(provider, [refusal(status, "not for you")])
        said = refused(here)
        assert f"refused to give a token (HTTP {status}: " in said
        assert "not for you" in said

    @pytest.mark.parametrize("status", [401, 500])
    def test_a_server_that_repeats_what_it_was_asked_with_shows_no_secret(
        self, provider: OidcIssuer, status: int
    ) -> None:
        said: list[str] = []
        here = environ(provider, (refusal(status, said[0]) for _ in repeat(None)))
        said.append(f"{here['ACTIONS_ID_TOKEN_REQUEST_TOKEN']} for {provider.token(Terms(JOB, {}))}")
        assert "(a token, not shown) for (a token, not shown)" in refused(here, seconds=0.2)

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(200, b"<html>who are you?</html>"),
            json_reply({}),
            json_reply({"value": 7}),
            json_reply({"value": "none"}),
            json_reply(["value"]),
            Reply(200, b'{"value": "a", "value": "b"}'),
            Reply(200, b'{"value": "' + b"x" * (1 << 20) + b'"}'),
            Reply(200),
        ],
    )
    def test_an_answer_that_holds_no_token_is_told(self, provider: OidcIssuer, reply: Reply) -> None:
        with pytest.raises(Unavailable, match="expected ") as error:
            fetch(environ(provider, [reply]))
        assert error.value.reason is Reason.SIGSTORE_UNAVAILABLE

    @pytest.mark.parametrize(
        "url",
        ["http://tokens.example/token?a=b", "ftp://127.0.0.1/token", "file:///etc/passwd", "https://", "x"],
    )
    def test_the_right_to_ask_is_sent_to_nobody_without_tls(self, url: str) -> None:
        here = GITHUB | {
            "ACTIONS_ID_TOKEN_REQUEST_URL": url,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "s3cr3t-s3cr3t",
        }
        assert "expected an https URL" in refused(here)

    def test_without_the_permission_the_lines_to_add_are_told(self) -> None:
        assert "add `id-token: write` to the `permissions:` of the job" in refused(GITHUB)
        half = GITHUB | {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://t.example/?a=b"}
        assert "id-token: write" in refused(half)

    def test_a_fork_is_not_told_to_change_its_permissions(self) -> None:
        why = token_source(GITHUB, from_fork=True).missing()
        assert why is not None
        assert "pull request from a fork" in why
        assert "id-token" not in why


class TestGiven:
    def token(self, provider: OidcIssuer, audience: str = AUDIENCE, born: int = 0) -> str:
        return provider.token(Terms(JOB, {}, audience, born=born))

    def test_the_flag_comes_before_the_variable_and_both_before_the_job(self, provider: OidcIssuer) -> None:
        here = environ(provider) | {"SIGSTORE_ID_TOKEN": self.token(provider, "of the variable")}
        assert fetch(here, self.token(provider, "of the flag")).said.audiences == ("of the flag",)
        assert fetch(here).said.audiences == ("of the variable",)
        assert fetch(here | {"SIGSTORE_ID_TOKEN": ""}).said.audiences == (AUDIENCE,)

    def test_white_space_around_a_token_is_no_part_of_it(self, provider: OidcIssuer) -> None:
        token = self.token(provider)
        assert fetch({}, f"\n{token} \n").secret == token

    def test_what_is_no_token_is_refused_and_not_shown(self) -> None:
        said = refused({"SIGSTORE_ID_TOKEN": "ghp_abcdefghijklmnop"})
        assert "the environment variable SIGSTORE_ID_TOKEN: expected an OIDC token" in said

    def check(self, token: str, now: float | None = None) -> str:
        with pytest.raises(Misused) as error:
            check_token(fetch({}, token), AUDIENCE, "the token", now=now)
        assert token not in str(error.value)
        return str(error.value)

    def test_a_token_for_somebody_else_is_refused_with_whom_to_ask(self, provider: OidcIssuer) -> None:
        said = self.check(self.token(provider, "https://github.com/octo"))
        assert "expected a token for the audience 'sigstore', found one for 'https://github.com/octo'" in said
        assert f"ask {provider.url} for 'sigstore'" in said

    def test_what_will_be_refused_is_refused_before_there_is_anything_to_sign(
        self, provider: OidcIssuer
    ) -> None:
        source = token_source({"SIGSTORE_ID_TOKEN": self.token(provider)})
        source.check(AUDIENCE)
        for bad in ("none", self.token(provider, "other"), self.token(provider, born=-600)):
            with pytest.raises(Misused):
                token_source({"SIGSTORE_ID_TOKEN": bad}).check(AUDIENCE)

    def test_a_token_that_is_over_is_refused_with_both_times(self, provider: OidcIssuer) -> None:
        said = self.check(self.token(provider, born=-600))
        assert "the token was good until " in said
        assert "ask for one right before signing" in said

    def test_a_slow_clock_is_told_from_a_bad_token(self, provider: OidcIssuer) -> None:
        said = self.check(self.token(provider), now=time.time() - 3600)
        assert "clock is 35" in said
        assert "seconds slow; set it" in said


class TestElsewhere:
    def test_on_a_laptop_there_is_nobody_to_ask(self, tmp_path: Path) -> None:
        why = AmbientTokens({}, tmp_path / "none").missing()
        assert why is not None
        assert "this is no CI job" in why
        assert "--key" in why

    def test_a_gitlab_job_without_a_token_is_told_the_lines_to_add(self) -> None:
        why = token_source({"GITLAB_CI": "true"}).missing()
        assert why is not None
        assert "add `id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}` to the job" in why

    def test_a_gitlab_job_has_its_token_in_the_variable(self, provider: OidcIssuer) -> None:
        token = provider.token(Terms(JOB, {}, AUDIENCE))
        assert fetch({"GITLAB_CI": "true", "SIGSTORE_ID_TOKEN": token}).secret == token

    @pytest.mark.parametrize(
        ("variable", "command"), [("BUILDKITE", "buildkite-agent"), ("CIRCLECI", "circleci")]
    )
    def test_the_command_that_has_the_token_must_be_there(
        self, tmp_path: Path, variable: str, command: str
    ) -> None:
        here = {variable: "true", "PATH": str(tmp_path)}
        why = AmbientTokens(here).missing()
        assert why is not None
        assert f"{command} command" in why
        (tmp_path / command).write_text("")
        (tmp_path / command).chmod(0o755)
        assert AmbientTokens(here).missing() is None

    def test_google_cloud_is_known_by_its_machines_and_by_the_account_to_be(self, tmp_path: Path) -> None:
        product = tmp_path / "product_name"
        product.write_text("Google Compute Engine\n")
        assert AmbientTokens({}, product).missing() is None
        assert AmbientTokens({"GOOGLE_SERVICE_ACCOUNT_NAME": "a"}, tmp_path / "none").missing() is None

    def test_what_the_library_says_is_told_or_tried_again(
        self, provider: OidcIssuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import id as ambient

        token = provider.token(Terms(JOB, {}, AUDIENCE))
        answers: list[object] = []

        def detect(audience: str) -> object:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(ambient, "detect_credential", detect)
        here = {"GOOGLE_SERVICE_ACCOUNT_NAME": "a"}
        failed = ambient.AmbientCredentialError
        answers[:] = [
            failed("GCP: token request timed out"),
            failed("request failed (code=503, body='')"),
            token,
        ]
        assert fetch(here).secret == token
        answers[:] = [failed(f"GCP: request failed (code=403, body={token!r})")]
        assert "code=403, body='(a token, not shown)'" in refused(here)
        answers[:] = [None]
        assert "nobody vouches here" in refused(here)
        answers[:] = ["no token"]
        assert "expected an OIDC token" in refused(here)


def test_no_secret_is_in_the_representation_of_a_token(provider: OidcIssuer) -> None:
    token = fetch(environ(provider))
    assert token.secret not in repr(token)
    assert token.secret.split(".")[1] not in json.dumps(repr(token))
