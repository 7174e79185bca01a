"""Identities as people write them: what each form means, and what is said of one that means nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.parts.github_job import GITHUB_ISSUER

from intoto_action.formats.functionary import (
    functionary_lines,
    parse_functionary,
    parse_identity_word,
    written_claim_fault,
)
from intoto_action.formats.identity import CLAIMS, CLAIMS_SCHEME, EXACT_SCHEME, Identity, identity_of
from intoto_action.reason import Malformed

BUILD = "https://github.com/octo/app/.github/workflows/build.yml@refs/heads/main"
APP = "https://github.com/octo/app"
COMMIT = "c" * 40


def in_a_file(body: str) -> Identity:
    return parse_functionary(f"builder: {body}".encode(), "builder.yaml")


def refused(body: str) -> str:
    with pytest.raises(Malformed) as caught:
        in_a_file(body)
    return str(caught.value)


def word_refused(word: str) -> str:
    with pytest.raises(Malformed) as caught:
        parse_identity_word(word, "PUB")
    return str(caught.value)


class TestInYaml:
    def test_identity_and_issuer_are_exactly_that(self) -> None:
        found = in_a_file(f"{{identity: {BUILD}, issuer: {GITHUB_ISSUER}}}")
        assert found == identity_of(BUILD, GITHUB_ISSUER)
        assert found.scheme == EXACT_SCHEME

    def test_a_workflow_demands_the_source_repository_too(self) -> None:
        found = in_a_file("{repository: octo/app, workflow: build.yml, ref: refs/heads/main}")
        assert found == identity_of(BUILD, GITHUB_ISSUER, {"source-repository": APP})
        assert found.scheme == CLAIMS_SCHEME

    def test_a_reusable_workflow_is_of_its_own_repository_and_the_source_of_the_callers(self) -> None:
        word = "octo/shared/.github/workflows/build.yml"
        found = in_a_file(f"{{repository: octo/app, workflow: {word}, ref: refs/tags/*}}")
        expected = "https://github.com/octo/shared/.github/workflows/build.yml@refs/tags/*"
        assert found == identity_of(expected, GITHUB_ISSUER, {"source-repository": APP})

    def test_a_server_of_its_own_has_its_own_issuer(self) -> None:
        issuer = "https://ghe.corp/_services/token"
        body = f"{{repository: https://ghe.corp/octo/app, workflow: build.yml, ref: refs/heads/main, issuer: {issuer}}}"
        found = in_a_file(body)
        assert found.identity == "https://ghe.corp/octo/app/.github/workflows/build.yml@refs/heads/main"
        assert (found.issuer, dict(found.claims)["source-repository"]) == (
            issuer,
            "https://ghe.corp/octo/app",
        )

    def test_every_claim_can_stand_beside(self) -> None:
        claims = {
            "source-repository": APP,
            "source-repository-id": "74",
            "source-owner-id": "65",
            "source-ref": "refs/tags/*",
            "runner-environment": "github-hosted",
            "event": "push",
            "environment": "release to all",
            "build-signer-digest": COMMIT,
        }
        assert set(claims) == set(CLAIMS)
        body = "".join(f"\n  {name}: {value}" for name, value in claims.items())
        found = in_a_file(f"\n  identity: {BUILD}\n  issuer: {GITHUB_ISSUER}{body}")
        assert dict(found.claims) == claims

    def test_an_issuer_on_loopback_may_do_without_tls(self) -> None:
        assert in_a_file(f"{{identity: {BUILD}, issuer: 'http://127.0.0.1:8080'}}")

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ("{}", "builder.yaml:1:10: expected {identity: URI, issuer: URL}"),
            ("alice.pub", "builder.yaml:1:10: expected {identity: URI, issuer: URL}"),
            (f"{{identity: {BUILD}}}", "expected the issuer that vouches for it, e.g. https://token.actions"),
            (f"{{issuer: {GITHUB_ISSUER}}}", "found no identity"),
            (f"{{identity: '{BUILD} ', issuer: {GITHUB_ISSUER}}}", "1:21: expected an identity"),
            (f"{{identity: {APP}/*, issuer: {GITHUB_ISSUER}}}", "1:21: expected an identity that is exact"),
            (f"{{identity: '*', issuer: {GITHUB_ISSUER}}}", "expected an identity that is exact"),
            (f"{{identity: '{APP}*@refs/*', issuer: {GITHUB_ISSUER}}}", "expected an identity that is exact"),
            (f'{{identity: "{BUILD}\\u202e", issuer: {GITHUB_ISSUER}}}', "expected an identity"),
            (f"{{identity: {BUILD}, issuer: token.actions.com}}", "expected an issuer such as https://"),
            (f"{{identity: {BUILD}, issuer: 'http://issuer.corp'}}", "not https:// with a host"),
            (f"{{identity: {BUILD}, issuer: [x]}}", "expected a text for issuer, found a list"),
            (f"{{identity: {BUILD}, isuer: x}}", "found 'isuer' (did you mean 'issuer'?)"),
            (f"{{identity: {BUILD}, issuer: {GITHUB_ISSUER}, repository: octo/app}}", "found both"),
            (
                "{repository: octo/app, ref: refs/heads/main}",
                "expected repository, workflow and ref, found no workflow",
            ),
            ("{repository: octo/app, workflow: build.yml}", "found no ref"),
            ("{workflow: build.yml, ref: refs/heads/main}", "found no repository"),
            (
                "{repository: octo, workflow: build.yml, ref: refs/heads/main}",
                "1:23: expected a repository: octo/app",
            ),
            ("{repository: octo/app, workflow: build, ref: refs/heads/main}", "(did you mean 'build.yml'?)"),
            (
                "{repository: octo/app, workflow: build.yml, ref: main}",
                "a branch is refs/heads/NAME, a tag refs/tags/",
            ),
            (
                "{repository: https://ghe.corp/o/a, workflow: b.yml, ref: refs/heads/main}",
                "expected the issuer of that server, e.g. https://ghe.corp/_services/token, found none",
            ),
            (
                f"{{repository: octo/app, workflow: b.yml, ref: refs/heads/x, source-repository: {APP}}}",
                "expected repository alone",
            ),
        ],
    )
    def test_what_is_no_identity_is_told_with_what_would_be_one(self, body: str, said: str) -> None:
        assert said in refused(body)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("identity: x\nissuer: y\n", "found 2 names: 'identity', 'issuer'"),
            ("a: {identity: x}\nb: {identity: y}\n", "found 2 names"),
            ("{}", "found none"),
            ("[]", "expected NAME: and below it an identity"),
            ("a: {identity: x", "expected YAML"),
        ],
    )
    def test_a_file_has_one_name_with_one_identity(self, text: str, said: str) -> None:
        with pytest.raises(Malformed) as caught:
            parse_functionary(text.encode(), "builder.yaml")
        assert said in str(caught.value)


class TestClaims:
    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("source-repository", "octo/app", "did you mean 'https://github.com/octo/app'?"),
            ("source-repository", f"{APP}.git", "leave .git out"),
            ("source-ref", "main", "a branch is refs/heads/NAME"),
            ("event", "pull request", "lower-case letters"),
            ("runner-environment", "github_hosted", "did you mean 'github-hosted'?"),
            ("runner-environment", "github", "expected github-hosted"),
            ("build-signer-digest", "v1", "40 or 64 hex digits"),
            ("source-owner-id", "6*", "an exact value of the claim source-owner-id"),
            ("source-owner-id", "6 5", "a value of the claim source-owner-id"),
            ("environment", " release", "a value of the claim environment"),
            ("environment", "rel\nease", "a value of the claim environment"),
        ],
    )
    def test_a_value_that_no_certificate_has_is_told(self, name: str, value: str, said: str) -> None:
        fault = written_claim_fault(name, value)
        assert fault is not None
        assert said in f"expected {fault[0]}, found {fault[1]}"

    @pytest.mark.parametrize("value", ["github-hosted", "gitlab-hosted", "self-hosted"])
    def test_the_runners_that_certificates_name_are_known(self, value: str) -> None:
        assert written_claim_fault("runner-environment", value) is None


class TestAsAWord:
    def test_it_is_what_stands_in_it_in_any_order(self) -> None:
        expected = identity_of(BUILD, GITHUB_ISSUER, {"event": "push", "source-owner-id": "65"})
        words = [f"identity={BUILD}", f"issuer={GITHUB_ISSUER}", "event=push", "source-owner-id=65"]
        assert parse_identity_word(",".join(words), "PUB") == expected
        assert parse_identity_word(",".join(reversed(words)), "PUB") == expected

    def test_an_equals_sign_in_a_value_is_a_part_of_it(self) -> None:
        word = f"identity={BUILD}=x,issuer={GITHUB_ISSUER}"
        assert parse_identity_word(word, "PUB").identity == f"{BUILD}=x"

    @pytest.mark.parametrize(
        ("word", "said"),
        [
            (f"identity={BUILD}", "PUB: expected the issuer that vouches for it"),
            (f"identity={BUILD},issuer=", "PUB, issuer: expected an issuer such as"),
            (f"identity={BUILD},issuer={GITHUB_ISSUER},", "after every comma, found ''"),
            (f"identity={BUILD},isuer={GITHUB_ISSUER}", "found 'isuer=https://token"),
            (f"identity={BUILD},isuer={GITHUB_ISSUER}", "(did you mean 'issuer'?)"),
            (f"identity={BUILD},b,issuer={GITHUB_ISSUER}", "a value with a comma in it goes into a file"),
            (
                f"identity={BUILD},identity={APP},issuer={GITHUB_ISSUER}",
                "expected identity once, found it twice",
            ),
            (f"identity={BUILD},issuer={GITHUB_ISSUER},issuer=https://a.b", "expected issuer once"),
            (
                f"identity={BUILD},issuer={GITHUB_ISSUER},source-repository=octo/app",
                "PUB, source-repository: ",
            ),
            (f"identity={BUILD},issuer={GITHUB_ISSUER},repository=octo/app", "found 'repository=octo/app'"),
            (f"issuer={GITHUB_ISSUER}", "found no identity"),
            (f"identity={BUILD}\n,issuer={GITHUB_ISSUER}", "PUB, identity: expected an identity"),
        ],
    )
    def test_what_is_no_identity_is_told(self, word: str, said: str) -> None:
        assert said in word_refused(word)

    def test_a_name_with_a_comma_cannot_smuggle_another_issuer_in(self) -> None:
        """Whoever may name a tag chooses a part of the identity: it must not become a claim or an issuer."""
        tag = f"refs/tags/v1,issuer={GITHUB_ISSUER}"
        word = f"identity={APP}/.github/workflows/build.yml@{tag},issuer=https://our.issuer"
        assert "expected issuer once" in word_refused(word)


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
CLAIM_VALUES = {
    "source-repository": st.just(APP),
    "source-ref": st.sampled_from(["refs/heads/main", "refs/tags/*"]),
    "event": st.sampled_from(["push", "schedule"]),
    "runner-environment": st.sampled_from(["github-hosted", "self-hosted"]),
    "build-signer-digest": st.sampled_from([COMMIT, "d" * 64]),
}
CLAIM_SETS = st.dictionaries(st.sampled_from(CLAIMS), st.none()).flatmap(
    lambda names: st.fixed_dictionaries({name: CLAIM_VALUES.get(name, TEXTS) for name in names})
)


def made(identity: str, claims: dict[str, str]) -> Identity | None:
    try:
        return identity_of(identity, GITHUB_ISSUER, claims)
    except Malformed:
        return None


@given(TEXTS, CLAIM_SETS)
@example("o'neil@octo.example", {"environment": "it's 'prod' # eu: yes"})
@example("- x: y", {"environment": "no"})
def test_what_is_printed_is_read_as_the_same_identity(identity: str, claims: dict[str, str]) -> None:
    expected = made(identity, claims)
    if expected is None:
        return
    optional = {"source-owner-id": "65", "environment": "a: b # c"}
    text = "\n".join(functionary_lines("builder", expected, optional, "a remark"))
    assert parse_functionary(text.encode(), "printed") == expected


@given(TEXTS, CLAIM_SETS)
def test_a_word_is_read_as_what_it_says_or_refused(identity: str, claims: dict[str, str]) -> None:
    word = ",".join(
        f"{name}={value}" for name, value in {"identity": identity, "issuer": GITHUB_ISSUER, **claims}.items()
    )
    try:
        found = parse_identity_word(word, "PUB")
    except Malformed:
        assert made(identity, claims) is None or "," in identity + "".join(claims.values())
        return
    assert found == made(identity, claims)


READERS: list[Callable[[str], Identity]] = [
    lambda text: parse_identity_word(text, "PUB"),
    lambda text: parse_functionary(text.encode(errors="surrogatepass"), "file"),
    lambda text: in_a_file(f"{{identity: {text!r}, issuer: {GITHUB_ISSUER}}}"),
]


@pytest.mark.parametrize("read", READERS)
@given(text=st.text(max_size=80))
def test_no_text_is_read_with_another_error(read: Callable[[str], Identity], text: str) -> None:
    try:
        assert isinstance(read(text), Identity)
    except Malformed as error:
        assert str(error)
