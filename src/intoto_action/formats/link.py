"""The link of a step: in-toto's own document, typed.

Source: in-toto specification 1.0, section 4.3.2 (link); in_toto.models.link for the field names.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from intoto_action.formats.artifact import Artifacts, check_artifacts
from intoto_action.formats.strict_json import (
    DOCUMENT_CAP,
    check_depth,
    check_size,
    decode_once,
    refuse_duplicate_keys,
)
from intoto_action.reason import Malformed

Plain = object
"""A JSON value in the free parts of a link: whoever reads it narrows it."""


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="_type", tag="link"):
    """What a functionary says of one step: what went in, what ran, what came out.

    Field names are in-toto's, so that its verifylib reads this struct as it is. `byproducts` and `environment`
    are free; of them we read `return-value`, `environment.github` and `environment.recorded`.
    """

    name: str
    command: list[str]
    materials: Artifacts
    products: Artifacts
    byproducts: dict[str, Plain]
    environment: dict[str, Plain]

    @property
    def type_(self) -> Literal["link"]:
        """in-toto's name for the type of the document."""
        return "link"


class _Document(msgspec.Struct, forbid_unknown_fields=True, rename={"type_": "_type"}):
    """A link as it is read: msgspec takes a document without its tag for one that has it, and this field not."""

    type_: Literal["link"]
    name: str
    command: list[str]
    materials: Artifacts
    products: Artifacts
    byproducts: dict[str, Plain]
    environment: dict[str, Plain]


def parse_link(payload: bytes, where: str, *, cap: int = DOCUMENT_CAP) -> Link:
    """A link from the payload of an envelope.

    Raises: Malformed: unknown or missing fields, duplicate keys, fractions (in-toto's canonical JSON has none), names
    or digests that are not as they should be.
    """
    check_size(payload, where, cap)
    document = decode_once(payload, _Document, where)
    link = Link(*(getattr(document, field) for field in Link.__struct_fields__))
    free_keys = _keys_of_free_part(link.byproducts, where) + _keys_of_free_part(link.environment, where)
    if not _every_key_was_read(payload, link, free_keys):
        refuse_duplicate_keys(payload, where)
    check_artifacts(link.materials, f"{where}, materials")
    check_artifacts(link.products, f"{where}, products")
    return _sharing(link)


def _sharing(link: Link) -> Link:
    """The same link, with one object for digests that are equal in materials and products: most inputs stay."""
    before = link.materials.get
    products = {
        name: known if (known := before(name)) == digests else digests
        for name, digests in link.products.items()
    }
    return msgspec.structs.replace(link, products=products) if link.materials else link


def encode_link(link: Link) -> bytes:
    """The payload of a link: JSON with the names of artifacts in order, so that equal links are equal bytes."""
    return msgspec.json.encode(link, order="sorted")


def _every_key_was_read(payload: bytes, link: Link, free_keys: int) -> bool:
    """Whether the payload has exactly as many keys as were decoded: then none of them was there twice.

    A `":` inside a string only makes the first number larger, and the caller then looks at every object.
    """
    artifacts = [*link.materials.values(), *link.products.values()]
    unset = msgspec.UNSET
    sha256 = len([each for each in artifacts if each.sha256 is not unset])
    sha512 = len([each for each in artifacts if each.sha512 is not unset])
    read = len(Link.__struct_fields__) + 1 + len(artifacts) + sha256 + sha512 + free_keys
    return msgspec.json.format(payload, indent=-1).count(b'":') == read


def _keys_of_free_part(part: dict[str, Plain], where: str) -> int:
    """How many keys there are in a free part, at every depth."""
    keys, depth = 0, 1  # inside the link
    level: list[Plain] = [part]
    while level:
        depth += any(isinstance(each, dict | list) for each in level)
        check_depth(depth, where)
        below: list[Plain] = []
        for each in level:
            if isinstance(each, dict):
                keys += len(each)
                below += each.values()
            elif isinstance(each, list):
                below += each
            elif isinstance(each, float):
                raise Malformed(where, "whole numbers, as in-toto's canonical JSON has them", repr(each))
        level = below
    return keys


UNSIGNED_SUFFIX = ".link-unsigned"
_FILE_NAME = re.compile(r"(?P<step>.+)\.[0-9a-f]{8}\.link\Z", re.DOTALL)
_KEPT_BESIDE = re.compile(r"(?P<step>.+)\.[0-9a-f]{8}\Z", re.DOTALL)


def link_file_name(step: str, keyid: str) -> str:
    """The file name of a step's link, as every in-toto tool writes it: `<step>.<first 8 of the keyid>.link`."""
    return f"{step}.{keyid[:8]}.link"


def step_of_file_name(file_name: str) -> str | None:
    """The step that a link's file name claims, or None when it is no link's file name; a hint until verified."""
    found = _FILE_NAME.match(file_name)
    return found["step"] if found else None


def unsigned_file_name(step: str) -> str:
    """The file name of a step's link that has yet to be signed: no reader of links takes it for one.

    Raises: Malformed when the step's name cannot be part of a file name.
    """
    check_step_name(step, "step name")
    return f"{step}{UNSIGNED_SUFFIX}"


def steps_of_unsigned_file_name(file_name: str) -> tuple[str, ...]:
    """The steps of which an unsigned link may be, by its file name: none when it is no such name.

    There are two when it ends like the name of a link that was kept beside another run's (`build.0a1b2c3d`).
    """
    if not file_name.endswith(UNSIGNED_SUFFIX):
        return ()
    stem = file_name.removesuffix(UNSIGNED_SUFFIX)
    beside = _KEPT_BESIDE.match(stem)
    return (stem, beside["step"]) if beside else (stem,)


def step_name_fault(name: str) -> str | None:
    """What is wrong with a step's name, in words, or None: it is used in file names, so it is a plain word.

    Source: in_toto.models.link puts the name into a path as it is (facts of this project: lint L24).
    """
    if not name or len(name) > 128:
        return "a name of 1 to 128 characters is needed"
    if name.startswith((".", "-")) or not all(c.isascii() and (c.isalnum() or c in "._-+ ") for c in name):
        return "only letters, digits, spaces and . _ - + are allowed, and no . or - in front"
    if name != name.strip():
        return "spaces around the name are not allowed"
    return None


def check_step_name(name: str, where: str) -> None:
    """Raises: Malformed when `name` cannot be a step's name."""
    if fault := step_name_fault(name):
        raise Malformed(where, "a step name", f"{name!r}: {fault}")
