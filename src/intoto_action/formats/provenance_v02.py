"""SLSA provenance v0.2, for consumers that know no other; written and read.

Source: slsa.dev/provenance/v0.2 (null, empty and absent are one; unknown fields are passed over). Where the source
stands is the same for every build type there; what `buildConfig` holds is for our build type to say.
"""

from __future__ import annotations

import msgspec

from intoto_action.formats.build import STEPS_BUILD_TYPE, Build, Provenance, Source
from intoto_action.formats.spelling import quoted
from intoto_action.formats.strict_json import decode_once
from intoto_action.reason import Malformed

PREDICATE_TYPE = "https://slsa.dev/provenance/v0.2"
_GIT = "git+"
_COMMIT_DIGESTS = ("sha1", "gitCommit")


class _Builder(msgspec.Struct):
    id: str


class _ConfigSource(msgspec.Struct):
    uri: str | None = None
    digest: dict[str, str] | None = None


class _Invocation(msgspec.Struct, rename="camel"):
    config_source: _ConfigSource | None = None
    parameters: dict[str, msgspec.Raw] | None = None


class _Predicate(msgspec.Struct, rename="camel"):
    builder: _Builder
    build_type: str
    invocation: _Invocation | None = None


def predicate(build: Build) -> dict[str, object]:
    """The predicate for a build. The claims of completeness are all false: nothing here can vouch for more."""
    source = _source(build.source)
    entry = {"entryPoint": build.workflow} if build.workflow else {}
    invocation = {"buildInvocationId": build.invocation} if build.invocation else {}
    return {
        "builder": {"id": build.builder},
        "buildType": STEPS_BUILD_TYPE,
        "invocation": {
            "configSource": {**source, **entry},
            "parameters": {},
            "environment": {"github": build.parameters} if build.parameters else {},
        },
        "buildConfig": {
            "steps": [
                {
                    "name": each.name,
                    "command": list(each.command),
                    "link": {"name": each.link, "digest": {"sha256": each.sha256}},
                }
                for each in build.steps
            ]
        },
        "metadata": {
            **invocation,
            "completeness": {"parameters": False, "environment": False, "materials": False},
            "reproducible": False,
        },
        "materials": [
            source,
            *({"uri": each.uri, "digest": {each.algorithm: each.digest}} for each in build.images),
        ],
    }


def read(raw: bytes, where: str) -> Provenance:
    """What a predicate says.

    Raises: Malformed for another shape, a source that is no git repository, or parameters, because nobody demanded any.
    """
    found = decode_once(raw, _Predicate, where)
    invocation = found.invocation or _Invocation()
    if invocation.parameters:
        names = ", ".join(quoted(each) for each in sorted(invocation.parameters)[:3])
        raise Malformed(f"{where}, invocation", "no parameters", names)
    config = invocation.config_source or _ConfigSource()
    return Provenance(found.builder.id, found.build_type, _read_source(config, where))


def _source(source: Source) -> dict[str, object]:
    digest = {"digest": {"sha1": source.commit}} if source.commit else {}
    return {"uri": source.uri, **digest}


def _read_source(config: _ConfigSource, where: str) -> Source:
    if not config.uri:
        return Source()
    if not config.uri.startswith(_GIT):
        raise Malformed(f"{where}, configSource", f"a uri that begins with {_GIT}", quoted(config.uri))
    repository, _, ref = config.uri.removeprefix(_GIT).partition("@")
    named = {each for name, each in (config.digest or {}).items() if name in _COMMIT_DIGESTS}
    if len(named) > 1:
        raise Malformed(
            f"{where}, configSource", f"one commit of {config.uri}", " and ".join(sorted(named))[:200]
        )
    return Source(repository, ref, next(iter(named), ""))
