"""`provenance`, and the words of `verify` about it: what is told, what is refused, and what no variable changes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.parts.attached import Shelf
from tests.parts.github_job import GitHubJob
from tests.parts.oidc_issuer import OidcIssuer, Terms
from tests.parts.provenance import by_github

from intoto_action.cli.main import main
from intoto_action.formats.build import STEPS_BUILD_TYPE

BUILDER = "https://ci.example.com/builders/7"
REPOSITORY = "https://git.example.com/octo/app"
TOLD = ("--builder-id", BUILDER, "--source-repository", REPOSITORY)
NO_JOB = dict.fromkeys(
    (
        "GITHUB_ACTIONS",
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "SIGSTORE_ID_TOKEN",
        "GITLAB_CI",
        "BUILDKITE",
        "CIRCLECI",
        "GOOGLE_SERVICE_ACCOUNT_NAME",
    ),
    "",
)


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcIssuer]:
    with OidcIssuer() as running:
        yield running


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "images")


def run(*words: str, environ: Mapping[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, list(words), env={**NO_JOB, **(environ or {})})


def told(shelf: Shelf, *words: str, environ: Mapping[str, str] | None = None) -> Any:
    ended = run("provenance", shelf.word, *words, environ=environ)
    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout.count("\n") == 1
    return json.loads(ended.stdout)


def of_job(provider: OidcIssuer, job: GitHubJob) -> dict[str, str]:
    """The environment of the job, with variables that say something else than its token."""
    lies = {"GITHUB_REPOSITORY": "evil/app", "GITHUB_REF": "refs/heads/evil", "GITHUB_SHA": "e" * 40}
    server = {"GITHUB_SERVER_URL": "https://evil.example"}
    return {"GITHUB_ACTIONS": "true", **lies, **server, **provider.environ(Terms(job, {}))}


class TestOfAJob:
    @pytest.mark.parametrize(
        "job",
        [GitHubJob(), GitHubJob.tag(called="octo/shared/.github/workflows/image.yml@refs/tags/v1")],
        ids=["branch", "reusable"],
    )
    def test_the_token_tells_it_and_no_variable(
        self, job: GitHubJob, shelf: Shelf, provider: OidcIssuer
    ) -> None:
        expected = by_github(job, shelf.digest)
        expected["subject"][0]["name"] = "image"
        assert told(shelf, environ=of_job(provider, job)) == expected
        assert provider.asked[-1] == "nobody"

    def test_a_job_that_may_not_ask_is_told_what_to_change(self, shelf: Shelf) -> None:
        ended = run("provenance", shelf.word, environ={"GITHUB_ACTIONS": "true"})
        assert ended.exit_code == 2
        for words in ("id-token: write", "--builder-id URI", "--source-repository URI"):
            assert words in ended.stderr

    def test_elsewhere_who_built_what_has_to_be_said(self, shelf: Shelf) -> None:
        ended = run("provenance", shelf.word)
        assert (ended.exit_code, ended.stdout) == (2, "")
        assert "--builder-id URI" in ended.stderr

    def test_the_token_of_another_ci_is_not_guessed_from(self, shelf: Shelf, provider: OidcIssuer) -> None:
        others = dict.fromkeys(GitHubJob().token_claims, None)
        token = provider.token(Terms(GitHubJob(), {**others, "sub": "project_path:octo/app"}))
        ended = run("provenance", shelf.word, environ={"SIGSTORE_ID_TOKEN": token})
        assert ended.exit_code == 2
        assert "claims of a GitHub Actions job" in ended.stderr
        assert token not in ended.stderr


class TestByWords:
    def test_what_is_said_is_told_and_no_more(self, shelf: Shelf, provider: OidcIssuer) -> None:
        before = len(provider.asked)
        document = told(
            shelf, *TOLD, "--source-ref", "refs/heads/main", environ=of_job(provider, GitHubJob())
        )
        assert document["predicate"] == {
            "buildDefinition": {
                "buildType": STEPS_BUILD_TYPE,
                "externalParameters": {"source": {"repository": REPOSITORY, "ref": "refs/heads/main"}},
                "resolvedDependencies": [{"uri": f"git+{REPOSITORY}@refs/heads/main"}],
            },
            "runDetails": {"builder": {"id": BUILDER}},
        }
        assert len(provider.asked) == before

    def test_the_older_form_is_written_on_demand(self, shelf: Shelf) -> None:
        document = told(shelf, *TOLD, "--slsa-version", "0.2")
        assert document["_type"] == "https://in-toto.io/Statement/v0.1"
        assert document["predicateType"] == "https://slsa.dev/provenance/v0.2"

    def test_links_are_told_too(self, shelf: Shelf, tmp_path: Path) -> None:
        links = tmp_path / "links" / "of-build"
        links.mkdir(parents=True)
        for each in shelf.chain().links:
            (links / each.file_name).write_bytes(each.sealed())
        document = told(shelf, *TOLD, "--link-dir", str(tmp_path / "links"))
        names = [each["name"] for each in document["predicate"]["runDetails"]["byproducts"]]
        assert names == sorted(each.name for each in links.iterdir())

    def test_a_file_gets_the_same_document(self, shelf: Shelf, tmp_path: Path) -> None:
        printed = told(shelf, *TOLD)
        ended = run("provenance", shelf.word, *TOLD, "-o", str(tmp_path / "it.json"))
        assert (ended.exit_code, ended.stdout) == (0, "")
        assert json.loads((tmp_path / "it.json").read_text()) == printed

    @pytest.mark.parametrize("words", [TOLD[:2], TOLD[2:], ("--source-ref", "refs/heads/main")])
    def test_half_of_it_is_refused(self, words: tuple[str, ...], shelf: Shelf) -> None:
        ended = run("provenance", shelf.word, *words)
        assert ended.exit_code == 2
        assert "both --builder-id and --source-repository" in ended.stderr

    def test_an_image_that_is_not_there_is_an_invalid_reference(self, shelf: Shelf) -> None:
        ended = run("provenance", f"oci-layout:{shelf.directory}:9.9", *TOLD)
        assert ended.exit_code == 1
        assert "invalid-reference" in ended.stderr

    def test_no_variable_gives_a_word(self, shelf: Shelf) -> None:
        environ = {
            "INTOTO_ACTION_PROVENANCE_BUILDER_ID": BUILDER,
            "INTOTO_ACTION_PROVENANCE_SOURCE_REPOSITORY": REPOSITORY,
        }
        assert run("provenance", shelf.word, environ=environ).exit_code == 2


WRONG = [
    ("--source-repository", "octo/app"),
    ("--source-repository", "github.com/octo/app"),
    ("--source-repository", "http://github.com/octo/app"),
    ("--source-repository", "git+https://github.com/octo/app"),
    ("--source-repository", "https://github.com/octo/app.git"),
    ("--source-repository", "https://github.com/octo/app/"),
    ("--source-repository", "https://github.com"),
    ("--source-repository", "https://user@github.com/octo/app"),
    ("--source-repository", "https://github.com/octo/app?x"),
    ("--source-repository", "https://github.com/octo/app\n"),
    ("--source-repository", ""),
    ("--source-ref", "main"),
    ("--source-ref", "refs/heads/a b"),
    ("--source-ref", ""),
    ("--builder-id", "build.yml"),
    ("--builder-id", "https://github.com/octo app"),
    ("--builder-id", ""),
]


@pytest.mark.parametrize(("flag", "word"), WRONG)
@pytest.mark.parametrize("verb", ["verify", "provenance"])
def test_a_word_that_nothing_could_equal_is_refused(verb: str, flag: str, word: str, shelf: Shelf) -> None:
    good = {
        "--builder-id": BUILDER,
        "--source-repository": REPOSITORY,
        "--source-ref": "refs/heads/main",
    }
    words = [each for pair in {**good, flag: word}.items() for each in pair]
    trust = ["--layout-key", "owner.pub"] if verb == "verify" else []
    ended = run(verb, shelf.word, *trust, *words)
    assert ended.exit_code == 2
    assert f"{flag}: expected" in ended.stderr


@pytest.mark.parametrize("flag", ["--builder-id", "--source-ref"])
def test_provenance_tells_no_pattern(flag: str, shelf: Shelf) -> None:
    words = {
        "--builder-id": "https://x/y@refs/heads/main",
        "--source-repository": REPOSITORY,
        "--source-ref": "refs/heads/main",
    }
    words[flag] = words[flag].replace("main", "*")
    ended = run("provenance", shelf.word, *(each for pair in words.items() for each in pair))
    assert ended.exit_code == 2
    assert "pattern" in ended.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--link-dir", ".", "--layout", "x", *TOLD), "leave them out with --link-dir"),
        (("--link-dir", ".", "--layout", "x", *TOLD[:2]), "leave them out with --link-dir"),
        (("--source-ref", "refs/heads/main", "app:1"), "a ref of which repository?"),
        (("--source-ref", "refs/heads/main", *TOLD[:2], "app:1"), "a ref of which repository?"),
        (("--source-ref", "refs/*/main", *TOLD, "app:1"), "one * at the end"),
        (("--builder-id", "https://github.com/*", "app:1"), "one * at the end"),
    ],
)
def test_demands_that_make_no_sense_are_refused(words: tuple[str, ...], said: str) -> None:
    ended = run("verify", "--layout-key", "owner.pub", *words)
    assert ended.exit_code == 2
    assert said in ended.stderr
