"""Images of manifests: none is overlooked, and where that cannot be told there is a fault."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from intoto_action.formats.manifests import MANIFEST_CAP, MOST_DOCUMENTS, Manifests, parse_manifests

FILE = "k8s/app.yaml"
POD = {"containers": [{"name": "app", "image": "ghcr.io/octo/app:1"}]}
GOOD = '{apiVersion: v1, kind: Pod, spec: {containers: [{image: "good"}]}}\n'
EVIL = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: evil\n"
EVIL_JSON = '{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":"evil"}]}}'


def read(text: str | bytes) -> Manifests:
    return parse_manifests(text if isinstance(text, bytes) else text.encode(), FILE)


def images(text: str | bytes) -> list[str]:
    found = read(text)
    assert found.faults == (), found.faults
    return [each.image for each in found.uses]


def fault(text: str | bytes) -> str:
    found = read(text)
    assert found.faults
    assert all(str(each).startswith(FILE) for each in found.faults)
    return str(found.faults[0])


def workload(version: str, kind: str, pod: object) -> dict[str, Any]:
    if kind == "Pod":
        return {"apiVersion": version, "kind": kind, "spec": pod}
    if kind == "PodTemplate":
        return {"apiVersion": version, "kind": kind, "template": {"spec": pod}}
    spec: dict[str, Any] = {"template": {"spec": pod}}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    return {"apiVersion": version, "kind": kind, "spec": spec}


KINDS = [
    ("v1", "Pod"),
    ("v1", "PodTemplate"),
    ("v1", "ReplicationController"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
]


@pytest.mark.parametrize(("version", "kind"), KINDS)
def test_every_workload_has_its_images_read_wherever_a_pod_has_one(version: str, kind: str) -> None:
    pod = {
        "initContainers": [{"image": "init"}],
        "containers": [{"image": "one"}, {"image": "two"}],
        "ephemeralContainers": [{"image": "debug"}],
        "volumes": [{"emptyDir": {}}, {"image": {"reference": "volume"}}],
    }
    found = images(json.dumps(workload(version, kind, pod)))
    assert found == ["init", "one", "two", "debug", "volume"]


def test_an_image_is_found_at_its_place() -> None:
    use = read("# the app\n" + EVIL).uses[0]
    assert str(use.place) == f"{FILE}:6:14"


def test_every_document_and_every_item_of_lists_counts() -> None:
    pods = {"apiVersion": "v1", "kind": "PodList", "items": [{"spec": POD}, {"spec": POD}]}
    inner = {"apiVersion": "v1", "kind": "List", "items": [workload(*KINDS[3], POD), pods]}
    outer = {"apiVersion": "v1", "kind": "List", "items": [inner, workload(*KINDS[0], POD)]}
    text = f"---\n# nothing\n---\n{GOOD}--- # the rest\n{json.dumps(outer)}\n...\n---\n{EVIL}"
    assert images(text) == ["good", *["ghcr.io/octo/app:1"] * 4, "evil"]


def test_what_runs_nothing_is_passed_over() -> None:
    service = "apiVersion: v1\nkind: Service\nspec: {ports: [{port: 80}]}\n"
    account = "apiVersion: v1\nkind: ServiceAccount\nimagePullSecrets: [{name: a}]\n"
    schema = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {image: {type: string}}\n"
    )
    assert images(f"{service}---\n{account}---\n{schema}---\n") == []
    assert images("") == images("# nothing\n") == images("null\n") == []


class TestAKindThatIsNotKnown:
    @pytest.mark.parametrize(
        "text",
        [
            "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec: {template: {spec: {containers: []}}}\n",
            "apiVersion: example.com/v1\nkind: Deployment\nspec: {template: {spec: {containers: [{image: a}]}}}\n",
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nimages: [{name: a, newName: evil}]\n",
            "kind: Pod\nspec: {containers: [{image: a}]}\n",
            "apiVersion: v1\nkind: pod\nspec: {initContainers: [{}]}\n",
            'apiVersion: v1\nkind: "Pod "\nspec: {containers: [{image: a}]}\n',
            "image: {repository: ghcr.io/octo/app}\n",
            "web: {sidecarImage: a}\n",
            "a: [[[{b: {Image: c}}]]]\n",
            "apiVersion: v1\nkind: ConfigMap\nitems: [{apiVersion: v1, kind: Pod, spec: {containers: [{image: a}]}}]\n",
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nitems: [{image: a}]\n",
            "apiVersion: v1\nkind: List\nitems: [{image: a}]\n",
            "apiVersion: v1\nkind: List\nimage: a\nitems: []\n",
            "apiVersion: v1\nkind: FooList\nitems: [{image: a}]\n",
        ],
    )
    def test_is_a_fault_when_it_mentions_an_image(self, text: str) -> None:
        assert "images only in objects of the kinds" in fault(text)

    def test_is_a_fault_of_its_document_alone(self) -> None:
        found = read(f"image: a\n---\n{GOOD}---\nimage: b\n")
        assert len(found.faults) == 2
        assert [each.image for each in found.uses] == ["good"]


class TestAWorkloadThatIsNotWhole:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 3}\n", "no patch"),
            ("apiVersion: apps/v1\nkind: Deployment\n", "no patch"),
            ("apiVersion: v1\nkind: Pod\nspec: {containers: []}\n", "no patch"),
            ("apiVersion: v1\nkind: Pod\nspec: {containers: null}\n", "no patch"),
            ("apiVersion: v1\nkind: Pod\nspec: {initContainers: [{image: a}]}\n", "no patch"),
            ("apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a}]}\n", "no patch"),
            ("apiVersion: v1\nkind: Pod\nspec: {containers: [{image: }]}\n", "no patch"),
            ("apiVersion: v1\nkind: Pod\nspec: {containers: [{image: ~}]}\n", "no patch"),
            ("apiVersion: v1\nkind: Pod\nspec: {containers: [{image: {a: b}}]}\n", "name of an image"),
            ("apiVersion: v1\nkind: Pod\nspec: {containers: [a]}\n", "list of objects"),
            ("apiVersion: v1\nkind: Pod\nspec: {containers: a}\n", "a list"),
            ("apiVersion: v1\nkind: Pod\nspec: []\n", "spec"),
            ("apiVersion: v1\nkind: [Pod]\n", "a text"),
            ("- a\n", "a Kubernetes object"),
            ("a text\n", "a Kubernetes object"),
        ],
    )
    def test_is_a_fault(self, text: str, said: str) -> None:
        assert said in fault(text)

    def test_an_image_volume_without_a_reference_is_one_too(self) -> None:
        pod = {**POD, "volumes": [{"image": {"pullPolicy": "Always"}}]}
        assert "reference" in fault(json.dumps(workload("v1", "Pod", pod)))

    def test_items_would_make_a_list_of_it(self) -> None:
        text = GOOD.replace("kind: Pod", f"kind: Pod, items: [{EVIL_JSON}]")
        assert "would make it a list" in fault(text)


class TestWhatOtherReadersReadOtherwise:
    """Kubernetes splits a file at lines with --- before it parses anything, and drops the rest of such a line."""

    @pytest.mark.parametrize(
        "text",
        [
            f"# nothing\n---x\n{EVIL_JSON}\n",
            f'--- {{a: "\n{EVIL}# "}}\n',
            f"--- |\n  a\n---x\n{EVIL}",
            f'# a\n--- # b\u2028{{a: "\n{EVIL}# "}}\n',
            f'# a\n--- # b\x85{{a: "\n{EVIL}# "}}\n',
            f'# a\n--- # b\r{{a: "\n{EVIL}# "}}\n',
            f"---a: b\n{EVIL}",
            f"--- !!map\n{EVIL}",
        ],
    )
    def test_is_a_fault(self, text: str) -> None:
        fault(text)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{{- if .Values.on }}\n" + EVIL, ""),
            ("image: {{ .Values.image }}\n", ""),
            ("a: &a b\n", "anchor"),
            ("a: *a\n", "alias"),
            ("a: !!binary YQ==\n", "tag"),
            ("<<: {a: b}\n", "merge key"),
            (EVIL + "kind: ConfigMap\n", "every key once"),
            ("a: b\n\tc: d\n", ""),
            (b"a: \xff\n", "UTF-8"),
            (EVIL.encode("utf-16"), ""),
            ('{"a": 1} {"b": 2}', ""),
            ("a: [", ""),
            ("[" * 100 + "]" * 100, "levels"),
        ],
    )
    def test_what_is_no_plain_yaml_is_a_fault(self, text: str | bytes, said: str) -> None:
        assert said in fault(text)

    def test_a_windows_file_is_read(self) -> None:
        assert (
            images(f"---\r\n{EVIL}--- # x\r\n{EVIL}".replace("\r\n", "\n").replace("\n", "\r\n"))
            == ["evil"] * 2
        )
        assert images(b"\xef\xbb\xbf" + EVIL.encode()) == ["evil"]


def test_too_much_is_a_fault() -> None:
    assert "bytes" in fault(b"#" * (MANIFEST_CAP + 1))
    assert "documents" in fault("---\na: b\n" * (MOST_DOCUMENTS + 1))


_images = st.from_regex(r"[a-z]{1,8}(/[a-z0-9]{1,5}){0,2}(:[a-z0-9.]{1,4})?", fullmatch=True).filter(
    lambda text: text not in {"null", "true"}
)
_containers = st.lists(st.fixed_dictionaries({"image": _images}, optional={"name": _images}), max_size=3)
_pods = st.fixed_dictionaries(
    {"containers": _containers.filter(bool)},
    optional={"initContainers": _containers, "ephemeralContainers": st.none() | _containers},
)
_objects = st.builds(lambda kind, pod: workload(kind[0], kind[1], pod), st.sampled_from(KINDS), _pods)
_lists = st.recursive(
    _objects,
    lambda inner: st.builds(
        lambda items: {"apiVersion": "v1", "kind": "List", "items": items}, st.lists(inner, max_size=3)
    ),
    max_leaves=8,
)


def _named(node: object) -> list[str]:
    """Every image, by another reading than that of the parser."""
    if isinstance(node, dict):
        own = [node["image"]] if "image" in node else []
        return own + [each for value in node.values() for each in _named(value)]
    return [each for item in node for each in _named(item)] if isinstance(node, list) else []


@given(st.lists(_lists, max_size=4))
def test_no_image_of_whole_manifests_is_overlooked(documents: list[dict[str, Any]]) -> None:
    text = "".join(f"---\n{json.dumps(each, indent=1)}\n" for each in documents)
    assert sorted(images(text)) == sorted(_named(documents))


_lines = st.sampled_from(
    [
        "---",
        "--- # a",
        "---a",
        "--- a",
        "...",
        "a: b",
        "- a",
        '"',
        "'",
        "|",
        "{",
        "}",
        "# a",
        "",
        " ",
        "a: |",
        EVIL,
        GOOD,
    ]
)


@given(st.lists(_lines, max_size=8), st.sampled_from(["\n", "\r\n", "\n", "\r", "\u2028"]))
@example(["# a", "---a", EVIL_JSON], "\n")
def test_where_kubernetes_sees_the_evil_pod_it_is_seen_here_or_there_is_a_fault(
    lines: list[str], broken: str
) -> None:
    text = broken.join([*lines, "---", EVIL_JSON, ""])
    found = read(text)
    assert found.faults or "evil" in [each.image for each in found.uses]


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_whatever_the_bytes_are_there_are_images_or_faults_and_no_other_error(noise: str | bytes) -> None:
    found = read(noise.encode("utf-8", "surrogatepass") if isinstance(noise, str) else noise)
    assert all(str(each) for each in found.faults)
