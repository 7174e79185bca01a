"""OIDC tokens: what they say is read, what is none is refused, and nothing of them is ever shown."""

import base64
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from intoto_action.formats.token import TOKEN_CAP, instant, parse_token, without_tokens
from intoto_action.reason import Malformed

CLAIMS = {
    "iss": "https://issuer.test",
    "sub": "me",
    "aud": "sigstore",
    "exp": 2_000_000_000,
    "more": {"a": 1},
}


def token(claims: object = CLAIMS, *, raw: bytes | None = None) -> str:
    payload = json.dumps(claims).encode() if raw is None else raw
    return ".".join(
        base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"none"}', payload, b"sig")
    )


def test_what_a_token_says_is_read() -> None:
    read = parse_token(token({**CLAIMS, "nbf": 1, "iat": 2.5}), "here")
    assert (read.issuer, read.subject, read.audiences) == ("https://issuer.test", "me", ("sigstore",))
    assert (read.expires, read.not_before, read.issued_at) == (2_000_000_000, 1, 2.5)
    assert read.claims["more"] == {"a": 1}


def test_a_token_may_be_for_several() -> None:
    assert parse_token(token({**CLAIMS, "aud": ["a", "b"]}), "here").audiences == ("a", "b")


@pytest.mark.parametrize(
    ("claims", "visibility"),
    [
        ({}, ""),
        ({"repository_visibility": "private"}, "private"),
        ({"project_visibility": "internal"}, "internal"),
    ],
)
def test_who_can_see_the_repository_is_said_by_two_hosts_in_their_own_claims(
    claims: dict[str, str], visibility: str
) -> None:
    assert parse_token(token(CLAIMS | claims), "here").visibility == visibility


SECRET = base64.urlsafe_b64encode(b'{"kept": "s3cret"}').decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        SECRET,
        f"a.{SECRET}",
        f"a.{SECRET}.b.c",
        f"a.{SECRET}=.b",
        f"a.{SECRET} .b",
        f"a..{SECRET}",
        f"a.{SECRET}x.b",
        token({**CLAIMS, "aud": None}),
        token({**CLAIMS, "exp": "s3cret"}),
        token({**CLAIMS, "exp": 1e300}),
        token({**CLAIMS, "iat": -1}),
        token({"s3cret": "s3cret"}),
        token(["s3cret"]),
        token(raw=b'{"iss":"s3cret","iss":"s3cret","sub":"","aud":"","exp":1}'),
        token(raw=b'{"iss":"s3cret'),
        token(raw=b"\xff" * 20),
        token(raw=b"[" * 2000),
        "x" * (TOKEN_CAP + 1),
    ],
)
def test_what_is_no_token_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse_token(text, "the token")
    assert str(refused.value).startswith("the token: expected ")
    for part in ("s3cret", *text.split(".")):
        assert len(part) < 5 or part not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@given(st.text(max_size=200) | st.builds(lambda raw: token(raw=raw), st.binary(max_size=200)))
@example("")
def test_anything_is_a_token_or_refused(text: str) -> None:
    try:
        parse_token(text, "here")
    except Malformed as refused:
        assert refused.where == "here"


def test_tokens_and_other_secrets_are_taken_out_of_what_somebody_else_wrote() -> None:
    made = token()
    said = without_tokens(f"refused: {made}, {made.rpartition('.')[0]}; asked with Qz7", ("Qz7", ""))
    assert said == ("refused: (a token, not shown), (a token, not shown); asked with (a token, not shown)")
    assert without_tokens("nothing to hide, ey? eyJ") == "nothing to hide, ey? eyJ"


def test_instants_are_in_the_time_that_servers_mean() -> None:
    assert instant(0) == "1970-01-01 00:00:00 UTC"
