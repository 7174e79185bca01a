import time
from collections.abc import Iterator
from itertools import repeat

import jwt
import pytest
import requests
from id import AmbientCredentialError, detect_credential
from tests.parts.github_job import GitHubJob
from tests.parts.loopback import HANG, Reply, busy, json_reply, refusal
from tests.parts.oidc_issuer import LIFETIME, OidcIssuer, Terms

JOB = Terms(GitHubJob(), {})


@pytest.fixture
def issuer() -> Iterator[OidcIssuer]:
    with OidcIssuer() as running:
        yield running


def ask(environ: dict[str, str], audience: str = "sigstore", scheme: str = "bearer") -> requests.Response:
    """As GitHub's own toolkit asks: the audience is put at the end of the URL."""
    url = f"{environ['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={audience}"
    headers = {"Authorization": f"{scheme} {environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
    return requests.get(url, headers=headers, timeout=10)


def said(answer: requests.Response) -> dict[str, object]:
    """The claims of a token, unverified."""
    claims: dict[str, object] = jwt.decode(answer.json()["value"], options={"verify_signature": False})
    return claims


def test_the_ambient_credential_of_a_job_is_a_token_for_it(
    issuer: OidcIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (JOB.job.environ | issuer.environ(JOB)).items():
        monkeypatch.setenv(name, value)
    token = detect_credential("sigstore")
    assert token is not None
    keys = jwt.PyJWKClient(f"{issuer.url}/jwks")
    claims = jwt.decode(token, keys.get_signing_key_from_jwt(token), ["RS256"], audience="sigstore")
    assert claims.items() >= JOB.job.token_claims.items()
    assert (claims["iss"], claims["exp"] - claims["iat"]) == (issuer.url, LIFETIME)
    assert issuer.asked == ["sigstore"]


def test_discovery_names_the_issuer_as_the_tokens_do(issuer: OidcIssuer) -> None:
    document = requests.get(f"{issuer.url}/.well-known/openid-configuration", timeout=10).json()
    assert document["issuer"] == issuer.url
    assert requests.get(document["jwks_uri"], timeout=10).json()["keys"][0]["kty"] == "RSA"


def test_each_job_gets_its_own_claims_at_the_same_time(issuer: OidcIssuer) -> None:
    jobs = (GitHubJob(), GitHubJob.tag("v2"), GitHubJob.pull_request(9))
    environs = [issuer.environ(Terms(job, {})) for job in jobs]
    assert [said(ask(environ))["ref"] for environ in environs] == [job.ref for job in jobs]


def test_claims_can_be_changed_and_left_out(issuer: OidcIssuer) -> None:
    claims = said(
        ask(issuer.environ(Terms(GitHubJob(), {"ref": "refs/heads/other", "sub": None, "exp": None})))
    )
    assert claims["ref"] == "refs/heads/other"
    assert not {"sub", "exp"} & claims.keys()


def test_the_audience_is_the_one_that_was_asked_for_unless_the_terms_name_another(issuer: OidcIssuer) -> None:
    assert said(ask(issuer.environ(JOB), "registry"))["aud"] == "registry"
    assert said(ask(issuer.environ(Terms(GitHubJob(), {}, audience="other"))))["aud"] == "other"


def test_a_token_can_be_born_expired_or_too_early(issuer: OidcIssuer) -> None:
    old = said(ask(issuer.environ(Terms(GitHubJob(), {}, born=-3600))))
    early = said(ask(issuer.environ(Terms(GitHubJob(), {}, born=3600))))
    assert isinstance(old["exp"], int)
    assert old["exp"] < time.time()
    assert isinstance(early["nbf"], int)
    assert early["nbf"] > time.time()


@pytest.mark.parametrize("scheme", ["basic", "token"])
def test_who_does_not_ask_as_a_bearer_is_refused(issuer: OidcIssuer, scheme: str) -> None:
    assert ask(issuer.environ(JOB), scheme=scheme).status_code == 401


def test_a_request_token_that_nobody_was_given_is_refused(issuer: OidcIssuer) -> None:
    assert ask({**issuer.environ(JOB), "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "guessed"}).status_code == 401
    assert issuer.asked == []


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (refusal(401), "code=401"),
        (refusal(500), "code=500"),
        (Reply(200, b"<html>"), "malformed or incomplete JSON"),
        (json_reply({"count": 0}), "malformed or incomplete JSON"),
        (json_reply({"value": "no token"}), "Malformed token"),
    ],
    ids=["401", "500", "no JSON", "no value", "no token"],
)
def test_the_endpoint_breaks_as_it_is_told_to(
    issuer: OidcIssuer, monkeypatch: pytest.MonkeyPatch, reply: Reply, message: str
) -> None:
    for name, value in (JOB.job.environ | issuer.environ(JOB, repeat(reply))).items():
        monkeypatch.setenv(name, value)
    for _ in range(2):
        with pytest.raises(AmbientCredentialError, match=message):
            detect_credential("sigstore")


def test_after_the_replies_it_was_given_it_tells_the_truth(issuer: OidcIssuer) -> None:
    environ = issuer.environ(JOB, [busy(7), refusal(503)])
    answers = [ask(environ) for _ in range(3)]
    assert [each.status_code for each in answers] == [429, 503, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert said(answers[2])["aud"] == "sigstore"


def test_an_endpoint_that_hangs_is_stopped_at_once() -> None:
    began = time.monotonic()
    with OidcIssuer() as issuer:
        environ = issuer.environ(JOB, [HANG])
        with pytest.raises(requests.Timeout):
            requests.get(
                environ["ACTIONS_ID_TOKEN_REQUEST_URL"],
                headers={"Authorization": f"bearer {environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"},
                timeout=0.1,
            )
    assert time.monotonic() - began < 5
