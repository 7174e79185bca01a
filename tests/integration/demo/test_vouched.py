"""The demo's release without keys, on a private Sigstore: it passes, and a pull request's scan is denied."""

import json
from pathlib import Path

import pytest
from tests.integration.demo.test_play import Audience
from tests.parts.demo_with_sigstore import vouched_by
from tests.parts.sigstore import SIGSTORE, PrivateSigstore

from intoto_action.demo.play import play
from intoto_action.demo.vouched import NAMES, read_vouched
from intoto_action.reason import ExitCode, Malformed, Misused


def written(directory: Path, document: object) -> Path:
    file = directory / "vouched.json"
    file.write_text(json.dumps(document))
    return file


@pytest.mark.needs(*SIGSTORE)
def test_the_release_passes_and_a_pull_request_s_scan_is_an_identity_mismatch(
    sigstore: PrivateSigstore, tmp_path: Path
) -> None:
    vouched = read_vouched(written(tmp_path, vouched_by(sigstore)))
    audience = Audience()
    assert play(audience.stage, acts=[], vouched=vouched) is ExitCode.PASS
    assert "All 3 outcomes are what they must be." in audience.seen
    assert "identity-mismatch" in audience.seen
    assert not any(token in audience.seen for token in vouched.tokens.values())


@pytest.mark.needs(*SIGSTORE)
def test_a_scan_in_a_pull_request_that_passes_would_be_told(
    sigstore: PrivateSigstore, tmp_path: Path
) -> None:
    document = vouched_by(sigstore)
    document["tokens"] |= {"pull-request": document["tokens"]["scan"]}
    vouched = read_vouched(written(tmp_path, document))
    audience = Audience()
    assert play(audience.stage, acts=[], vouched=vouched) is ExitCode.DENIED
    assert "must end with deny: identity-mismatch, ended with pass" in audience.seen


@pytest.mark.parametrize("name", NAMES)
def test_a_job_without_a_token_is_told(tmp_path: Path, name: str) -> None:
    tokens = {each: "x" for each in NAMES if each != name}
    document = {"trust-config": "x", "issuer": "https://x", "tokens": tokens}
    with pytest.raises(Misused, match=f"none for {name}"):
        read_vouched(written(tmp_path, document))


@pytest.mark.parametrize("document", [None, [], {}, {"tokens": {}}, {"trust-config": 1}])
def test_another_document_is_malformed(tmp_path: Path, document: object) -> None:
    with pytest.raises(Malformed):
        read_vouched(written(tmp_path, document))
