"""SLSA provenance v1, written and read.

Source: SLSA v1.2, "Build: Provenance" (null, empty and absent are one; unknown fields are passed over, but unknown
external parameters are refused); actions/buildtypes workflow/v1 for GitHub's fields, in the order of actions/attest.
"""

from __future__ import annotations

import msgspec

from intoto_action.formats.build import (
    EARLIER_GITHUB_BUILD_TYPE,
    GITHUB_BUILD_TYPE,
    STEPS_BUILD_TYPE,
    Build,
    Provenance,
    Source,
)
from intoto_action.formats.spelling import quoted
from intoto_action.formats.strict_json import decode_once
from intoto_action.reason import Malformed

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
_COMMIT_DIGESTS = ("gitCommit", "sha1")


class _Resource(msgspec.Struct):
    uri: str | None = None
    digest: dict[str, str] | None = None


class _Definition(msgspec.Struct, rename="camel"):
    build_type: str
    external_parameters: msgspec.Raw
    resolved_dependencies: list[_Resource] | None = None


class _Builder(msgspec.Struct):
    id: str


class _Details(msgspec.Struct):
    builder: _Builder


class _Predicate(msgspec.Struct, rename="camel"):
    build_definition: _Definition
    run_details: _Details


class _Workflow(msgspec.Struct, forbid_unknown_fields=True):
    repository: str
    ref: str
    path: str


class _WorkflowParameters(msgspec.Struct, forbid_unknown_fields=True):
    workflow: _Workflow
    runner_environment: str | None = None

    @property
    def source(self) -> Source:
        return Source(self.workflow.repository, self.workflow.ref)


class _GivenSource(msgspec.Struct, forbid_unknown_fields=True):
    repository: str
    ref: str | None = None


class _StepsParameters(msgspec.Struct, forbid_unknown_fields=True, rename={"given": "source"}):
    given: _GivenSource

    @property
    def source(self) -> Source:
        return Source(self.given.repository, self.given.ref or "")


_PARAMETERS: dict[str, type[_WorkflowParameters | _StepsParameters]] = {
    GITHUB_BUILD_TYPE: _WorkflowParameters,
    EARLIER_GITHUB_BUILD_TYPE: _WorkflowParameters,
    STEPS_BUILD_TYPE: _StepsParameters,
}
"""Build type to its external parameters: what the parameters of others mean is not known here."""


def predicate(build: Build) -> dict[str, object]:
    """The predicate for a build."""
    internal = {"internalParameters": {"github": build.parameters}} if build.parameters else {}
    metadata = {"metadata": {"invocationId": build.invocation}} if build.invocation else {}
    byproducts = [{"name": each.link, "digest": {"sha256": each.sha256}} for each in build.steps]
    return {
        "buildDefinition": {
            "buildType": build.build_type,
            "externalParameters": _external(build),
            **internal,
            "resolvedDependencies": [_source(build.source), *_images(build)],
        },
        "runDetails": {
            "builder": {"id": build.builder},
            **metadata,
            **({"byproducts": byproducts} if byproducts else {}),
        },
    }


def read(raw: bytes, where: str) -> Provenance:
    """What a predicate says.

    Raises: Malformed for another shape, a build type that is not known, or external parameters that it has not.
    """
    found = decode_once(raw, _Predicate, where)
    definition = found.build_definition
    parameters = _PARAMETERS.get(definition.build_type)
    if parameters is None:
        expected = f"one of the build types {', '.join(_PARAMETERS)}"
        raise Malformed(where, expected, quoted(definition.build_type))
    external = decode_once(bytes(definition.external_parameters), parameters, f"{where}, externalParameters")
    source = msgspec.structs.replace(external.source, commit=_commit(definition, external.source, where))
    return Provenance(found.run_details.builder.id, definition.build_type, source)


def _external(build: Build) -> dict[str, object]:
    source = build.source
    if build.build_type == STEPS_BUILD_TYPE:
        ref = {"ref": source.ref} if source.ref else {}
        return {"source": {"repository": source.repository, **ref}}
    return {"workflow": {"ref": source.ref, "repository": source.repository, "path": build.workflow}}


def _source(source: Source) -> dict[str, object]:
    digest = {"digest": {"gitCommit": source.commit}} if source.commit else {}
    return {"uri": source.uri, **digest}


def _images(build: Build) -> list[dict[str, object]]:
    return [
        {"name": each.name, "uri": each.uri, "digest": {each.algorithm: each.digest}} for each in build.images
    ]


def _commit(definition: _Definition, source: Source, where: str) -> str:
    """The commit to which the source was resolved, empty when that is not said."""
    named = {
        commit
        for each in definition.resolved_dependencies or ()
        if each.uri == source.uri
        for algorithm, commit in (each.digest or {}).items()
        if algorithm in _COMMIT_DIGESTS
    }
    if len(named) > 1:
        raise Malformed(where, f"one commit of {source.uri}", " and ".join(sorted(named))[:200])
    return next(iter(named), "")
