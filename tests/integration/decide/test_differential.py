"""Whatever in-toto's own verifier denies, we deny: small chains, decided by both from the same files.

The chains are honest, or broken in the ways that a functionary, a packer or a layout's author could break them; the
rules come from the whole grammar. Layouts have no inspections, because the reference would run them.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from in_toto.models.layout import Layout as ReferenceLayout
from in_toto.models.link import Link as ReferenceLink
from in_toto.models.metadata import Envelope as ReferenceEnvelope
from in_toto.models.metadata import Metablock, Metadata
from in_toto.verifylib import in_toto_verify
from securesystemslib.signer._crypto_signer import CryptoSigner
from tests.parts.chain import NOW
from tests.parts.key_material import KINDS, private_key

from intoto_action.decide.decide import decide
from intoto_action.decide.demands import Demands, Trust
from intoto_action.formats.envelope import PAYLOAD_TYPE, Signature, encode_dsse, pae
from intoto_action.formats.evidence import Evidence, parse_links, parse_signed
from intoto_action.formats.key import PublicKey, public_key_from_crypto
from intoto_action.formats.layout import Layout, Rule, Step, encode_layout
from intoto_action.formats.link import link_file_name
from intoto_action.formats.verdict import Verdict
from intoto_action.reason import Reason
from intoto_action.store.link_directory import read_links

WRAPPERS = ("ours", "dsse", "metablock")
FILES = ("src/a", "src/b", "src/lib/a", "x", "a[b]", "é")
PATTERNS = (*FILES, "*", "src/*", "?", "[ax]", "[!a]*", "*a", "out*", "work/*", "nothing", "a[[]b]")
PREFIXES = ("src", "src/", "work", "work/", "work/src", "nowhere")
BOTH_LOOK_AT = {Reason.LINK_MISSING, Reason.LINK_SIGNATURE, Reason.RULE_VIOLATION}
"""Where we deny for one of these, the reference has to deny too: we are not just denying everything."""

Artifacts = dict[str, dict[str, str]]


@cache
def signer(number: int) -> CryptoSigner:
    return CryptoSigner(private_key(KINDS[number % 4], number))


@cache
def key(number: int) -> PublicKey:
    return public_key_from_crypto(private_key(KINDS[number % 4], number).public_key(), "key")


ROOT, STRANGER = 6, 7


@dataclass
class File:
    """One link file: for whom it is named, who signed it, how it is wrapped."""

    step: str
    functionary: int
    link: dict[str, Any]
    signer: int
    wrapper: str
    present: bool = True
    damage: str = ""

    @property
    def name(self) -> str:
        return link_file_name(self.step, key(self.functionary).keyid)

    @property
    def document(self) -> bytes:
        raw = sealed(self.link, self.signer, self.wrapper)
        match self.damage:
            case "keyid of another":
                document = json.loads(raw)
                document["signatures"][0]["keyid"] = key(self.functionary).keyid
                return json.dumps(document).encode()
            case "other bytes":
                return sealed(
                    {**self.link, "command": ["other"]}, self.signer, self.wrapper, signature_of=raw
                )
            case "cut":
                return raw[: len(raw) // 2]
            case "no signature":
                return json.dumps({**json.loads(raw), "signatures": []}).encode()
            case "twice":
                document = json.loads(raw)
                return json.dumps({**document, "signatures": document["signatures"] * 2}).encode()
        return raw


def sealed(fields: dict[str, Any], number: int, wrapper: str, *, signature_of: bytes | None = None) -> bytes:
    """The document of a link or a layout, made by us or with the in-toto API."""
    if wrapper == "ours":
        payload = json.dumps(fields).encode()
        value = bytes.fromhex(signer(number).sign(pae(PAYLOAD_TYPE, payload)).signature)
        raw = encode_dsse(PAYLOAD_TYPE, payload, (Signature(key(number).keyid, value),))
    else:
        signable = (ReferenceLayout if fields["_type"] == "layout" else ReferenceLink).read(
            json.loads(json.dumps(fields))
        )
        metadata = (
            ReferenceEnvelope.from_signable(signable) if wrapper == "dsse" else Metablock(signed=signable)
        )
        metadata.create_signature(signer(number))
        raw = json.dumps(metadata.to_dict()).encode()
    if signature_of is None:
        return raw
    return json.dumps({**json.loads(raw), "signatures": json.loads(signature_of)["signatures"]}).encode()


@dataclass
class Case:
    """A layout and the files beside it."""

    layout: Layout
    files: list[File]
    layout_wrapper: str
    said: list[str] = field(default_factory=list)

    def write(self, directory: Path) -> None:
        fields = json.loads(encode_layout(self.layout))
        (directory / "root.layout").write_bytes(sealed(fields, ROOT, self.layout_wrapper))
        for each in self.files:
            if each.present:
                (directory / each.name).write_bytes(each.document)


def reference_denies(directory: Path) -> str | None:
    """What the reference says, None when it passes."""
    root = signer(ROOT).public_key
    try:
        metadata = Metadata.load(str(directory / "root.layout"))
        in_toto_verify(
            metadata,
            {root.keyid: {"keyid": root.keyid, **root.to_dict()}},
            link_dir_path=str(directory),
            persist_inspection_links=False,
        )
    except Exception as error:  # noqa: BLE001 - its exceptions are not one family, and each of them denies
        return f"{type(error).__name__}: {error}"
    return None


def our_verdict(directory: Path) -> Verdict:
    links, faults = parse_links(read_links(directory), "the directory")
    layout = parse_signed((directory / "root.layout").read_bytes(), "root.layout")
    demands = Demands(layout_trust=Trust((key(ROOT),)))
    return decide(Evidence(layout, links, {}, faults), None, demands, at=NOW)


def compare(case: Case, seen: Counter[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        case.write(directory)
        theirs, ours = reference_denies(directory), our_verdict(directory)
    hypothesis.note(f"said {case.said}; the reference: {theirs}; we: {ours.reason} {ours.explanation}")
    hypothesis.event(f"{ours.reason.value if ours.reason else 'pass'} / {'deny' if theirs else 'pass'}")
    seen[f"{ours.verdict} / {'deny' if theirs else 'pass'}"] += 1
    assert not (theirs and ours.verdict == "pass"), "the reference denies what we pass"
    if ours.reason in BOTH_LOOK_AT:
        assert theirs, "the reference passes what we deny for its own rules"


def _digest(letter: str) -> dict[str, str]:
    return {"sha256": letter * 64}


_kinds = st.sampled_from(
    ["CREATE", "MODIFY", "DELETE", "ALLOW", "DISALLOW", "REQUIRE", "MATCH", "match", "Allow"]
)


@st.composite
def rules(draw: st.DrawFn, steps: list[str]) -> Rule:
    """Any rule of the grammar."""
    kind = draw(_kinds)
    rule = [kind, draw(st.sampled_from(PATTERNS))]
    if kind.upper() != "MATCH":
        return rule
    if draw(st.booleans()):
        rule += ["IN", draw(st.sampled_from(PREFIXES))]
    rule += ["WITH", draw(st.sampled_from(["MATERIALS", "PRODUCTS", "products"]))]
    if draw(st.booleans()):
        rule += ["IN", draw(st.sampled_from(PREFIXES))]
    return [*rule, "FROM", draw(st.sampled_from([*steps, "nowhere"]))]


_closed = st.sampled_from([["DISALLOW", "*"]] * 5 + [["ALLOW", "*"]])


@st.composite
def functionaries(draw: st.DrawFn) -> tuple[list[int], int]:
    """Who may sign a step, and how many must."""
    numbers = draw(st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True))
    return numbers, draw(st.integers(1, len(numbers)))


def _link(name: str, materials: Artifacts, products: Artifacts) -> dict[str, Any]:
    return {
        "_type": "link",
        "name": name,
        "command": ["make", name],
        "materials": materials,
        "products": products,
        "byproducts": {"return-value": 0},
        "environment": {},
    }


@st.composite
def honest_chains(draw: st.DrawFn) -> Case:
    """Each step takes the products of the one before it, moved into a directory or not, and makes one file more."""
    names = ["checkout", "build", "scan"][: draw(st.integers(1, 3))]
    chosen = draw(st.lists(st.sampled_from(FILES), min_size=1, unique=True))
    made: Artifacts = {name: _digest("a") for name in chosen}
    steps, files, numbers = [], [], set()
    prefix_before = ""
    for place, name in enumerate(names):
        people, threshold = draw(functionaries())
        numbers |= {*people}
        if place == 0:
            materials: Artifacts = {}
            expected_materials: list[Rule] = [["DISALLOW", "*"]]
            expected_products: list[Rule] = [
                ["CREATE", "*" if draw(st.booleans()) else each] for each in made
            ]
            expected_products = [*(["REQUIRE", each] for each in made), *expected_products]
            # A pattern with brackets does not match itself; what is left over is allowed by name.
            expected_products += [["ALLOW", each.replace("[", "[[]")] for each in made]
            products = made
        else:
            prefix = draw(st.sampled_from(["", "work", "work/"]))
            inside = f"{prefix.rstrip('/')}/" if prefix else ""
            bare = {key_.removeprefix(prefix_before): value for key_, value in made.items()}
            materials = {f"{inside}{each}": value for each, value in bare.items()}
            source = ["IN", prefix] if prefix else []
            destination = ["IN", prefix_before.rstrip("/")] if prefix_before else []
            match = ["MATCH", "*", *source, "WITH", "PRODUCTS", *destination, "FROM", names[place - 1]]
            same = ["MATCH", "*", "WITH", "MATERIALS", "FROM", name]
            expected_materials = [match, ["DISALLOW", "*"]]
            out = f"{inside}out{place}"
            products = {**materials, out: _digest(str(place))}
            passed = draw(st.sampled_from([match, same]))
            expected_products = [["REQUIRE", out], passed, ["CREATE", draw(st.sampled_from([out, "*out*"]))]]
            made, prefix_before = products, inside
        expected_products = [*expected_products, draw(_closed)]
        pubkeys = [key(number).keyid for number in people]
        steps.append(Step(name, expected_materials, expected_products, pubkeys, ["make", name], threshold))
        present = draw(st.lists(st.sampled_from(people), min_size=threshold, unique=True))
        for number in present:
            fields = _link(name, dict(materials), dict(products))
            files.append(File(name, number, fields, number, draw(st.sampled_from(WRAPPERS))))
    keys = {key(number).keyid: key(number).entry for number in sorted(numbers)}
    layout = Layout(steps, [], keys, "2099-01-01T00:00:00Z")
    return Case(layout, files, draw(st.sampled_from(WRAPPERS)))


BREAKS = (
    *(
        "digest",
        "drop",
        "add",
        "missing",
        "stranger",
        "functionary",
        "other bytes",
        "cut",
        "no signature",
        "twice",
    ),
    *("forged", "fail", "rename", "rule", "threshold", "float", "no type", "swap"),
)


@st.composite
def broken_chains(draw: st.DrawFn) -> Case:
    """An honest chain with up to two faults."""
    case = draw(honest_chains())
    for _ in range(draw(st.integers(0, 2))):
        fault = draw(st.sampled_from(BREAKS))
        case.said.append(fault)
        _break(draw, case, fault)
    return case


def _break(draw: st.DrawFn, case: Case, fault: str) -> None:
    file = draw(st.sampled_from(case.files))
    artifacts = file.link[draw(st.sampled_from(["materials", "products"]))]
    match fault:
        case "digest" if artifacts:
            artifacts[draw(st.sampled_from(sorted(artifacts)))] = draw(
                st.sampled_from([_digest("f"), {"sha512": "f" * 128}, {**_digest("a"), "sha512": "f" * 128}])
            )
        case "drop" if artifacts:
            del artifacts[draw(st.sampled_from(sorted(artifacts)))]
        case "add":
            artifacts[draw(st.sampled_from([*FILES, "out1", "work/x", "new"]))] = _digest("e")
        case "missing":
            file.present = False
        case "stranger":
            file.signer = STRANGER
        case "forged":
            file.signer, file.damage = STRANGER, "keyid of another"
        case "functionary":
            file.signer = draw(st.integers(0, 5))
        case "other bytes" | "cut" | "no signature" | "twice":
            file.damage = fault
        case "fail":
            file.link["byproducts"] = {"return-value": 1}
        case "rename":
            file.link["name"] = draw(st.sampled_from(["checkout", "build", "scan"]))
        case "float" if file.wrapper == "ours":
            file.link["environment"] = {"load": 0.5}
        case "no type" if file.wrapper == "ours":
            del file.link["_type"]
        case "swap":
            other = draw(st.sampled_from(case.files))
            file.link, other.link = other.link, file.link
        case "threshold":
            step = draw(st.sampled_from(case.layout.steps))
            _change_step(case, step.name, threshold=draw(st.integers(1, len(step.pubkeys))))
        case "rule":
            step = draw(st.sampled_from(case.layout.steps))
            kind = draw(st.sampled_from(["expected_materials", "expected_products"]))
            listed = list(getattr(step, kind))
            rule = draw(rules([each.name for each in case.layout.steps]))
            listed.insert(draw(st.integers(0, len(listed) - 1)), rule)
            _change_step(case, step.name, **{kind: listed})


def _change_step(case: Case, name: str, **fields: Any) -> None:
    steps = [
        msgspec.structs.replace(each, **fields) if each.name == name else each for each in case.layout.steps
    ]
    case.layout = msgspec.structs.replace(case.layout, steps=steps)


@st.composite
def any_chains(draw: st.DrawFn) -> Case:
    """Rules and artifacts that have nothing to do with each other, but for lists that are closed."""
    names = ["checkout", "build"][: draw(st.integers(1, 2))]
    artifacts = st.dictionaries(
        st.sampled_from([*FILES, "work/src/a", "work/x", "out1"]),
        st.sampled_from([_digest("a"), _digest("b")]),
        max_size=4,
    )
    lists = st.lists(rules(names), max_size=3)
    last = st.sampled_from([["DISALLOW", "*"], ["ALLOW", "*"], ["ALLOW", "*"]])
    steps = [
        Step(
            name,
            [*draw(lists), draw(last)],
            [*draw(lists), draw(last)],
            [key(place).keyid],
            ["make", name],
            1,
        )
        for place, name in enumerate(names)
    ]
    files = [
        File(
            name, place, _link(name, draw(artifacts), draw(artifacts)), place, draw(st.sampled_from(WRAPPERS))
        )
        for place, name in enumerate(names)
    ]
    keys = {key(place).keyid: key(place).entry for place in range(len(names))}
    return Case(Layout(steps, [], keys, "2099-01-01T00:00:00Z"), files, draw(st.sampled_from(WRAPPERS)))


@settings(max_examples=40)
@given(honest_chains())
def test_an_honest_chain_passes_both(case: Case) -> None:
    with tempfile.TemporaryDirectory() as name:
        case.write(Path(name))
        assert reference_denies(Path(name)) is None
        verdict = our_verdict(Path(name))
    assert verdict.verdict == "pass", verdict.explanation


def test_whatever_in_toto_denies_of_a_broken_chain_we_deny() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=120)
    @given(broken_chains())
    def decided_by_both(case: Case) -> None:
        compare(case, seen)

    decided_by_both()
    assert seen["pass / pass"] > 10, f"the chains are hardly ever good: {seen}"
    assert seen["deny / deny"] > 5, f"the chains are hardly ever bad: {seen}"


def test_whatever_in_toto_denies_under_any_rules_we_deny() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=120)
    @given(any_chains())
    def decided_by_both(case: Case) -> None:
        compare(case, seen)

    decided_by_both()
    assert seen["pass / pass"] > 5, f"the chains are hardly ever good: {seen}"
    assert seen["deny / deny"] > 5, f"the chains are hardly ever bad: {seen}"
