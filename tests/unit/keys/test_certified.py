"""What must hold before a token is shown to Fulcio."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from tests.parts.forge import Forge
from tests.parts.github_job import GitHubJob
from tests.parts.oidc_issuer import OidcIssuer
from tests.parts.oidc_issuer import Terms as TokenTerms

from intoto_action.keys.certified import Certifier, Terms
from intoto_action.keys.oidc import GivenToken
from intoto_action.keys.sigstore import Instance
from intoto_action.reason import Misused, Unavailable

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcIssuer]:
    with OidcIssuer() as running:
        yield running


@dataclass
class Draft:
    """A certifier whose Fulcio is nowhere, and whose log is at some host."""

    provider: OidcIssuer
    forge: Forge = field(default_factory=Forge)

    def certifier(
        self, visibility: str, log: str = "rekor.sigstore.dev", *, allowed: bool = False
    ) -> Certifier:
        job = GitHubJob(visibility=visibility)
        token = GivenToken("the token", self.provider.token(TokenTerms(job, {})))
        config = json.loads(self.forge.trust_config)["signingConfig"]
        config["caUrls"][0]["url"] = NOWHERE
        config["rekorTlogUrls"][0]["url"] = f"https://{log}"
        instance = self.instance(json.dumps(config).encode())
        return Certifier(lambda _: instance, token, Terms(seconds=0.2, allow_public_log=allowed))

    def instance(self, config: bytes | None) -> Instance:
        return Instance("the instance", self.forge.trusted_root.encode(), config)


@pytest.fixture(scope="module")
def draft(provider: OidcIssuer) -> Draft:
    return Draft(provider)


@pytest.mark.parametrize("visibility", ["private", "internal"])
def test_a_repository_that_not_everybody_sees_is_not_told_to_everybody(draft: Draft, visibility: str) -> None:
    with pytest.raises(Misused) as error:
        draft.certifier(visibility).certify()
    assert f"this repository is {visibility}, and rekor.sigstore.dev writes its name" in str(error.value)
    assert "--allow-public-log" in str(error.value)


@pytest.mark.parametrize(
    "certifier",
    [
        ("private", "rekor.sigstore.dev", True),
        ("private", "rekor.corp", False),
        ("public", "rekor.sigstore.dev", False),
    ],
)
def test_otherwise_fulcio_is_asked(draft: Draft, certifier: tuple[str, str, bool]) -> None:
    visibility, log, allowed = certifier
    with pytest.raises(Unavailable, match=f"^Fulcio {NOWHERE}: no answer"):
        draft.certifier(visibility, log, allowed=allowed).certify()


@pytest.mark.parametrize(
    "identity", ["", "*", "https://github.com/*", "a b", "https://github.com/o/r@refs/*/x"]
)
def test_an_expected_identity_that_none_can_be_is_refused_at_once(identity: str) -> None:
    with pytest.raises(Misused, match=r"^--expected-identity: expected an identity"):
        Certifier(lambda _: pytest.fail("opened"), GivenToken("it", ""), Terms(expected_identity=identity))


def opened(draft: Draft, config: bytes | None) -> Certifier:
    return Certifier(lambda _: draft.instance(config), GivenToken("it", ""), Terms())


def test_a_bare_trusted_root_signs_nothing(draft: Draft) -> None:
    with pytest.raises(Misused, match="it is not known where to sign"):
        opened(draft, None).certify()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mediaType": "other"}, "the instance cannot be read"),
        ({"rekorTlogUrls": []}, "No valid Rekor transparency log"),
        ({"caUrls": []}, "No valid Fulcio CA"),
        ({"caUrls": 7}, "the instance cannot be read"),
        ({"rekorTlogConfig": {"selector": "EXACT", "count": 2}}, "Expected 2 services"),
    ],
)
def test_a_signing_config_that_cannot_be_used_is_told(
    draft: Draft, change: dict[str, object], words: str
) -> None:
    config = json.loads(draft.forge.trust_config)["signingConfig"] | change
    with pytest.raises(Misused, match=words):
        opened(draft, json.dumps(config).encode()).certify()
