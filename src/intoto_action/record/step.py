"""One step: materials, command, products, in that order, and the link that says so."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from intoto_action.formats.artifact import Artifacts, check_artifacts
from intoto_action.formats.link import Link, encode_link
from intoto_action.formats.strict_json import DOCUMENT_CAP
from intoto_action.github.environment import link_environment
from intoto_action.reason import NotRecordable
from intoto_action.record.artifacts import digest_selection
from intoto_action.record.child_environment import child_environment, could_ask_for_oidc
from intoto_action.record.excludes import Excludes
from intoto_action.record.patterns import Kind, Pattern, parse_pattern
from intoto_action.record.secrets import check_secrets
from intoto_action.record.select import select
from intoto_action.record.task import Here, Task

if TYPE_CHECKING:
    from intoto_action.record.run import Outcome  # only Linux has what it is made of


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """The half of a link that is known before the work.

    `resolved` are the images that were given by a tag, and what they stood for; `pinned` every `oci:` material as
    `name@digest`. `oidc` says that work which is no command of ours could ask for a token when it started.
    """

    materials: Artifacts
    resolved: dict[str, str] = {}
    pinned: tuple[str, ...] = ()
    oidc: bool = False


def record_step(task: Task, here: Here, *, record_failure: bool = False) -> tuple[Outcome, Link | None]:
    """Record the materials, run the command, record the products: how the command ended, and the link.

    There is no link when the command failed (unless `record_failure`), or when we were asked to stop meanwhile.
    Raises: Misused, Malformed, Unavailable.
    """
    before = record_materials(task, here)
    environment = child_environment(here.environ, private=here.private, pass_oidc=task.pass_oidc)
    handed = {f"INTOTO_IMAGE_{number}": image for number, image in enumerate(before.pinned, start=1)}
    from intoto_action.record.run import run_command

    outcome = run_command(task.command, environment | handed | task.more_environment)
    here.ended(outcome.return_value)
    if outcome.left_behind:
        here.tell(f"ended what the command had left running: {', '.join(outcome.left_behind)}")
    if outcome.interrupted:
        here.tell(f"interrupted by {signal.Signals(outcome.interrupted).name}, so there is no link")
        return outcome, None
    if outcome.return_value != 0 and not record_failure:
        here.tell(
            f"the command ended with {outcome.return_value}, so there is no link (--record-failure makes one)"
        )
        return outcome, None
    return outcome, record_products(task, here, before, outcome)


def record_materials(task: Task, here: Here) -> Before:
    """The materials as they are now; a pattern that matches nothing is said and no more.

    What can be refused of the whole task is refused here, before the command runs.
    Raises: Misused, Malformed, Unavailable.
    """
    sketch = _link(task, here, Before(materials={}), {}, None)
    payload_of(sketch)
    check_secrets(sketch, here.environ, here.private)
    for word in task.products:
        check_product(parse_pattern(word, here.base))
    selection = select(task.materials, Excludes(task.excludes), here)
    for word in selection.without:
        here.tell(f"--materials {word}: nothing matches it, and nothing is recorded for it")
    materials = digest_selection(selection, here, "materials")
    if not selection.images:
        return Before(materials=materials)
    from intoto_action.record.images import material_images

    images = material_images(selection.images, here)
    return Before(materials={**materials, **images.artifacts}, resolved=images.resolved, pinned=images.pinned)


def work_could_ask_for_oidc(task: Task, here: Here) -> bool:
    """Whether the work has a token or can get one: from what is no command of ours nothing is withheld."""
    return could_ask_for_oidc(here.environ, pass_oidc=task.pass_oidc or not task.command)


def check_product(pattern: Pattern) -> None:
    """Raises: Misused for an image that cannot be a product."""
    if pattern.kind is Kind.IMAGE:
        from intoto_action.record.images import check_product_words

        check_product_words([pattern.word])


def record_products(task: Task, here: Here, before: Before, outcome: Outcome | None) -> Link:
    """Record the products as they are now, and make the link.

    Raises: Misused: a pattern that matches nothing, a secret in the link. Malformed, Unavailable.
    """
    selection = select(task.products, Excludes(task.excludes), here)
    if selection.without:
        raise NotRecordable(
            f"--products {selection.without[0]}: nothing matches it, so there is no link; did the command write it "
            f"somewhere else? Names are relative to {here.base}"
        )
    materials, products = before.materials, digest_selection(selection, here, "products")
    if selection.images or task.image_metadata:
        materials, products = _with_images(selection.images, task, here, materials, products)
    link = _link(task, here, msgspec.structs.replace(before, materials=materials), products, outcome)
    check_artifacts(link.materials, "materials")
    check_artifacts(link.products, "products")
    check_secrets(link, here.environ, here.private)
    return link


def _with_images(
    words: Sequence[str], task: Task, here: Here, materials: Artifacts, products: Artifacts
) -> tuple[Artifacts, Artifacts]:
    from intoto_action.record.image_metadata import check_context, read_image_metadata
    from intoto_action.record.images import merge, product_images

    products = {**products, **product_images(words, here)}
    if task.image_metadata:
        built = read_image_metadata(task.image_metadata, here.base)
        check_context(built, materials)
        products = merge(products, built.products, "--image-metadata")
        materials = merge(materials, built.materials, "--image-metadata")
    return materials, products


def payload_of(link: Link) -> bytes:
    """The bytes that are signed. Raises: Misused when no reader would take so many."""
    try:
        payload = encode_link(link)
    except UnicodeEncodeError as error:
        raise NotRecordable(
            "the command, a pattern or a variable of the runner is not UTF-8, and a link is: give other words, or say "
            "--command-as TEXT"
        ) from error
    if len(payload) > DOCUMENT_CAP:
        raise NotRecordable(
            f"the link has {len(payload)} bytes for {len(link.materials)} materials and {len(link.products)} products, "
            f"and readers take {DOCUMENT_CAP}: name fewer files, or record a directory as one artifact with dir:PATH"
        )
    return payload


def _link(task: Task, here: Here, before: Before, products: Artifacts, outcome: Outcome | None) -> Link:
    recorded: dict[str, object] = {
        "materials": list(task.materials),
        "products": list(task.products),
        "exclude": list(task.excludes),
        "oidc": before.oidc or work_could_ask_for_oidc(task, here),
        "after-the-fact": task.after_the_fact,
    }
    if before.resolved:
        recorded["images"] = before.resolved
    if task.image_metadata:
        recorded["image-metadata"] = True
    return Link(
        name=task.step,
        command=list(task.recorded_command),
        materials=before.materials,
        products=products,
        byproducts={} if outcome is None else {"return-value": outcome.return_value},
        environment={**link_environment(here.environ), "recorded": recorded},
    )
