"""`inspect source` on a directory of links, as a stock verifier runs it."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.parts.chain import Chain

from intoto_action.formats.inspection import SourceDemand
from intoto_action.reason import Denied, Malformed, Reason
from intoto_action.verify.inspect import inspect_source

DEMAND = SourceDemand("https://github.com/octo/app", ("refs/heads/main",))


def links(chain: Chain) -> Mapping[str, bytes]:
    return {each.file_name: each.sealed() for each in chain.links}


def reason(demand: SourceDemand, raw: Mapping[str, bytes]) -> Reason:
    with pytest.raises(Denied) as caught:
        inspect_source(demand, raw)
    return caught.value.reason


def with_github(chain: Chain, step: str, **changes: str) -> Chain:
    environment: dict[str, Any] = dict(chain.link(step).link.environment)
    chain.link(step).change(environment={**environment, "github": {**environment["github"], **changes}})
    return chain


def test_links_of_one_commit_of_the_repository_pass() -> None:
    assert inspect_source(DEMAND, links(Chain())) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"repository": "octo/fork"},
        {"ref": "refs/pull/7/merge"},
        {"event": "pull_request_target"},
        {"sha": "another commit"},
    ],
)
def test_a_link_from_elsewhere_is_denied(changes: dict[str, str]) -> None:
    assert reason(DEMAND, links(with_github(Chain(), "scan", **changes))) is Reason.SOURCE_MISMATCH


def test_a_scan_may_be_of_another_commit_when_the_layout_says_so() -> None:
    raw = links(with_github(Chain(), "scan", sha="another commit"))
    assert inspect_source(SourceDemand(DEMAND.repository, any_commit=("scan",)), raw) == 3


def test_no_links_are_no_source() -> None:
    assert reason(DEMAND, {}) is Reason.LINK_MISSING


def test_a_file_that_is_no_link_is_an_error() -> None:
    with pytest.raises(Malformed, match="scan"):
        inspect_source(DEMAND, {**links(Chain()), "scan.0123abcd.link": b"{}"})


def test_the_link_that_a_stock_verifier_leaves_of_an_inspection_is_no_link_of_a_step() -> None:
    """in-toto writes `<inspection>.link` where it runs: the next run must not stumble over the last one's."""
    left = b'{"signatures": [], "signed": {"_type": "link", "name": "source"}}'
    assert inspect_source(DEMAND, {**links(Chain()), "source.link": left}) == 3
