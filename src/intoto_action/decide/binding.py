"""Phases 2 and 8: is this evidence, and this chain, about this image?"""

from __future__ import annotations

from collections.abc import Iterator

from intoto_action.decide.chain import Chain, sightings
from intoto_action.decide.demands import Demands
from intoto_action.formats.artifact import Artifacts, Digests, oci_names, repository_of
from intoto_action.formats.layout import Layout, Step
from intoto_action.formats.reference import Image
from intoto_action.formats.statement import Statement
from intoto_action.reason import Denied, Finding, Reason


def statement_is_about(statement: Statement, image: Image) -> None:
    """Deny a Statement none of whose subjects is this image, by digest; names bind nothing.

    Source: in-toto attestation framework, Statement v1: subjects are matched purely by digest.
    Raises: Denied with SUBJECT_MISMATCH.
    """
    algorithm, _, value = image.digest.partition(":")
    if any(subject.digest.get(algorithm) == value for subject in statement.subject):
        return
    named = [f"{kind}:{digest}" for subject in statement.subject for kind, digest in subject.digest.items()]
    related = [f"{each.digest} is its child {each.name}" for each in image.platforms if each.digest in named]
    found = ", ".join(named[:3]) or "a subject without a digest"
    finding = Finding(
        reason=Reason.SUBJECT_MISMATCH,
        where="the attestation's subject",
        expected=image.digest,
        found=f"{found} ({related[0]})" if related else found,
    )
    raise Denied(finding)


def bind(chain: Chain, image: Image, demands: Demands) -> str:
    """Say how the chain makes this image: which steps list it as a product, by repository and digest.

    Raises: Denied with SUBJECT_UNBOUND.
    """
    named = _named_step(chain.layout, demands)
    repositories = _repositories(chain.layout, image, demands, named)
    steps = _binding_steps(chain.layout, repositories, named)
    findings = [finding for step in steps for finding in _unbound(chain, step, repositories, image)]
    if findings:
        raise Denied(*findings)
    makers = [step for step in steps if not _passed_through(chain, step, repositories, image)]
    if not makers or named not in (None, *makers):
        wanted = [named] if named else steps
        names = ", ".join(repr(step.name) for step in wanted)
        expected = (
            f"step {named.name!r} to make the image (--subject-step)"
            if named
            else "a step that makes the image"
        )
        found = f"{names} only passed it on: it is among the materials too"
        raise Denied(_finding(chain, image, expected, found, wanted[0].name, repositories))
    products = sorted({name for step in makers for name in _made(chain, step, repositories, image)})
    names = ", ".join(repr(step.name) for step in makers)
    return f"{', '.join(products)} with {image.digest} is a product of step {names}"


def bound_repositories(chain: Chain, image: Image, demands: Demands) -> frozenset[str]:
    """The repositories under which the chain makes an image that `bind` has bound: of a mirror, its origin's."""
    named = _named_step(chain.layout, demands)
    repositories = _repositories(chain.layout, image, demands, named)
    steps = _binding_steps(chain.layout, repositories, named)
    made = (name for step in steps for name in _made(chain, step, repositories, image))
    return frozenset(repository for name in made if (repository := repository_of(name)))


def _named_step(layout: Layout, demands: Demands) -> Step | None:
    if demands.subject_step is None:
        return None
    step = layout.step(demands.subject_step)
    if step is not None:
        return step
    finding = Finding(
        reason=Reason.SUBJECT_UNBOUND,
        where="the layout",
        expected=f"step {demands.subject_step!r} (--subject-step)",
        found=f"steps {', '.join(repr(step.name) for step in layout.steps)}",
    )
    raise Denied(finding)


