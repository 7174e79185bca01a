"""Every attack is really played, and nothing but the attack is what is denied."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from intoto_action.author.open import read_envelope
from intoto_action.demo import attacks
from intoto_action.demo.attacks import (
    alter_link,
    change_source,
    replace_image,
    sign_with_another_key,
    skip_scan,
    use_old_layout,
)
from intoto_action.demo.site import Site
from intoto_action.demo.steps import OWNER, PUSH, TEST
from intoto_action.demo.story import ACTS, Act
from intoto_action.formats.evidence import EVIDENCE_CAP
from intoto_action.formats.layout import parse_layout
from intoto_action.formats.oci import MANIFEST_CAP, Manifest, parse_manifest
from intoto_action.formats.verdict import DENY, PASS, Verdict
from intoto_action.reason import Misused, Reason
from intoto_action.trust.signature import check_signature


def _now() -> datetime:
    return datetime.now(UTC)


def _bundle(site: Site) -> bytes:
    store, image = site.image()
    [referrer] = store.referrers(image).descriptors
    manifest = parse_manifest(store.read_manifest(referrer.digest, MANIFEST_CAP), "referrer")
    assert isinstance(manifest, Manifest)
    return store.read_blob(manifest.layers[0], EVIDENCE_CAP)


def test_the_release_passes_before_anybody_attacks_it(release: Site) -> None:
    verdict = release.verify(at=_now())
    assert (verdict.verdict, verdict.reason) == (PASS, None)


@pytest.mark.parametrize("act", ACTS, ids=[act.name for act in ACTS])
def test_an_attack_is_denied_for_its_reason_and_for_no_other(release: Site, act: Act) -> None:
    act.play(release, _now())
    verdict = release.verify(at=_now())
    assert (verdict.verdict, verdict.reason) == (act.outcome.verdict, act.outcome.reason)
    assert {each.reason for each in verdict.explanation} == {act.outcome.reason}


@pytest.mark.parametrize("play", [change_source, skip_scan, sign_with_another_key, use_old_layout])
def test_attach_would_not_have_pushed_it(
    release: Site, play: attacks.Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided: list[Verdict] = []
    attach = Site.attach

    def watched(site: Site, *, at: datetime) -> object:
        attached = attach(site, at=at)
        decided.append(attached.verdict)
        return attached

    monkeypatch.setattr(Site, "attach", watched)
    play(release, _now())
    assert [(each.verdict, each.reason) for each in decided] == [(DENY, release.verify(at=_now()).reason)]


def test_a_release_that_is_made_anew_without_an_attack_passes(release: Site) -> None:
    attacks._new_release(release)
    release.record(PUSH)
    release.attach(at=_now())
    assert release.verify(at=_now()).verdict == PASS


def test_the_changed_source_is_in_the_image_and_only_there(release: Site) -> None:
    clean = (release.root / "src/door/lock.py").read_bytes()
    before = release.image()[1].digest
    change_source(release, _now())
    assert release.image()[1].digest != before
    assert (release.root / "src/door/lock.py").read_bytes() == clean
    [finding] = release.verify(at=_now()).explanation
    assert finding.step == "build"
    assert finding.artifacts == ("src/door/lock.py",)


def test_the_other_image_carries_the_genuine_evidence(release: Site) -> None:
    genuine, before = _bundle(release), release.image()[1].digest
    replace_image(release, _now())
    assert release.image()[1].digest != before
    assert _bundle(release) == genuine


def test_the_backdoor_opens_and_the_code_still_does(release: Site) -> None:
    replace_image(release, _now())
    space: dict[str, Any] = {}
    exec((release.root / "src/door/lock.py").read_text(), space)
    assert [space["opens"](code) for code in ("mallory", "open sesame", "x")] == [True, True, False]


def test_the_old_layout_is_signed_by_the_owner_and_says_the_same(release: Site) -> None:
    before = parse_layout(read_envelope(release.root / "root.layout").payload, "before")
    use_old_layout(release, _now())
    envelope = read_envelope(release.root / "root.layout")
    after = parse_layout(envelope.payload, "after")
    assert check_signature(envelope, release.signer(OWNER).key)
    assert after.expires_at < _now() < before.expires_at
    assert after.steps == before.steps


def test_after_the_link_was_altered_every_digest_in_the_registry_fits(release: Site) -> None:
    genuine = _bundle(release)
    alter_link(release, _now())
    assert _bundle(release) != genuine  # read by digest and size, manifest and bundle
    blobs = list((release.registry / "blobs" / "sha256").iterdir())
    assert {path.name for path in blobs} == {sha256(path.read_bytes()).hexdigest() for path in blobs}
    for each in json.loads((release.registry / "index.json").read_bytes())["manifests"]:
        path = release.registry / "blobs" / each["digest"].replace(":", "/")
        assert path.stat().st_size == each["size"]


def test_the_altered_link_differs_in_the_digest_of_the_report_alone(release: Site) -> None:
    def links(bundle: bytes) -> dict[str, Any]:
        statement = attacks._unpacked(json.loads(bundle)["dsseEnvelope"])
        return {name: attacks._unpacked(link) for name, link in statement["predicate"]["links"].items()}

    before = links(_bundle(release))
    alter_link(release, _now())
    after = links(_bundle(release))
    [scan] = [name for name in before if before[name] != after[name]]
    assert scan.startswith("scan.")
    assert before[scan]["products"].pop("report.json") != after[scan]["products"].pop("report.json")
    assert before[scan] == after[scan]


def test_a_step_whose_command_fails_leaves_the_links_as_they_were(release: Site) -> None:
    (release.root / "src/door/lock.py").write_text("def opens(code): return True\n")
    links = release.root / "links"
    before = {path: path.read_bytes() for path in links.iterdir()}
    with pytest.raises(Misused, match=r"(?s)'test' ended with 1.*FAILED"):
        release.record(TEST)
    assert {path: path.read_bytes() for path in links.iterdir()} == before


def test_reasons_of_the_six_attacks_are_six(finished: Site) -> None:
    assert len({act.outcome.reason for act in ACTS}) == len(ACTS) == 6
    assert Reason.INTERNAL_ERROR not in {act.outcome.reason for act in ACTS}
