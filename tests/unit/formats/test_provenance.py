"""Provenance as a Statement: what we write is what GitHub writes, and of what others wrote nothing is misread."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parts.chain import IMAGE_DIGEST, REPOSITORY, digests
from tests.parts.github_job import GITHUB_ISSUER, GitHubJob
from tests.parts.hostile_json import mutated, read_or_malformed
from tests.parts.provenance import (
    JOB,
    V02,
    V1,
    by_github,
    by_github_until_2024,
    of_version_02,
)

from intoto_action.attach.provenance import build_of_run
from intoto_action.formats.artifact import Digests
from intoto_action.formats.build import (
    STEPS_BUILD_TYPE,
    Build,
    RecordedStep,
    Source,
    used_image,
)
from intoto_action.formats.github_claims import parse_github_claims
from intoto_action.formats.provenance import VERSIONS, as_statement, encode_provenance, parse_provenance
from intoto_action.formats.statement import predicate_type_of
from intoto_action.reason import Malformed

PARSE = partial(parse_provenance, where="a document")


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


def build_of(job: GitHubJob) -> Build:
    claims = {"iss": GITHUB_ISSUER, **job.token_claims}
    return build_of_run(parse_github_claims(claims, "the token"))


def told(**fields: Any) -> Build:
    given = {
        "builder": "https://ci.example.com/builders/7",
        "build_type": STEPS_BUILD_TYPE,
        "source": Source("https://git.example.com/octo/app", "refs/heads/main"),
    }
    return Build(**{**given, **fields})


def written(build: Build, version: str = "1") -> Any:
    return json.loads(encode_provenance(build, REPOSITORY, IMAGE_DIGEST, version))


class TestWriting:
    @pytest.mark.parametrize(
        "job",
        [
            GitHubJob(),
            GitHubJob.tag(),
            GitHubJob.pull_request(),
            GitHubJob(called="octo/shared/.github/workflows/image.yml@refs/tags/v1"),
            GitHubJob(runner="self-hosted", event="workflow_dispatch", run_attempt="3"),
        ],
        ids=["branch", "tag", "pull request", "reusable", "self-hosted"],
    )
    def test_a_run_is_told_as_actions_attest_tells_it(self, job: GitHubJob) -> None:
        assert written(build_of(job)) == by_github(job)
        assert list(written(build_of(job))["predicate"]) == list(by_github(job)["predicate"])

    def test_it_is_one_line(self) -> None:
        assert b"\n" not in encode_provenance(build_of(JOB), REPOSITORY, IMAGE_DIGEST)

    def test_images_are_dependencies_and_links_byproducts(self) -> None:
        image = used_image("oci:ghcr.io/octo/base#linux/arm64", digests("d"))
        assert image is not None
        step = RecordedStep("build", ("make", "image"), "build.01234567.link", "e" * 64)
        predicate = written(told(images=(image,), steps=(step,)))["predicate"]
        assert predicate["buildDefinition"]["resolvedDependencies"][1:] == [
            {
                "name": "oci:ghcr.io/octo/base#linux/arm64",
                "uri": f"pkg:oci/base@sha256%3A{'d' * 64}?repository_url=ghcr.io/octo/base",
                "digest": {"sha256": "d" * 64},
            }
        ]
        assert predicate["runDetails"]["byproducts"] == [
            {"name": "build.01234567.link", "digest": {"sha256": "e" * 64}}
        ]

    def test_what_nobody_vouches_for_is_left_out(self) -> None:
        assert written(told(source=Source("https://git.example.com/octo/app")))["predicate"] == {
            "buildDefinition": {
                "buildType": STEPS_BUILD_TYPE,
                "externalParameters": {"source": {"repository": "https://git.example.com/octo/app"}},
                "resolvedDependencies": [{"uri": "git+https://git.example.com/octo/app"}],
            },
            "runDetails": {"builder": {"id": "https://ci.example.com/builders/7"}},
        }

    def test_version_02_has_its_own_statement_and_fields(self) -> None:
        image = used_image("oci:ghcr.io/octo/base", digests("d"))
        assert image is not None
        step = RecordedStep("build", ("make", "image"), "build.01234567.link", "e" * 64)
        run = build_of(JOB)
        build = told(
            builder=run.builder,
            source=run.source,
            workflow=run.workflow,
            invocation=run.invocation,
            parameters=run.parameters,
            images=(image,),
            steps=(step,),
        )
        source = {"uri": "git+https://github.com/octo/app@refs/heads/main", "digest": {"sha1": "c0ffee"}}
        document = written(build, "0.2")
        assert document["_type"] == "https://in-toto.io/Statement/v0.1"
        assert document["predicateType"] == V02
        assert document["predicate"] == {
            "builder": {"id": JOB.identity},
            "buildType": STEPS_BUILD_TYPE,
            "invocation": {
                "configSource": {**source, "entryPoint": ".github/workflows/build.yml"},
                "parameters": {},
                "environment": {
                    "github": {
                        "event_name": "push",
                        "repository_id": "74",
                        "repository_owner_id": "65",
                        "runner_environment": "github-hosted",
                    }
                },
            },
            "buildConfig": {
                "steps": [
                    {
                        "name": "build",
                        "command": ["make", "image"],
                        "link": {"name": "build.01234567.link", "digest": {"sha256": "e" * 64}},
                    }
                ]
            },
            "metadata": {
                "buildInvocationId": "https://github.com/octo/app/actions/runs/7/attempts/1",
                "completeness": {"parameters": False, "environment": False, "materials": False},
                "reproducible": False,
            },
            "materials": [
                source,
                {
                    "uri": f"pkg:oci/base@sha256%3A{'d' * 64}?repository_url=ghcr.io/octo/base",
                    "digest": {"sha256": "d" * 64},
                },
            ],
        }

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("ref", ["refs/heads/main", "refs/heads/a@b", ""])
    def test_what_is_written_is_read_again(self, version: str, ref: str) -> None:
        build = told(source=Source("https://git.example.com/octo/app", ref, "a" * 40))
        statement, provenance = PARSE(encode_provenance(build, REPOSITORY, IMAGE_DIGEST, version))
        assert (provenance.builder, provenance.source) == (build.builder, build.source)
        assert statement.subject[0].digest == {"sha256": "1a" * 32}


class TestUsedImages:
    def test_a_registrys_port_is_encoded(self) -> None:
        image = used_image("oci:localhost:5000/app", Digests(sha512="a" * 128))
        assert image is not None
        assert image.uri == f"pkg:oci/app@sha512%3A{'a' * 128}?repository_url=localhost%3A5000/app"
        assert (image.algorithm, image.digest) == ("sha512", "a" * 128)

    @pytest.mark.parametrize("name", ["src/app.py", "image:app", "dir:src", "oci"])
    def test_other_artifacts_are_no_images_of_a_registry(self, name: str) -> None:
        assert used_image(name, digests("a")) is None

    @given(st.text(max_size=50))
    def test_no_name_breaks_out_of_its_uri(self, name: str) -> None:
        image = used_image(f"oci:{name.encode('utf-8', 'ignore').decode()}", digests("a"))
        assert image is not None
        assert image.uri.isascii()
        assert image.uri.count("?") == image.uri.count("@") == 1
        assert not any(each.isspace() or each in "&#" for each in image.uri)


class TestReading:
    @pytest.mark.parametrize("document", [by_github(), by_github_until_2024(), of_version_02()])
    def test_what_others_write_is_read(self, document: Any) -> None:
        _, provenance = PARSE(encoded(document))
        assert provenance.source == Source("https://github.com/octo/app", "refs/heads/main", "c0ffee")
        assert provenance.builder.startswith("https://github.com/")

    def test_unknown_fields_are_passed_over_and_null_is_nothing(self) -> None:
        document = by_github()
        definition = document["predicate"]["buildDefinition"]
        definition |= {"resolvedDependencies": None, "internalParameters": None, "example_more": [1]}
        document["predicate"]["runDetails"] |= {"metadata": None, "byproducts": None}
        assert PARSE(encoded(document))[1].source == Source("https://github.com/octo/app", "refs/heads/main")
        document = of_version_02()
        document["predicate"] |= {"invocation": None, "materials": None, "https://example.com/more": {}}
        assert PARSE(encoded(document))[1].source == Source()

    def test_a_dependency_elsewhere_is_not_the_source(self) -> None:
        document = by_github()
        document["predicate"]["buildDefinition"]["resolvedDependencies"] = [
            {"uri": "git+https://github.com/octo/app@refs/heads/other", "digest": {"gitCommit": "d" * 40}},
            {"uri": "pkg:oci/base", "digest": {"sha256": "d" * 64}},
            {"name": "nothing"},
        ]
        assert PARSE(encoded(document))[1].source.commit == ""

    @pytest.mark.parametrize("parameter", ["inputs", "vars", "release", "deployment", "source"])
    def test_an_external_parameter_of_which_nothing_was_demanded_is_refused(self, parameter: str) -> None:
        for document in (by_github(), by_github_until_2024()):
            document["predicate"]["buildDefinition"]["externalParameters"][parameter] = {}
            with pytest.raises(Malformed, match=parameter):
                PARSE(encoded(document))

    def test_parameters_of_version_02_of_which_nothing_was_demanded_are_refused(self) -> None:
        document = of_version_02()
        document["predicate"]["invocation"]["parameters"] = {"CFLAGS": "-O3"}
        with pytest.raises(Malformed, match="CFLAGS"):
            PARSE(encoded(document))

    def test_the_runner_may_stand_among_the_external_parameters(self) -> None:
        """actions/buildtypes has it there, actions/attest among the internal ones."""
        document = by_github()
        document["predicate"]["buildDefinition"]["externalParameters"]["runner_environment"] = "self-hosted"
        assert PARSE(encoded(document))[1].source.ref == "refs/heads/main"

    @pytest.mark.parametrize("uri", ["https://github.com/octo/app", "svn+https://x/y", "github.com/octo/app"])
    def test_a_source_of_version_02_that_is_no_git_repository_is_refused(self, uri: str) -> None:
        document = of_version_02()
        document["predicate"]["invocation"]["configSource"]["uri"] = uri
        with pytest.raises(Malformed, match=r"git\+"):
            PARSE(encoded(document))

    def test_two_commits_of_one_source_are_refused(self) -> None:
        document = of_version_02()
        document["predicate"]["invocation"]["configSource"]["digest"] = {"sha1": "a", "gitCommit": "b"}
        with pytest.raises(Malformed, match="one commit"):
            PARSE(encoded(document))

    @pytest.mark.parametrize("kind", ["https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"])
    def test_either_statement_may_stand_around_either_predicate(self, kind: str) -> None:
        for document in (by_github(), of_version_02()):
            PARSE(encoded({**document, "_type": kind}))

    @pytest.mark.parametrize(
        "change",
        [
            {"_type": "https://in-toto.io/Statement/v2"},
            {"_type": "link"},
            {"predicateType": "https://slsa.dev/provenance/v0.1"},
            {"predicateType": f"{V1}.0"},
            {"predicateType": V02},
            {"subject": []},
            {"subject": [{"digest": {"sha256": "zz"}}]},
            {"predicate": None},
            {"predicate": []},
        ],
    )
    def test_what_is_no_provenance_is_refused(self, change: Any) -> None:
        with pytest.raises(Malformed):
            PARSE(encoded({**by_github(), **change}))

    @given(
        st.sampled_from([by_github(), by_github_until_2024(), of_version_02()]).flatmap(
            lambda document: mutated(encoded(document))
        )
    )
    def test_a_document_is_read_or_malformed(self, document: bytes) -> None:
        read_or_malformed(PARSE, document)
        predicate_type_of(document)


class TestGiven:
    """A file that somebody wrote, for an image."""

    def taken(self, document: bytes) -> bytes:
        return as_statement(document, REPOSITORY, IMAGE_DIGEST, "provenance.json")

    @pytest.mark.parametrize("document", [by_github(), by_github_until_2024(), of_version_02()])
    def test_a_statement_stays_as_it_is(self, document: Any) -> None:
        raw = json.dumps(document, indent=2).encode()
        assert self.taken(raw) == raw

    @pytest.mark.parametrize("document", [by_github(), of_version_02()])
    def test_a_bare_predicate_gets_a_statement_about_the_image(self, document: Any) -> None:
        assert json.loads(self.taken(encoded(document["predicate"]))) == document

    def test_a_statement_with_another_field_is_refused_because_others_refuse_it(self) -> None:
        with pytest.raises(Malformed, match="more"):
            self.taken(encoded({**by_github(), "more": 1}))

    @pytest.mark.parametrize(
        "document",
        [b"", b"[]", b"{}", b"null", encoded({"buildDefinition": {}}), encoded({"builder": {"id": "x"}})],
    )
    def test_what_is_neither_is_refused(self, document: bytes) -> None:
        with pytest.raises(Malformed):
            self.taken(document)

    @given(
        st.sampled_from([by_github(), by_github()["predicate"], of_version_02()["predicate"]]).flatmap(
            lambda document: mutated(encoded(document))
        )
    )
    def test_what_is_taken_can_be_verified(self, document: bytes) -> None:
        if read_or_malformed(self.taken, document):
            PARSE(self.taken(document))
