"""Kubernetes manifests: every image that would run, or a fault where that cannot be told.

What is read must be what is deployed. So a manifest is plain YAML that every reader splits and reads alike; the kinds
of the built-in workloads are read by their fields; and of any other kind that mentions an image nobody here knows what
becomes of it, which is a fault. Sources: Kubernetes API reference (the workload APIs, image volumes of PodSpec);
k8s.io/apimachinery, `YAMLReader` (documents are split at lines that begin with `---`, before anything is parsed, and
the rest of such a line is dropped), `unstructuredJSONScheme` (whatever has `items` is taken for a list, and an item
without a kind gets the list's).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from intoto_action.formats.spelling import quoted
from intoto_action.formats.yaml import (
    YAML_CAP,
    Bounds,
    Mapping,
    Misplaced,
    Node,
    Place,
    Scalar,
    Sequence,
    compose_documents,
    describe,
)
from intoto_action.reason import Malformed

MANIFEST_CAP = YAML_CAP
MOST_DOCUMENTS = 500
BOUNDS = Bounds(documents=MOST_DOCUMENTS, deepest=64)

_TEMPLATE = ("spec", "template", "spec")
_POD_SPECS = {
    ("", "Pod"): ("spec",),
    ("", "PodTemplate"): ("template", "spec"),
    ("", "ReplicationController"): _TEMPLATE,
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("batch", "Job"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", *_TEMPLATE),
}
"""Where a workload has the spec of its pods, by the group of its apiVersion and its kind."""
_DESCRIBES_OTHERS = frozenset({("apiextensions.k8s.io", "CustomResourceDefinition")})
"""Kinds that run nothing: a schema may well speak of fields called `image`."""
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_NAMES_IMAGES = ("image", "images", "containers")
"""How the keys end that say what runs: of an unknown kind, a Kustomization or the values of a chart."""
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})

# Places where readers would not see the same lines, and so not the same documents.
_ODD_BREAK = re.compile("\r(?!\n)|[\x85\u2028\u2029]")
_ODD_SEPARATOR = re.compile(r"^---(?![ \t]*(?:[ \t]#[^\n]*)?\r?(?:\n|\Z))", re.MULTILINE)


class Use(msgspec.Struct, frozen=True):
    """An image as a manifest names it, and where."""

    image: str
    place: Place


class Manifests(msgspec.Struct, frozen=True):
    """The images of a file, and what is wrong in it: with a fault there may be others that nobody saw."""

    uses: tuple[Use, ...]
    faults: tuple[Malformed, ...]


def parse_manifests(raw: bytes, file: str) -> Manifests:
    """The images in all documents of a file; `file` names it in places and faults. Raises nothing."""
    try:
        _check_lines(raw, file)
        documents = compose_documents(raw, file, BOUNDS)
    except Malformed as fault:
        return Manifests((), (fault,))
    uses: list[Use] = []
    faults: list[Malformed] = []
    for document in documents:
        try:
            if document.repeated:
                raise document.repeated[0]
            uses.extend(_uses(document.root, ("", "")))
        except Malformed as fault:
            faults.append(fault)
    return Manifests(tuple(uses), tuple(faults))


def _check_lines(raw: bytes, file: str) -> None:
    """Raises: Malformed where another reader would see other lines, or other documents."""
    text = raw.decode("utf-8-sig", "replace")
    if found := _ODD_BREAK.search(text):
        raise Misplaced(_place(text, found.start(), file), "lines that end in a line feed", "another break")
    if found := _ODD_SEPARATOR.search(text):
        line = text[found.start() :].partition("\n")[0]
        expected = "nothing but a comment behind ---, because Kubernetes drops what is there"
        raise Misplaced(_place(text, found.start(), file), expected, quoted(line[:80]))


def _place(text: str, at: int, file: str) -> Place:
    return Place(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at), file)


def _uses(node: Node, inherited: tuple[str, str]) -> Iterator[Use]:
    """The images of one object; of an item of a list `inherited` are the apiVersion and the kind it may leave out.

    Raises: Misplaced.
    """
    if _is_null(node):
        return
    if not isinstance(node, Mapping):
        raise Misplaced(node.place, "a Kubernetes object", describe(node))
    version, kind = _text(node, "apiVersion"), _text(node, "kind")
    if not version and not kind:
        version, kind = inherited
    items = node.get("items")
    if isinstance(items, Sequence) and kind.endswith("List"):
        _refuse_images(
            Mapping(node.place, tuple(each for each in node.entries if each[1] is not items)), kind
        )
        for item in items.items:
            yield from _uses(item, (version, kind.removesuffix("List")))
        return
    group = version.rpartition("/")[0] if version else None
    path = None if group is None else _POD_SPECS.get((group, kind))
    if path is None:
        if (group, kind) not in _DESCRIBES_OTHERS or items is not None:
            _refuse_images(node, kind)
        return
    if items is not None:
        raise Misplaced(items.place, f"a {kind} without items, which would make it a list", "some")
    yield from _of_pod(_at(node, path))


def _refuse_images(node: Node, kind: str) -> None:
    """Raises: Misplaced where an object of a kind that is not known here mentions an image, at whatever depth."""
    waiting: list[Node] = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Sequence):
            waiting += current.items
        elif isinstance(current, Mapping):
            for key, value in current.entries:
                if key.text.lower().endswith(_NAMES_IMAGES):
                    known = ", ".join(sorted({name for _, name in _POD_SPECS}))
                    what = f"one of kind {quoted(kind[:80])}" if kind else "one without a kind"
                    expected = f"images only in objects of the kinds {known} and lists of them"
                    raise Misplaced(key.place, expected, f"{quoted(key.text[:80])} in {what}")
                waiting.append(value)


def _of_pod(spec: Mapping) -> Iterator[Use]:
    containers = 0
    for field in _CONTAINERS:
        for container in _objects(spec.get(field), field):
            containers += field == "containers"
            yield _use(container, "image")
    if not containers:
        raise Misplaced(spec.place, "containers: a whole manifest, no patch of one", "none")
    for volume in _objects(spec.get("volumes"), "volumes"):
        source = volume.get("image")
        if source is None or _is_null(source):
            continue
        if not isinstance(source, Mapping):
            raise Misplaced(source.place, "an image volume", describe(source))
        yield _use(source, "reference")


def _use(node: Mapping, field: str) -> Use:
    value = node.get(field)
    if value is None or _is_null(value):
        raise Misplaced(node.place, f"{field}: a whole manifest, no patch of one", "none")
    if not isinstance(value, Scalar):
        raise Misplaced(value.place, f"{field}, the name of an image", describe(value))
    return Use(value.text, value.place)


def _objects(node: Node | None, what: str) -> Iterator[Mapping]:
    """The mappings of a list that may be absent. Raises: Misplaced."""
    if node is None or _is_null(node):
        return
    if not isinstance(node, Sequence):
        raise Misplaced(node.place, f"{what}, a list", describe(node))
    for item in node.items:
        if not isinstance(item, Mapping):
            raise Misplaced(item.place, f"{what}, a list of objects", describe(item))
        yield item


def _at(node: Mapping, path: tuple[str, ...]) -> Mapping:
    current = node
    for field in path:
        value = current.get(field)
        if not isinstance(value, Mapping):
            expected = f"{'.'.join(path)}: a whole manifest, no patch of one"
            raise Misplaced(
                value.place if value else current.place, expected, describe(value) if value else "none"
            )
        current = value
    return current


def _text(node: Mapping, field: str) -> str:
    """A text, empty when it is not there. Raises: Misplaced for anything else: who knows what it means to others."""
    value = node.get(field)
    if value is None or _is_null(value):
        return ""
    if not isinstance(value, Scalar):
        raise Misplaced(value.place, f"{field}, a text", describe(value))
    return value.text


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and node.text in _NULLS
