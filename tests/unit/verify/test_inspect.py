"""`inspect source` on a directory of links, as a stock verifier runs it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.parts.chain import Chain
from tests.parts.forge import Fault, Forge, GitHubJob
from tests.parts.keyless_signer import KeylessSigner, by_identity, trust_root

from intoto_action.formats.envelope import PAYLOAD_TYPE
from intoto_action.formats.identity import Identity
from intoto_action.formats.inspection import SourceDemand
from intoto_action.keys.sealing import seal
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


def test_a_link_cannot_call_itself_the_step_that_may_come_from_elsewhere() -> None:
    """A stock verifier goes by the file's name, and looks at no name inside: neither must it open a door here."""
    chain = with_github(Chain(), "build", sha="another commit")
    chain.link("build").change(name="scan")
    demand = SourceDemand(DEMAND.repository, any_commit=("scan",), pass_oidc=("scan",))
    assert reason(demand, links(chain)) is Reason.LINK_INVALID is chain.verify_links().reason


def test_no_links_are_no_source() -> None:
    assert reason(DEMAND, {}) is Reason.LINK_MISSING


def test_a_file_that_is_no_link_is_an_error() -> None:
    with pytest.raises(Malformed, match="scan"):
        inspect_source(DEMAND, {**links(Chain()), "scan.0123abcd.link": b"{}"})


def test_the_link_that_a_stock_verifier_leaves_of_an_inspection_is_no_link_of_a_step() -> None:
    """in-toto writes `<inspection>.link` where it runs: the next run must not stumble over the last one's."""
    left = b'{"signatures": [], "signed": {"_type": "link", "name": "source"}}'
    assert inspect_source(DEMAND, {**links(Chain()), "source.link": left}) == 3


class TestKeylessLinks:
    """A link by an identity comes from where its certificate says: the verdict is that of the decision."""

    MAIN = GitHubJob(sha="c0ffee", run_id="7")

    def chain(self, forge: Forge, job: GitHubJob, functionary: Identity | None = None) -> Chain:
        chain = Chain(sigstore=trust_root(forge))
        return by_identity(chain, "build", KeylessSigner(forge, job), functionary)

    def both(self, chain: Chain) -> Reason | None:
        """What the inspection says, which is what the decision over the same links says."""
        decided = chain.verify_links().reason
        try:
            inspect_source(DEMAND, links(chain))
        except Denied as error:
            assert error.reason is decided
        else:
            assert decided is None
        return decided

    @pytest.mark.parametrize("environment", [{}, None])
    def test_a_certificate_of_the_source_passes(
        self, forge: Forge, environment: dict[str, object] | None
    ) -> None:
        chain = self.chain(forge, self.MAIN)
        if environment is not None:
            chain.link("build").change(environment=environment)
        assert self.both(chain) is None

    @pytest.mark.parametrize(
        "job",
        [
            GitHubJob(repository="evil/app", called=MAIN.job_workflow_ref, sha="c0ffee", run_id="7"),
            GitHubJob.tag(sha="c0ffee", run_id="7"),
            GitHubJob(event="pull_request_target", sha="c0ffee", run_id="7"),
            GitHubJob(sha="badc0de", run_id="7"),
        ],
    )
    @pytest.mark.parametrize("environment", [{}, None])
    def test_a_certificate_of_another_source_is_denied_whatever_the_link_says(
        self, forge: Forge, job: GitHubJob, environment: dict[str, object] | None
    ) -> None:
        chain = self.chain(forge, job)
        if environment is not None:
            chain.link("build").change(environment=environment)
        assert self.both(chain) is Reason.SOURCE_MISMATCH

    def test_a_person_s_certificate_is_of_no_source(self, forge: Forge) -> None:
        chain = Chain(sigstore=trust_root(forge))
        by_identity(chain, "build", KeylessSigner(forge, job=None, identity="a@b.c", issuer="https://id.b.c"))
        assert self.both(chain) is Reason.SOURCE_MISMATCH

    def test_a_certificate_that_somebody_put_beside_a_key_s_signature_does_not_speak_for_the_link(
        self, forge: Forge
    ) -> None:
        chain = Chain()
        chain.link("build").change(environment={})
        raw = dict(links(chain))
        name = chain.link("build").file_name
        forged = KeylessSigner(forge, self.MAIN, fault=Fault.SCT_MISSING)
        document = json.loads(raw[name])
        added = json.loads(seal(PAYLOAD_TYPE, b"{}", forged))["signatures"][0]
        prefix = document["signatures"][0]["keyid"][:8]
        for keyid in ("", "ab" * 32, prefix + "0" * 56):
            for signatures in (
                [{**added, "keyid": keyid}, *document["signatures"]],
                [*document["signatures"], {**added, "keyid": keyid}],
            ):
                raw[name] = json.dumps({**document, "signatures": signatures}).encode()
                assert reason(DEMAND, raw) is Reason.SOURCE_MISMATCH

    def test_a_second_certificate_under_the_same_hint_must_hold_too(self, forge: Forge) -> None:
        evil = GitHubJob(repository="evil/app", called=self.MAIN.job_workflow_ref, sha="c0ffee", run_id="7")
        chain = self.chain(forge, evil)
        chain.link("build").change(environment={})
        raw = dict(links(chain))
        name = chain.link("build").file_name
        document = json.loads(raw[name])
        good = json.loads(seal(PAYLOAD_TYPE, b"{}", KeylessSigner(forge, self.MAIN)))["signatures"][0]
        good["keyid"] = document["signatures"][0]["keyid"][:8] + "0" * 56
        raw[name] = json.dumps({**document, "signatures": [good, *document["signatures"]]}).encode()
        assert reason(DEMAND, raw) is Reason.SOURCE_MISMATCH

    def test_what_stands_under_another_keyid_is_not_read(self, forge: Forge) -> None:
        chain = self.chain(forge, self.MAIN)
        raw = dict(links(chain))
        name = chain.link("build").file_name
        document = json.loads(raw[name])
        broken = {"keyid": "ff" * 32, "sig": "AAAA", "extension": {"kind": "x", "ext": {}}}
        raw[name] = json.dumps({**document, "signatures": [broken, *document["signatures"]]}).encode()
        assert inspect_source(DEMAND, raw) == 3

    def test_a_certificate_that_cannot_be_read_is_an_error(self, forge: Forge) -> None:
        chain = self.chain(forge, self.MAIN)
        raw = dict(links(chain))
        name = chain.link("build").file_name
        document = json.loads(raw[name])
        document["signatures"][0]["extension"]["ext"]["certificate"] = {"rawBytes": "AAAA"}
        with pytest.raises(Malformed, match="build"):
            inspect_source(DEMAND, {**raw, name: json.dumps(document).encode()})
