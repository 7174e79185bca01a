"""Which server an issuer may speak for: its own, and nothing that only looks like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intoto_action.formats.issuer import origin_of, server_of


@pytest.mark.parametrize(
    ("issuer", "server"),
    [
        ("https://token.actions.githubusercontent.com", "https://github.com"),
        ("https://token.actions.githubusercontent.com/octo-enterprise", "https://github.com"),
        ("https://token.actions.octo.ghe.com", "https://octo.ghe.com"),
        ("https://ghe.corp.example/_services/token", "https://ghe.corp.example"),
        ("https://gitlab.com", "https://gitlab.com"),
        ("https://git.corp.example:8443/x", "https://git.corp.example:8443"),
        ("http://127.0.0.1:4321", "https://github.com"),
        ("http://localhost", "https://github.com"),
        ("http://[::1]:80/x", "https://github.com"),
    ],
)
def test_an_issuer_speaks_for_its_server(issuer: str, server: str) -> None:
    assert server_of(issuer) == server


@pytest.mark.parametrize(
    "issuer",
    [
        "https://token.actions.githubusercontent.com.evil.example",
        "https://token.actions.githubusercontent.comevil",
        "https://token.actions.evil.example/.ghe.com",
        "https://evil.example/https://github.com",
        "https://evil.example:443/token.actions.githubusercontent.com",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://github.com",
        "https://github.com@evil.example",
        "https://evil.example\n.github.com",
        "https://github.com\n",
        "dev@example.com",
        "",
    ],
)
def test_what_looks_like_githubs_is_not(issuer: str) -> None:
    assert server_of(issuer) != "https://github.com"


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("https://github.com/octo/app", "https://github.com"),
        ("https://GitHub.com", "https://github.com"),
        ("https://github.com:8443/octo", "https://github.com:8443"),
        ("https://github.com@evil.example/", ""),
        ("https://github.com\\@evil.example/", ""),
        ("https://github.com?x", ""),
        ("http://github.com/octo", ""),
        ("mailto:dev@example.com", ""),
        ("https://", ""),
        ("", ""),
    ],
)
def test_the_origin_of_a_uri_is_its_scheme_and_host(uri: str, origin: str) -> None:
    assert origin_of(uri) == origin


@given(st.text(max_size=60))
def test_any_text_has_an_origin_that_it_begins_with_or_none(text: str) -> None:
    for uri in (text, f"https://{text}", f"https://github.com{text}"):
        assert uri.lower().startswith(origin_of(uri))
