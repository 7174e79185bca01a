"""A decision opens nothing, asks nobody and starts nothing, whatever it decides.

Python tells an audit hook of every file, socket and process. A hook cannot be taken away again, so it listens only
while a decision is made.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.parts.chain import ARTIFACT, IMAGE_DIGEST, NOW, Chain, MemorySigner, digests
from tests.parts.forge import Forge, GitHubJob
from tests.parts.keyless_signer import KeylessSigner, by_identity, trust_root
from tests.parts.provenance import by_github, signed

from intoto_action.decide.decide import Attestation, decide
from intoto_action.decide.demands import Demands, ProvenanceDemand, Revoked, Trust
from intoto_action.formats.envelope import parse_envelope
from intoto_action.formats.evidence import parse_signed
from intoto_action.formats.layout import Inspection
from intoto_action.formats.reference import Image
from intoto_action.reason import Reason

OUTSIDE = (
    *("open", "os.", "io.", "pathlib.", "shutil.", "tempfile.", "glob.", "fcntl.", "mmap.", "winreg."),
    *("socket.", "subprocess.", "pty.", "signal.", "syslog.", "urllib.", "http.", "ftplib.", "smtplib."),
    *("import", "marshal.", "pickle.", "ctypes.", "sqlite3.", "webbrowser.", "_thread.", "builtins.input"),
)
ROOT = Path(__file__).parents[3]
FORGE = Forge()
ROOT_OF_THE_FORGE = trust_root(FORGE)
JOB = GitHubJob(sha="c0ffee", run_id="7")

_listening = threading.local()
_heard: list[str] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if getattr(_listening, "now", False) and event.startswith(OUTSIDE):
        _heard.append(f"{event} {str(arguments)[:200]}")


sys.addaudithook(_hook)


def events_of(decision: Callable[[], object]) -> list[str]:
    """What the decision did outside of itself."""
    _heard.clear()
    _listening.now = True
    try:
        decision()
    finally:
        _listening.now = False
    return list(_heard)


Break = Callable[[Chain], Demands]


def _nothing(chain: Chain) -> Demands:
    return chain.demands()


def _statement_of_another_image(chain: Chain) -> Demands:
    chain.statement_digest = "sha256:" + "2b" * 32
    return chain.demands()


def _no_statement(chain: Chain) -> Demands:
    chain.change_document = lambda _: b"{}"
    return chain.demands()


def _layout_of_a_stranger(chain: Chain) -> Demands:
    chain.layout_signers = [MemorySigner()]
    return chain.demands()


def _layout_that_has_ended(chain: Chain) -> Demands:
    chain.now = NOW + timedelta(days=365)
    return chain.demands()


def _layout_that_is_revoked(chain: Chain) -> Demands:
    digest = parse_signed(chain.sealed_layout(), "layout").sha256
    return chain.demands(revoked=Revoked(layouts=frozenset({digest})))


def _layout_that_is_open(chain: Chain) -> Demands:
    chain.change_step("scan", expected_products=[])
    return chain.demands()


def _attestation_of_a_stranger(chain: Chain) -> Demands:
    chain.outer = MemorySigner()
    return chain.demands()


def _link_left_out(chain: Chain) -> Demands:
    chain.link("build").present = False
    return chain.demands()


def _step_that_failed(chain: Chain) -> Demands:
    chain.link("build").change(byproducts={"return-value": 1})
    return chain.demands()


def _step_by_an_identity(chain: Chain) -> Demands:
    chain.sigstore = ROOT_OF_THE_FORGE
    by_identity(chain, "build", KeylessSigner(FORGE, JOB))
    return chain.demands()


def _step_by_another_identity(chain: Chain) -> Demands:
    demands = _step_by_an_identity(chain)
    chain.link("build").signed_by(KeylessSigner(FORGE, GitHubJob.pull_request()))
    return demands


def _link_of_a_stranger(chain: Chain) -> Demands:
    chain.link("build").signed_by(MemorySigner())
    return chain.demands()


def _threshold_of_two(chain: Chain) -> Demands:
    chain.add_functionary("build", MemorySigner()).change_step("build", threshold=2)
    return chain.demands()


def _artifact_that_was_changed(chain: Chain) -> Demands:
    chain.link("build").change(materials={"src/app.py": digests("e")})
    return chain.demands()


def _image_that_nobody_made(chain: Chain) -> Demands:
    chain.statement_digest = "sha256:" + "2b" * 32
    chain.image = Image("ghcr.io/octo/app", chain.statement_digest)
    return chain.demands()


def _another_repository(chain: Chain) -> Demands:
    chain.link("build").change(environment={"github": {"repository": "mallory/app"}})
    return chain.demands()


def _links_of_no_run(chain: Chain) -> Demands:
    chain.change_layout(inspect=[])
    for link in chain.links:
        link.change(environment={})
    return chain.demands(same_run=True)


def _foreign_inspection(chain: Chain) -> Demands:
    chain.change_layout(inspect=[Inspection("run", [["ALLOW", "*"]], [["ALLOW", "*"]], ["touch", "/tmp/x"])])
    return chain.demands()


def _provenance_that_nobody_attached(chain: Chain) -> Demands:
    return chain.demands(provenance=ProvenanceDemand(builder_id=JOB.identity))


def _provenance(chain: Chain) -> Demands:
    chain.sigstore = ROOT_OF_THE_FORGE
    chain.provenance = [signed(by_github(JOB), KeylessSigner(FORGE, JOB))]
    return chain.demands(provenance=ProvenanceDemand(builder_id=JOB.identity))


def _provenance_of_another_builder(chain: Chain) -> Demands:
    demands = _provenance(chain)
    chain.provenance = [signed(by_github(JOB), KeylessSigner(FORGE, GitHubJob.pull_request()))]
    return demands


BREAKS: list[tuple[Break, Reason | None]] = [
    (_nothing, None),
    (_statement_of_another_image, Reason.SUBJECT_MISMATCH),
    (_no_statement, Reason.NO_ATTESTATION),
    (_layout_of_a_stranger, Reason.LAYOUT_SIGNATURE),
    (_layout_that_has_ended, Reason.LAYOUT_EXPIRED),
    (_layout_that_is_revoked, Reason.LAYOUT_REVOKED),
    (_layout_that_is_open, Reason.LAYOUT_INVALID),
    (_attestation_of_a_stranger, Reason.ATTESTATION_SIGNATURE),
    (_link_left_out, Reason.LINK_MISSING),
    (_step_that_failed, Reason.LINK_INVALID),
    (_link_of_a_stranger, Reason.LINK_SIGNATURE),
    (_threshold_of_two, Reason.THRESHOLD),
    (_step_by_an_identity, None),
    (_step_by_another_identity, Reason.IDENTITY_MISMATCH),
    (_artifact_that_was_changed, Reason.RULE_VIOLATION),
    (_image_that_nobody_made, Reason.SUBJECT_UNBOUND),
    (_another_repository, Reason.SOURCE_MISMATCH),
    (_links_of_no_run, Reason.RUN_MISMATCH),
    (_foreign_inspection, Reason.INSPECTION_REFUSED),
    (_provenance, None),
    (_provenance_that_nobody_attached, Reason.PROVENANCE_MISSING),
    (_provenance_of_another_builder, Reason.PROVENANCE_MISMATCH),
]


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """Every module that a decision needs is there before anybody listens."""
    keyless = Chain(sigstore=ROOT_OF_THE_FORGE)
    by_identity(keyless, "build", KeylessSigner(FORGE, JOB)).verify()


@pytest.mark.parametrize(("broken", "reason"), BREAKS, ids=[each.__name__.strip("_") for each, _ in BREAKS])
def test_a_decision_does_nothing_outside_of_itself(
    chain: Chain, broken: Break, reason: Reason | None
) -> None:
    demands = broken(chain)
    bundle = chain.bundle()
    verdicts = []

    def decision() -> None:
        attestation = Attestation(parse_envelope(bundle, "the bundle"), "the bundle")
        provenance = chain.provenances()
        verdicts.append(
            decide(attestation, chain.image, demands, provenance, at=chain.now, sigstore=chain.sigstore)
        )

    assert events_of(decision) == []
    assert verdicts[0].reason is reason


def test_every_reason_of_the_decision_is_among_them() -> None:
    later = {Reason.INVALID_REFERENCE, Reason.MUTABLE_REFERENCE, Reason.REGISTRY_ERROR, Reason.INTERNAL_ERROR}
    services = {Reason.SIGSTORE_UNAVAILABLE, Reason.KEY_UNAVAILABLE, Reason.OVERLOADED}
    of_other_issues = {Reason.INSPECTION_FAILED}
    assert set(Reason) - {reason for _, reason in BREAKS} == later | services | of_other_issues


def test_metablocks_are_read_without_a_look_outside() -> None:
    root, raw = (
        MemorySigner(),
        b'{"signed": {"_type": "layout"}, "signatures": [{"keyid": "ab", "sig": "00"}]}',
    )
    parse_envelope(raw, "to import what reads Metablocks")

    def decision() -> None:
        evidence = Chain(root=root).evidence()
        demands = Demands(layout_trust=Trust((root.key,)), layout=parse_envelope(raw, "the layout"))
        decide(evidence, Image(ARTIFACT.removeprefix("oci:"), IMAGE_DIGEST), demands, at=NOW)

    assert events_of(decision) == []


def test_the_hook_hears_a_file_a_socket_and_a_process(tmp_path: Path) -> None:
    import socket

    (tmp_path / "x").write_text("x")
    assert events_of((tmp_path / "x").read_text)
    assert events_of(lambda: list(tmp_path.iterdir()))
    assert events_of(lambda: socket.socket().close())
    assert events_of(lambda: subprocess.run(["true"], check=True))


HONEST = """
import sys
from tests.parts.chain import Chain
from intoto_action.decide.decide import Attestation, decide
from intoto_action.formats.envelope import parse_envelope
# What decide imports at the moment it needs it, and nothing else.
import in_toto.verifylib, in_toto.exceptions

chain = Chain()
bundle, demands = chain.bundle(), chain.demands()
heard, listening = [], False
OUTSIDE = {outside!r}
def hook(event, arguments):
    if listening and event.startswith(OUTSIDE):
        heard.append((event, str(arguments)[:200]))
sys.addaudithook(hook)
listening = True
verdict = decide(Attestation(parse_envelope(bundle, "x"), "x"), chain.image, demands, at=chain.now)
listening = False
print(verdict.verdict, heard)
"""


def test_the_first_decision_of_a_process_needs_only_the_imports_that_are_named_here() -> None:
    program = HONEST.format(outside=OUTSIDE)
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout == "pass []\n", found.stdout
