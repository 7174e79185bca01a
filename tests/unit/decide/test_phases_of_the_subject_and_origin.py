"""Phases 8 to 10: the image bound, one source, no foreign inspection."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.parts.chain import ARTIFACT, IMAGE_DIGEST, REPOSITORY, SOURCE, Chain, digests, digests_of

from intoto_action.decide.demands import SameAs
from intoto_action.formats.artifact import Digests
from intoto_action.formats.layout import Inspection
from intoto_action.formats.reference import Image, Platform
from intoto_action.reason import Reason

OTHER = "sha256:" + "2b" * 32


def test_a_digest_that_is_no_product_of_the_chain_is_unbound(chain: Chain) -> None:
    chain.image = Image("ghcr.io/octo/app", OTHER)
    chain.statement_digest = OTHER
    verdict = chain.verify()
    assert verdict.reason is Reason.SUBJECT_UNBOUND
    assert IMAGE_DIGEST in verdict.explanation[0].found


def test_evidence_copied_to_another_repository_does_not_bind_there(chain: Chain) -> None:
    chain.image = Image("ghcr.io/mallory/app", IMAGE_DIGEST)
    assert chain.verify().reason is Reason.SUBJECT_UNBOUND


def test_a_child_of_the_bound_index_is_named(chain: Chain) -> None:
    chain.image = Image("ghcr.io/octo/app", OTHER, platforms=(Platform("linux/amd64", IMAGE_DIGEST),))
    chain.statement_digest = OTHER
    verdict = chain.verify()
    assert verdict.reason is Reason.SUBJECT_UNBOUND
    assert "child linux/amd64" in verdict.explanation[0].found


def test_a_label_is_ignored_and_the_digest_counts(chain: Chain) -> None:
    for name in ("build", "scan"):
        link = chain.link(name)
        materials = {
            **link.link.materials,
            **({} if name == "build" else {f"{ARTIFACT}#linux/arm64": digests_of(OTHER)}),
        }
        link.change(
            materials=materials, products={**link.link.products, f"{ARTIFACT}#linux/arm64": digests_of(OTHER)}
        )
    rules = chain.step("build").expected_products
    chain.change_step("build", expected_products=[*rules[:-1], ["CREATE", f"{ARTIFACT}*"], rules[-1]])
    match = ["MATCH", f"{ARTIFACT}*", "WITH", "PRODUCTS", "FROM", "build"]
    scan = chain.step("scan")
    chain.change_step(
        "scan",
        expected_materials=[match, ["DISALLOW", "*"]],
        expected_products=[match, *scan.expected_products[2:]],
    )
    chain.image = Image("ghcr.io/octo/app", OTHER)
    chain.statement_digest = OTHER
    verdict = chain.verify()
    assert verdict.verdict == "pass", verdict.explanation


def test_an_image_that_every_step_only_passed_on_is_unbound(chain: Chain) -> None:
    image = {ARTIFACT: digests_of(IMAGE_DIGEST)}
    link = chain.link("build")
    link.change(materials={**link.link.materials, **image})
    rules = chain.step("build").expected_materials
    allow = ["ALLOW", ARTIFACT]
    products = chain.step("build").expected_products
    chain.change_step(
        "build", expected_materials=[allow, *rules], expected_products=[*products[:-1], allow, products[-1]]
    )
    verdict = chain.verify()
    assert verdict.reason is Reason.SUBJECT_UNBOUND
    assert "passed it on" in verdict.explanation[0].found


def test_every_step_that_requires_the_image_must_have_this_digest(chain: Chain) -> None:
    push = chain.step("scan")
    chain.change_step(
        "scan",
        expected_products=[["REQUIRE", ARTIFACT], ["ALLOW", ARTIFACT], *push.expected_products],
    )
    link = chain.link("scan")
    link.change(products={**link.link.products, ARTIFACT: digests_of(OTHER)})
    verdict = chain.verify()
    assert verdict.reason is Reason.SUBJECT_UNBOUND
    assert verdict.explanation[0].step == "scan"


def test_a_layout_that_requires_no_image_binds_none_unless_a_step_is_named(chain: Chain) -> None:
    rules = [rule for rule in chain.step("build").expected_products if rule[0] != "REQUIRE"]
    chain.change_step("build", expected_products=rules)
    assert chain.verify().reason is Reason.SUBJECT_UNBOUND
    assert chain.verify(subject_step="build").verdict == "pass"
    assert chain.verify(subject_step="checkout").reason is Reason.SUBJECT_UNBOUND
    assert chain.verify(subject_step="nowhere").reason is Reason.SUBJECT_UNBOUND


def test_a_named_step_is_checked_beside_those_of_the_layout(chain: Chain) -> None:
    assert chain.verify(subject_step="checkout").reason is Reason.SUBJECT_UNBOUND


@pytest.mark.parametrize("step", ["nowhere", ""])
def test_a_named_step_that_the_layout_does_not_have_makes_nothing(chain: Chain, step: str) -> None:
    verdict = chain.verify(subject_step=step)
    assert verdict.reason is Reason.SUBJECT_UNBOUND
    assert "--subject-step" in verdict.explanation[0].expected


def test_a_named_step_that_only_passed_the_image_on_did_not_make_it(chain: Chain) -> None:
    verdict = chain.verify(subject_step="scan")
    assert verdict.reason is Reason.SUBJECT_UNBOUND
    assert verdict.explanation[0].step == "scan"
    assert chain.verify(subject_step="build").verdict == "pass"


def test_the_verdict_says_under_which_name_the_image_was_bound(chain: Chain) -> None:
    chain.image = Image(None, IMAGE_DIGEST)
    assert chain.verify().subject == f"{ARTIFACT} with {IMAGE_DIGEST} is a product of step 'build'"


def test_a_file_under_the_name_of_the_image_binds_by_its_digest_only(chain: Chain) -> None:
    link = chain.link("build")
    link.change(products={**link.link.products, ARTIFACT: digests("c")})
    scan = chain.link("scan")
    scan.change(materials={ARTIFACT: digests("c")}, products={**scan.link.products, ARTIFACT: digests("c")})
    assert chain.verify().reason is Reason.SUBJECT_UNBOUND


def test_an_image_by_its_config_never_binds(chain: Chain) -> None:
    name = "image:ghcr.io/octo/app"
    link = chain.link("build")
    link.change(products={"src/app.py": digests("a"), name: digests_of(IMAGE_DIGEST)})
    scan = chain.link("scan")
    scan.change(materials={name: digests_of(IMAGE_DIGEST)}, products={"report.json": digests("b")})
    source = ["MATCH", "src/*", "WITH", "PRODUCTS", "FROM", "checkout"]
    chain.change_step(
        "build", expected_products=[["REQUIRE", name], source, ["CREATE", name], ["DISALLOW", "*"]]
    )
    match = ["MATCH", name, "WITH", "PRODUCTS", "FROM", "build"]
    chain.change_step("scan", expected_materials=[match, ["DISALLOW", "*"]])
    chain.change_step("scan", expected_products=[["CREATE", "report.json"], ["DISALLOW", "*"]])
    assert chain.verify().reason is Reason.SUBJECT_UNBOUND
    assert chain.verify(subject_step="build").reason is Reason.SUBJECT_UNBOUND


def test_an_image_without_a_repository_is_bound_by_the_one_name_of_the_layout(chain: Chain) -> None:
    chain.image = Image(None, IMAGE_DIGEST)
    assert chain.verify().verdict == "pass"


def test_an_image_without_a_repository_is_unbound_when_the_layout_names_two(chain: Chain) -> None:
    other = "oci:ghcr.io/octo/other"
    chain.change_step("checkout", expected_products=[["REQUIRE", other], ["CREATE", "*"], ["DISALLOW", "*"]])
    link = chain.link("checkout")
    link.change(products={**link.link.products, other: digests_of(OTHER)})
    chain.image = Image(None, IMAGE_DIGEST)
    assert chain.verify().reason is Reason.SUBJECT_UNBOUND
    assert chain.verify(subject_step="build").verdict == "pass", "as the advice says"
    assert chain.verify(subject_step="checkout").reason is Reason.SUBJECT_UNBOUND


@pytest.mark.parametrize(
    ("mirror", "origin", "verdict"),
    [
        ("mirror.corp/x/**", "ghcr.io/**", "pass"),
        ("mirror.corp/x/octo/app", "ghcr.io/octo/app", "pass"),
        ("mirror.corp/x/**", "ghcr.io/other/**", "deny"),
        ("mirror.corp/x/octo", "ghcr.io/octo/app", "deny"),
        ("mirror.corp/**", "ghcr.io/**", "deny"),
    ],
)
def test_a_mirror_counts_as_what_the_verifier_says(
    chain: Chain, mirror: str, origin: str, verdict: str
) -> None:
    chain.image = Image("mirror.corp/x/octo/app", IMAGE_DIGEST)
    assert chain.verify().reason is Reason.SUBJECT_UNBOUND
    assert chain.verify(same_as=(SameAs(mirror, origin),)).verdict == verdict


def _github(chain: Chain, step: str, **changes: str) -> None:
    link = chain.link(step)
    github: Any = link.link.environment["github"]
    link.change(environment={**link.link.environment, "github": {**github, **changes}})


@pytest.mark.parametrize(
    "changes",
    [
        {"repository": "mallory/app"},
        {"repository": "https://github.example/octo/app"},
        {"ref": "refs/heads/mainline"},
        {"ref": "refs/pull/7/merge"},
        {"event": "pull_request"},
        {"event": "pull_request_target"},
        {"event": "merge_group"},
        {"event": "merge_request_event"},
        {"event": "workflow_run"},
        {"event": "issue_comment"},
        {"sha": "decade"},
    ],
)
def test_a_link_from_elsewhere_is_a_source_mismatch(chain: Chain, changes: dict[str, str]) -> None:
    _github(chain, "build", **changes)
    verdict = chain.verify()
    assert verdict.reason is Reason.SOURCE_MISMATCH
    assert "build" in {each.step for each in verdict.explanation}


def test_a_link_without_a_source_is_a_source_mismatch(chain: Chain) -> None:
    for link in chain.links:
        link.change(environment={})
    assert chain.verify().reason is Reason.SOURCE_MISMATCH
    chain.change_layout(inspect=[])
    assert chain.verify().verdict == "pass", "without a source inspection no link needs one"


def test_one_link_without_a_commit_among_others_with_one_is_a_source_mismatch(chain: Chain) -> None:
    chain.change_layout(inspect=[])
    chain.link("scan").change(environment={})
    assert chain.verify().reason is Reason.SOURCE_MISMATCH


def test_two_commits_are_a_source_mismatch_without_any_inspection(chain: Chain) -> None:
    chain.change_layout(inspect=[])
    _github(chain, "scan", sha="decade")
    assert chain.verify().reason is Reason.SOURCE_MISMATCH


def _source(chain: Chain, *more: str) -> None:
    chain.change_layout(inspect=[Inspection("source", [["ALLOW", "*"]], [["ALLOW", "*"]], [*SOURCE, *more])])


def test_a_step_that_may_have_any_commit_is_exempt_from_the_commit_only(chain: Chain) -> None:
    _github(chain, "scan", sha="decade")
    _source(chain, "--any-commit", "scan")
    assert chain.verify().verdict == "pass"
    _github(chain, "scan", repository="mallory/app")
    assert chain.verify().reason is Reason.SOURCE_MISMATCH


def test_a_listed_event_is_the_only_one(chain: Chain) -> None:
    _source(chain, "--event", "push")
    assert chain.verify().verdict == "pass"
    _source(chain, "--event", "schedule")
    assert chain.verify().reason is Reason.SOURCE_MISMATCH


def test_a_pull_request_counts_when_the_layout_lists_it(chain: Chain) -> None:
    for step in ("checkout", "build", "scan"):
        _github(chain, step, event="pull_request")
    _source(chain, "--event", "pull_request")
    assert chain.verify().verdict == "pass"


def test_a_ref_may_end_in_one_star(chain: Chain) -> None:
    chain.change_layout(
        inspect=[Inspection("source", [["ALLOW", "*"]], [["ALLOW", "*"]], [*SOURCE[:-1], "refs/heads/*"])]
    )
    assert chain.verify().verdict == "pass"


def test_a_command_that_could_ask_for_a_token_must_be_named(chain: Chain) -> None:
    link = chain.link("build")
    link.change(environment={**link.link.environment, "recorded": {"oidc": True}})
    assert chain.verify().reason is Reason.SOURCE_MISMATCH
    _source(chain, "--pass-oidc", "build")
    assert chain.verify().verdict == "pass"


def test_an_environment_of_another_shape_is_a_source_mismatch(chain: Chain) -> None:
    chain.link("build").change(environment={"github": {"repository": ["octo/app"]}})
    assert chain.verify().reason is Reason.SOURCE_MISMATCH
    chain.link("build").change(environment={"github": "octo/app"})
    assert chain.verify().reason is Reason.SOURCE_MISMATCH


def test_links_of_two_runs_pass_unless_one_run_is_demanded(chain: Chain) -> None:
    _github(chain, "scan", run_id="8")
    assert chain.verify().verdict == "pass"
    assert chain.verify(same_run=True).reason is Reason.RUN_MISMATCH


def test_links_without_a_run_do_not_pass_when_one_run_is_demanded(chain: Chain) -> None:
    chain.change_layout(inspect=[])
    for link in chain.links:
        link.change(environment={})
    assert chain.verify().verdict == "pass"
    assert chain.verify(same_run=True).reason is Reason.RUN_MISMATCH


@pytest.mark.parametrize(
    "run", [["sh", "-c", "true"], [], ["intoto-action", "inspect", "vulnerabilities"], ["./intoto-action"]]
)
def test_an_inspection_that_is_not_built_in_is_refused(chain: Chain, run: list[str]) -> None:
    chain.change_layout(inspect=[Inspection("foreign", [["ALLOW", "*"]], [["ALLOW", "*"]], run)])
    assert chain.verify().reason is Reason.INSPECTION_REFUSED


def test_a_built_in_inspection_with_words_it_does_not_know_is_refused(chain: Chain) -> None:
    _source(chain, "--surprise", "x")
    assert chain.verify().reason is Reason.INSPECTION_REFUSED


def test_the_verdict_is_the_contract_when_it_is_encoded(chain: Chain) -> None:
    chain.image = Image("ghcr.io/mallory/app", IMAGE_DIGEST)
    encoded = msgspec.json.decode(msgspec.json.encode(chain.verify()))
    assert encoded["verdict"] == "deny"
    assert encoded["reason"] == "subject-unbound"
    assert {"image", "layout", "steps", "explanation"} <= set(encoded)


def _with_both(chain: Chain, kind: str, step: str) -> None:
    link = chain.link(step)
    both = Digests(sha256=IMAGE_DIGEST.removeprefix("sha256:"), sha512="5" * 128)
    link.change(**{kind: {**getattr(link.link, kind), ARTIFACT: both}})


@pytest.mark.parametrize("digest", [IMAGE_DIGEST, "sha512:" + "5" * 128])
def test_an_image_is_bound_by_whichever_digest_was_recorded(chain: Chain, digest: str) -> None:
    for kind, step in (("products", "build"), ("materials", "scan"), ("products", "scan")):
        _with_both(chain, kind, step)
    chain.image = Image(REPOSITORY, digest)
    chain.statement_digest = digest
    assert chain.verify().verdict == "pass"


def test_a_material_that_could_be_the_image_under_another_algorithm_is_one_passed_through(
    chain: Chain,
) -> None:
    _with_both(chain, "products", "build")
    build = chain.link("build")
    build.change(materials={**build.link.materials, ARTIFACT: Digests(sha512="5" * 128)})
    allow = ["ALLOW", ARTIFACT]
    step = chain.step("build")
    chain.change_step("build", expected_materials=[allow, *step.expected_materials])
    chain.change_step("build", expected_products=[*step.expected_products[:-1], allow, ["DISALLOW", "*"]])
    for kind in ("materials", "products"):
        _with_both(chain, kind, "scan")
    verdict = chain.verify()
    assert verdict.reason is Reason.SUBJECT_UNBOUND
    assert "passed it on" in verdict.explanation[0].found