def _repositories(layout: Layout, image: Image, demands: Demands, named: Step | None) -> frozenset[str]:
    """What the image may be called: by its repository, or where it has none by the layout, or the named step."""
    if image.repository is not None:
        return frozenset({demands.origin_of(image.repository)})
    if named is not None:
        return frozenset(_required(named))
    required = frozenset(repository for step in layout.steps for repository in _required(step))
    if len(required) == 1:
        return required
    found = f"{len(required)} ({', '.join(sorted(required))})" if required else "none"
    finding = Finding(
        reason=Reason.SUBJECT_UNBOUND,
        where="the layout",
        expected="one oci: name that the layout REQUIREs among products, because the image has no repository here",
        found=found,
        advice="Verify the image by its name in a registry, or say which step makes it with --subject-step.",
    )
    raise Denied(finding)


def _binding_steps(layout: Layout, repositories: frozenset[str], named: Step | None) -> list[Step]:
    steps = [step for step in layout.steps if step is named or repositories.intersection(_required(step))]
    if steps:
        return steps
    names = ", ".join(sorted(repositories))
    required = sorted({repository for step in layout.steps for repository in _required(step)})
    finding = Finding(
        reason=Reason.SUBJECT_UNBOUND,
        where="the layout",
        expected=f"a step whose expected_products say REQUIRE oci:{names}",
        found=f"REQUIRE of {', '.join('oci:' + each for each in required)}" if required else "no such rule",
        advice="Add subject: {step, artifact} to layout.yaml; for a mirror say --same-as MIRROR=ORIGIN; "
        "for a layout of somebody else say --subject-step STEP.",
    )
    raise Denied(finding)


def _required(step: Step) -> Iterator[str]:
    for rule in step.expected_products:
        if len(rule) == 2 and rule[0].lower() == "require" and (repository := repository_of(rule[1])):
            yield repository


def _unbound(chain: Chain, step: Step, repositories: frozenset[str], image: Image) -> Iterator[Finding]:
    made = _images(chain.link(step.name).products, repositories)
    if any(digests.has(image.digest) for digests in made.values()):
        return
    products = {name: str(digests) for name, digests in made.items()}
    found = ", ".join(f"{name} with {digest}" for name, digest in products.items()) or "no such product"
    children = {each.digest: each.name for each in image.platforms}
    related = [
        f"; {digest} is this image's child {children[digest]}"
        for digest in products.values()
        if digest in children
    ]
    expected = f"product {' or '.join('oci:' + each for each in sorted(repositories)) or 'oci:…'} with {image.digest}"
    yield _finding(chain, image, expected, found + "".join(related), step.name, repositories)


def _made(chain: Chain, step: Step, repositories: frozenset[str], image: Image) -> list[str]:
    products = _images(chain.link(step.name).products, repositories)
    return [name for name, digests in products.items() if digests.has(image.digest)]


def _passed_through(chain: Chain, step: Step, repositories: frozenset[str], image: Image) -> bool:
    """Whether the image went in; a material without a digest of the image's algorithm could be it."""
    algorithm = image.digest.partition(":")[0]
    given = _images(chain.link(step.name).materials, repositories).values()
    return any(digests.has(image.digest) or digests.get(algorithm) is None for digests in given)


def _images(artifacts: Artifacts, repositories: frozenset[str]) -> dict[str, Digests]:
    names = [name for name in oci_names(artifacts) if not repositories or repository_of(name) in repositories]
    return {name: artifacts[name] for name in names}


def _finding(
    chain: Chain, image: Image, expected: str, found: str, step: str, repositories: frozenset[str]
) -> Finding:
    artifacts = tuple(f"oci:{each}" for each in sorted(repositories))
    links = {name: verified[0].link for name, verified in chain.links.items()}
    return Finding(
        reason=Reason.SUBJECT_UNBOUND,
        step=step,
        where=f"the products of step {step!r}",
        expected=expected,
        found=found,
        artifacts=artifacts,
        sightings=sightings(chain.layout, links, artifacts[0]) if artifacts else (),
        advice="" if image.repository else "An image without a repository is bound by digest alone.",
    )
