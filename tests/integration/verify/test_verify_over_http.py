"""An image in a registry that fails in every way at every stage: an error, never a denial, never a pass."""

from collections.abc import Callable, Iterator

import pytest
from tests.parts.attached import chain_about
from tests.parts.chain import KEYS_ALONE, NOW, REPOSITORY, Chain
from tests.parts.hostile_registry import (
    HostileRegistry,
    Reply,
    hang,
    hostile_reference,
    open_hostile,
    reset,
)
from tests.parts.images import SmallImage, small_image
from tests.parts.loopback import Asked

from intoto_action.decide.demands import SameAs
from intoto_action.formats.evidence import PREDICATE_TYPE
from intoto_action.formats.verdict import Verdict
from intoto_action.reason import Reason
from intoto_action.verify.verify import verify_image

NAME = "octo/app"


class Attached:
    """A registry with an image, its evidence under the fallback tag, and the paths of all of it by stage."""

    def __init__(self, registry: HostileRegistry) -> None:
        self.registry = registry
        self.content: SmallImage = small_image()
        self.chain: Chain = chain_about(self.content.digest)
        registry.put(self.content, "1.0")
        store = open_hostile(registry, slept=[])
        image = store.resolve(hostile_reference(registry))
        bundle = self.chain.bundle()
        referrer = store.attach(image, bundle, PREDICATE_TYPE)
        manifest = f"/v2/{NAME}/manifests/"
        layer = next(path for path, each in registry.documents.items() if each.body == bundle)
        self.stages = {
            "image": f"{manifest}1.0",
            "api": f"/v2/{NAME}/referrers/{image.digest}",
            "fallback": f"{manifest}{image.digest.replace(':', '-')}",
            "referrer": f"{manifest}{referrer.digest}",
            "bundle": layer,
        }

    def verify(self, seconds: float = 20) -> Verdict:
        address = f"{self.registry.address}/{NAME}"
        demands = self.chain.demands(same_as=(SameAs(address, REPOSITORY),))
        store = open_hostile(self.registry, seconds=seconds, slept=[])
        return verify_image(
            store, hostile_reference(self.registry), demands, at=NOW, sigstore=KEYS_ALONE
        ).verdict

    def fail_at(self, stage: str, reply: Callable[[Reply], Reply]) -> None:
        def script(asked: Asked) -> Reply | None:
            if asked.path.partition("?")[0] != self.stages[stage]:
                return None
            return reply(self.registry.honest_reply(asked))

        self.registry.script = script


@pytest.fixture
def attached() -> Iterator[Attached]:
    with HostileRegistry() as registry:
        yield Attached(registry)


STAGES = ("image", "api", "fallback", "referrer", "bundle")
FAULTS: dict[str, Callable[[Reply], Reply]] = {
    "500": lambda _: Reply(500, b"{}"),
    "429 for an hour": lambda _: Reply(429, b"{}", {"Retry-After": "3600"}),
    "401": lambda _: Reply(401, b"{}"),
    "403": lambda _: Reply(403, b"{}"),
    "reset": lambda _: Reply(behave=reset),
    "truncated": lambda honest: Reply(200, honest.body[:-5] or b"{", honest.headers, len(honest.body) + 9),
    "shortened": lambda honest: Reply(200, honest.body[:-5] or b"{", honest.headers),
    "swapped": lambda honest: Reply(200, b"x" * len(honest.body or b"{}"), honest.headers),
    "elsewhere": lambda _: Reply(307, headers={"Location": "http://evil.example/x"}),
}


def test_without_a_fault_it_passes(attached: Attached) -> None:
    assert attached.verify().verdict == "pass"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_fault_at_any_stage_is_an_error(stage: str, fault: str, attached: Attached) -> None:
    attached.fail_at(stage, FAULTS[fault])
    verdict = attached.verify()
    if stage == "api" and verdict.verdict == "pass":
        return  # the fallback tag had it: what passes, passes
    assert (verdict.verdict, verdict.reason) == ("error", Reason.REGISTRY_ERROR)


@pytest.mark.parametrize("stage", STAGES)
def test_a_registry_that_hangs_is_an_error_at_the_deadline(stage: str, attached: Attached) -> None:
    attached.fail_at(stage, lambda _: Reply(behave=hang(attached.registry)))
    verdict = attached.verify(seconds=0.6)
    assert (verdict.verdict, verdict.reason) == ("error", Reason.REGISTRY_ERROR)


@pytest.mark.parametrize("stage", ["referrer", "bundle"])
def test_what_is_listed_and_gone_is_an_error(stage: str, attached: Attached) -> None:
    attached.fail_at(stage, lambda _: Reply(404, b"{}"))
    assert attached.verify().verdict == "error"


def test_a_registry_that_knows_no_list_has_no_attestation(attached: Attached) -> None:
    attached.fail_at("fallback", lambda _: Reply(404, b"{}"))
    assert attached.verify().reason is Reason.NO_ATTESTATION


def test_an_image_that_is_not_there_is_an_invalid_reference(attached: Attached) -> None:
    attached.fail_at("image", lambda _: Reply(404, b"{}"))
    assert attached.verify().reason is Reason.INVALID_REFERENCE
