"""One step: materials, command, products, in that order, and the link that says so."""

from __future__ import annotations

import msgspec

from intoto_action.formats.artifact import Artifacts, check_artifacts
from intoto_action.formats.link import Link, encode_link
from intoto_action.formats.strict_json import DOCUMENT_CAP
from intoto_action.github.environment import link_environment
from intoto_action.reason import Misused
from intoto_action.record.artifacts import digest_selection, select_files
from intoto_action.record.child_environment import child_environment, could_ask_for_oidc
from intoto_action.record.run import Outcome, run_command
from intoto_action.record.secrets import check_secrets
from intoto_action.record.task import Here, Task


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded: the link, and how the command ended (None when there was none).

    `images` are the digests by which the command was given images (name to `name@digest`).
    """

    link: Link
    outcome: Outcome | None = None


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """The half of a link that is known before the work."""

    materials: Artifacts
    resolved: dict[str, str] = {}


def record_step(task: Task, here: Here, *, record_failure: bool = False) -> tuple[Outcome, Link | None]:
    """Record the materials, run the command, record the products: how the command ended, and the link.

    There is no link when the command failed (unless `record_failure`), or when we were asked to stop meanwhile.
    Raises: Misused, Malformed, Unavailable.
    """
    check_secrets(_link(task, here, Before(materials={}), {}, None), here.environ)
    before = record_materials(task, here)
    environment = child_environment(here.environ, private=task.private, pass_oidc=task.pass_oidc)
    outcome = run_command(task.command, environment | task.more_environment | _handed(before))
    if outcome.left_behind:
        here.tell(f"ended what the command had left running: {', '.join(outcome.left_behind)}")
    if outcome.interrupted or (outcome.return_value != 0 and not record_failure):
        return outcome, None
    return outcome, finish(task, here, before, outcome)


def record_materials(task: Task, here: Here) -> Before:
    """The materials as they are now; a pattern that matches nothing is said and no more.

    Raises: Misused.
    """
    selection = select_files(task.materials, task.excludes, here)
    for word in selection.without:
        here.tell(f"--materials {word}: nothing matches it, and nothing is recorded for it")
    return Before(materials=digest_selection(selection, here, "materials"))


def finish(task: Task, here: Here, before: Before, outcome: Outcome | None) -> Link:
    """Record the products as they are now, and make the link.

    Raises: Misused: a pattern that matches nothing, a secret in the link, a link that nobody would read.
    """
    selection = select_files(task.products, task.excludes, here)
    if selection.without:
        raise Misused(
            f"--products {selection.without[0]}: nothing matches it, so there is no link; did the command write it "
            f"somewhere else? Names are relative to {here.base}"
        )
    products = digest_selection(selection, here, "products")
    link = _link(task, here, before, products, outcome)
    check_artifacts(link.materials, "materials")
    check_artifacts(link.products, "products")
    check_secrets(link, here.environ)
    return link


def payload_of(link: Link) -> bytes:
    """The bytes that are signed. Raises: Misused when no reader would take so many."""
    payload = encode_link(link)
    if len(payload) > DOCUMENT_CAP:
        raise Misused(
            f"the link has {len(payload)} bytes for {len(link.materials)} materials and {len(link.products)} products, "
            f"and readers take {DOCUMENT_CAP}: name fewer files, or record a directory as one artifact with dir:PATH"
        )
    return payload


def _link(task: Task, here: Here, before: Before, products: Artifacts, outcome: Outcome | None) -> Link:
    recorded: dict[str, object] = {
        "materials": list(task.materials),
        "products": list(task.products),
        "exclude": list(task.excludes),
        "oidc": bool(task.command) and could_ask_for_oidc(here.environ, pass_oidc=task.pass_oidc),
    }
    if before.resolved:
        recorded["images"] = before.resolved
    return Link(
        name=task.step,
        command=list(task.recorded_command),
        materials=before.materials,
        products=products,
        byproducts={} if outcome is None else {"return-value": outcome.return_value},
        environment={**link_environment(here.environ), "recorded": recorded},
    )


def _handed(before: Before) -> dict[str, str]:
    return {f"INTOTO_IMAGE_{n}": image for n, image in enumerate(before.resolved.values(), start=1)}
