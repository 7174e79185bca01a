from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from intoto_action.formats.artifact import (
    SCHEME,
    Digests,
    check_artifacts,
    digests_fault,
    name_fault,
    oci_name,
    oci_names,
    repository_of,
)
from intoto_action.reason import Malformed

HEX = "0123456789abcdef"
GOOD = Digests(sha256="a" * 64)


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "src/app.py",
        ".github/workflows/build.yml",
        "a..b",
        "...",
        "a/.../b",
        "a b/c d",
        "ünïcödé/файл",
        "a\u0301",
        "oci:ghcr.io/octo/app",
        "oci:ghcr.io/octo/app#linux/arm64",
        "oci:localhost:5000/app",
        "image:app",
        "dir:src",
        "a:b",
        "-",
        "#",
        "😀",
    ],
)
def test_a_relative_posix_path_is_a_name(name: str) -> None:
    assert name_fault(name) is None
    check_artifacts({name: GOOD}, "products")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        "//a",
        ".",
        "..",
        "./a",
        "../a",
        "a/.",
        "a/..",
        "a/./b",
        "a/../b",
        "a\\b",
        "\\",
        "a\nb",
        "a\n",
        "\n",
        "a\n/b",
        "a\tb",
        "a\x00b",
        "a\x1bb",
        "a\x7fb",
        "a\x85b",
        "a\x9bb",
        "a\u2028b",
        "a\u2029b",
        "\ud800",
        "oci:./x",
        "oci:../x",
        "oci:x//y",
        "dir:..",
        "dir:.",
    ],
)
def test_a_name_that_two_readers_could_read_differently_is_refused(name: str) -> None:
    assert name_fault(name) is not None
    with pytest.raises(Malformed, match="relative POSIX paths"):
        check_artifacts({name: GOOD}, "products")


@given(
    st.lists(st.text(max_size=8) | st.sampled_from(["a/b", "a\nb", "..", "a", "x/"]), unique=True, max_size=6)
)
@example(["a\n"])
@example(["a", "\nb"])
@example(["", "a"])
def test_many_names_are_refused_exactly_when_one_of_them_is(names: list[str]) -> None:
    bad = [name for name in names if name_fault(name)]
    try:
        check_artifacts(dict.fromkeys(names, GOOD), "products")
    except Malformed as error:
        assert bad and repr(bad[0]) in error.found
    else:
        assert not bad


@pytest.mark.parametrize(
    "digests",
    [
        Digests(),
        Digests(sha256=""),
        Digests(sha256="a" * 63),
        Digests(sha256="a" * 65),
        Digests(sha256="A" * 64),
        Digests(sha256="g" * 64),
        Digests(sha256="a" * 64 + "\n"),
        Digests(sha256="a" * 64 + "\n" + "b" * 64),
        Digests(sha256="a" * 64 + "\n" + "b" * 64 + "\n"),
        Digests(sha256="\n" + "a" * 64),
        Digests(sha256="a" * 128),
        Digests(sha256="٣" * 64),
        Digests(sha512="a" * 64),
        Digests(sha256="a" * 64, sha512=""),
        Digests(sha256="", sha512="a" * 128),
    ],
)
@pytest.mark.parametrize("others", [0, 1, 2])
def test_what_is_no_digest_is_refused_among_any_others(digests: Digests, others: int) -> None:
    assert digests_fault(digests) is not None
    artifacts = {f"good{place}": GOOD for place in range(others)} | {"bad": digests}
    with pytest.raises(Malformed, match="'bad'"):
        check_artifacts(artifacts, "products")


@given(
    st.lists(
        st.text("ab\n", max_size=2) | st.sampled_from(["a" * 64, "a" * 64 + "\n" + "b" * 64]), max_size=4
    )
)
def test_many_digests_are_refused_exactly_when_one_of_them_is(values: list[str]) -> None:
    artifacts = {f"name{place}": Digests(sha256=value) for place, value in enumerate(values)}
    bad = any(value != "a" * 64 for value in values)
    try:
        check_artifacts(artifacts, "products")
    except Malformed:
        assert bad
    else:
        assert not bad


@given(st.text(HEX, min_size=64, max_size=64), st.text(HEX, min_size=128, max_size=128))
def test_lower_case_hex_of_the_right_length_is_a_digest(sha256: str, sha512: str) -> None:
    check_artifacts(
        {
            "one": Digests(sha256=sha256),
            "two": Digests(sha512=sha512),
            "three": Digests(sha256=sha256, sha512=sha512),
        },
        "products",
    )
    assert str(Digests(sha256=sha256, sha512=sha512)) == f"sha256:{sha256}"
    assert str(Digests(sha512=sha512)) == f"sha512:{sha512}"


def test_digests_are_equal_only_whole() -> None:
    assert Digests(sha256="a" * 64) != Digests(sha256="a" * 64, sha512="b" * 128)
    assert Digests(sha256="a" * 64) == Digests(sha256="a" * 64)


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("oci:ghcr.io/octo/app", "ghcr.io/octo/app"),
        ("oci:ghcr.io/octo/app#linux/arm64", "ghcr.io/octo/app"),
        ("oci:ghcr.io/octo/app#a#b", "ghcr.io/octo/app"),
        ("oci:ghcr.io/octo/app:latest", "ghcr.io/octo/app:latest"),
        ("oci:ghcr.io/octo/app@sha256:" + "a" * 64, "ghcr.io/octo/app@sha256:" + "a" * 64),
        ("oci:", ""),
        ("oci:#x", ""),
        ("OCI:ghcr.io/octo/app", None),
        ("image:ghcr.io/octo/app", None),
        ("./oci:ghcr.io/octo/app", None),
        ("ghcr.io/octo/app", None),
    ],
)
def test_the_repository_is_what_stands_between_scheme_and_label(name: str, repository: str | None) -> None:
    assert repository_of(name) == repository


@given(st.text("abc./-", min_size=1), st.none() | st.text("abc/", min_size=1))
def test_a_name_that_was_made_names_its_repository(repository: str, label: str | None) -> None:
    name = oci_name(repository, label)
    assert repository_of(name) == repository
    assert oci_names([name, "image:x", "x"]) == [name]
    assert SCHEME.match(name)
