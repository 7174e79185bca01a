from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from intoto_action.formats.reference import (
    DirectoryReference,
    Image,
    Platform,
    Reference,
    parse_digest,
    parse_free_tag,
    parse_reference,
    parse_registry_reference,
    parse_tag,
)
from intoto_action.reason import Malformed

SHA256 = "sha256:" + "ab" * 32
SHA512 = "sha512:" + "cd" * 64
IDENTIFIER = "0123456789abcdef" * 4

_component = st.from_regex(r"[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}", fullmatch=True)
_host = st.from_regex(
    r"[a-z0-9]{1,5}(-[a-z0-9]{1,3})?\.[a-z0-9]{1,4}(:[0-9]{1,5})?", fullmatch=True
) | st.sampled_from(
    ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000", "[2001:db8::1]", "xn--n3h.com"]
)
_tag = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)


# The grammar of github.com/distribution/reference (docker, containerd): what it accepts, and as what.
@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        ("alpine", "docker.io", "library/alpine", None, None),
        ("alpine:3.20", "docker.io", "library/alpine", "3.20", None),
        (f"alpine:3.20@{SHA256}", "docker.io", "library/alpine", "3.20", SHA256),
        (f"alpine@{SHA512}", "docker.io", "library/alpine", None, SHA512),
        ("octo/app", "docker.io", "octo/app", None, None),
        ("octo/team/app", "docker.io", "octo/team/app", None, None),
        ("docker.io/alpine", "docker.io", "library/alpine", None, None),
        ("index.docker.io/alpine", "docker.io", "library/alpine", None, None),
        ("index.docker.io/octo/app", "docker.io", "octo/app", None, None),
        ("registry-1.docker.io/octo/app", "docker.io", "octo/app", None, None),
        ("library/alpine", "docker.io", "library/alpine", None, None),
        ("foo_bar.com:8080", "docker.io", "library/foo_bar.com", "8080", None),
        ("test_com/foo", "docker.io", "test_com/foo", None, None),
        ("test:5000", "docker.io", "library/test", "5000", None),
        ("test:5000/repo", "test:5000", "repo", None, None),
        ("test:5000/repo:5050", "test:5000", "repo", "5050", None),
        ("192.168.1.1:5000", "docker.io", "library/192.168.1.1", "5000", None),
        ("192.168.1.1:5000/repo", "192.168.1.1:5000", "repo", None, None),
        ("localhost", "docker.io", "library/localhost", None, None),
        ("localhost/app", "localhost", "app", None, None),
        ("localhost:5000/app", "localhost:5000", "app", None, None),
        ("LOCALHOST/app", "localhost", "app", None, None),
        ("GHCR.io/octo/app", "ghcr.io", "octo/app", None, None),
        ("DOCKER.IO/alpine", "docker.io", "library/alpine", None, None),
        ("[::1]:5000/repo:tag", "[::1]:5000", "repo", "tag", None),
        ("[2001:db8::1]/repo", "[2001:db8::1]", "repo", None, None),
        (f"[2001:db8::1]:5000/repo:tag@{SHA256}", "[2001:db8::1]:5000", "repo", "tag", SHA256),
        (
            "b.gcr.io/test.example.com/my-app:test.example.com",
            "b.gcr.io",
            "test.example.com/my-app",
            "test.example.com",
            None,
        ),
        ("lowercase:Uppercase", "docker.io", "library/lowercase", "Uppercase", None),
        ("docker---rules/docker", "docker.io", "docker---rules/docker", None, None),
        ("dock__er/docker", "docker.io", "dock__er/docker", None, None),
        (f"docker.io/{IDENTIFIER}", "docker.io", f"library/{IDENTIFIER}", None, None),
        (IDENTIFIER[:-1], "docker.io", f"library/{IDENTIFIER[:-1]}", None, None),
        ("a:" + "t" * 128, "docker.io", "library/a", "t" * 128, None),
        ("ghcr.io/" + "a/" * 127 + "a", "ghcr.io", "a/" * 127 + "a", None, None),
    ],
)
def test_what_container_tools_accept_is_read_as_they_read_it(
    text: str, registry: str, repository: str, tag: str | None, digest: str | None
) -> None:
    assert parse_reference(text) == Reference(registry, repository, tag, digest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ":justtag",
        f"@{SHA256}",
        "app:",
        "app@",
        "app:tag@",
        "app@sha256:abcdef",
        f"app@{SHA256}0",
        f"app@{SHA256.upper()}",
        f"app@{SHA256[:-1]}G",
        "app@md5:" + "a" * 32,
        "app@sha384:" + "a" * 96,
        f"app@{SHA256}@{SHA256}",
        f"app@{SHA256}:tag",
        "Uppercase:tag",
        "octo/App",
        "Octo/app",  # docker takes Octo for a host; written out in lower case that would be another image
        "test:5000/Uppercase/lowercase:tag",
        "aa/asdf$$^/aa",
        "-octo/app",
        "octo-/app",
        "-ghcr.io/octo/app",
        "ghcr.io-/octo/app",
        "ghcr..io/octo/app",
        "ghcr.io:/octo/app",
        "ghcr.io:port/octo/app",
        "ghcr.io:5000:5000/octo/app",
        "_octo/_app",
        "____/____",
        "dock..er/docker",
        "dock_.er/docker",
        "dock___er/docker",
        "docker///docker",
        "docker/",
        "/docker",
        "ghcr.io/",
        "ghcr.io//app",
        "ghcr.io/octo/app/",
        "ghcr.io/octo/../app",
        "ghcr.io/../../etc/passwd",
        "ghcr.io/./app",
        "../app",
        "ghcr.io/octo\\app",
        "ghcr.io/octo/app\n",
        "ghcr.io/octo/app:tag\n",
        f"ghcr.io/octo/app@{SHA256}\n",
        "ghcr.io/octo/app\x00",
        "ghcr.io/octo/app ",
        " ghcr.io/octo/app",
        "ghcr.io/octo/app?x=y",
        "ghcr.io/octo/app#linux/arm64",
        "ghcr.io/octo/%61pp",
        "user:secret@ghcr.io/octo/app",
        "https://ghcr.io/octo/app",
        "oci:ghcr.io/octo/app",
        "docker://ghcr.io/octo/app",
        "ghcr.io/octo/аpp",
        "ghcr.іo/octo/app",
        "ghcr.io/octo/app:täg",
        "ghcr.io/octo/app:-tag",
        "ghcr.io/octo/app:.tag",
        "ghcr.io/octo/app:" + "t" * 129,
        "[::1]",
        "[::1]:5000",
        "::1:5000/app",
        "[::1/app",
        "[fe80::1%eth0]:5000/app",
        "[2001:db8::192.0.2.33]:5000/app",
        IDENTIFIER,
        SHA256,
        SHA512,
        "ghcr.io/" + "a/" * 128 + "a",
        "a" * 5000,
        "\ud800",
    ],
    ids=lambda text: repr(text[:40]),
)
def test_what_container_tools_refuse_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_reference(text)


@given(
    _host,
    st.lists(_component, min_size=1, max_size=4),
    st.none() | _tag,
    st.sampled_from([None, SHA256, SHA512]),
)
def test_a_reference_that_was_written_is_read_back(
    registry: str, components: list[str], tag: str | None, digest: str | None
) -> None:
    reference = Reference(registry, "/".join(components), tag, digest)
    assert parse_reference(str(reference)) == reference


@given(st.text(max_size=40) | st.from_regex(r"[a-zA-Z0-9./:@\[\]_-]{0,30}", fullmatch=True))
@example("a" * 70 + "!")
def test_any_text_is_malformed_or_means_the_same_when_written_out(text: str) -> None:
    try:
        reference = parse_registry_reference(text)
    except Malformed:
        return
    assert parse_registry_reference(str(reference)) == reference
    assert reference.registry == reference.registry.lower()
    assert re.fullmatch(r"[a-z0-9._/-]+", reference.repository)
    assert ".." not in reference.repository.split("/")


@pytest.mark.parametrize(
    ("text", "directory", "tag", "digest"),
    [
        ("oci-layout:image", "image", None, None),
        ("oci-layout:./image:latest", "./image", "latest", None),
        ("oci-layout:/tmp/image:1.2", "/tmp/image", "1.2", None),
        (f"oci-layout:image@{SHA256}", "image", None, SHA256),
        ("oci-layout:a:b:latest", "a:b", "latest", None),
        ("oci-layout:a:b/c", "a:b/c", None, None),
        ("oci-layout:a:", "a:", None, None),
        (f"oci-layout:a@b@{SHA256}", "a@b", None, SHA256),
        ("oci-layout:a@b", "a@b", None, None),
        ("oci-layout:with space:tag", "with space", "tag", None),
        ("oci-layout:../up", "../up", None, None),
        ("oci-layout:ünïcödé:x", "ünïcödé", "x", None),
    ],
)
def test_an_image_directory_is_a_path_and_what_follows_its_last_colon(
    text: str, directory: str, tag: str | None, digest: str | None
) -> None:
    reference = parse_reference(text)
    assert reference == DirectoryReference(directory, tag, digest)
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    "text",
    [
        "oci-layout:",
        f"oci-layout:@{SHA256}",
        "oci-layout::tag",
        "oci-layout:a@sha256:abc",
        "oci-layout:a\x00b",
    ],
)
def test_an_image_directory_without_a_path_or_with_a_bad_digest_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_reference(text)


@given(st.text(max_size=30))
def test_any_text_after_oci_layout_is_a_directory_or_malformed(text: str) -> None:
    try:
        reference = parse_reference(f"oci-layout:{text}")
    except Malformed:
        return
    assert isinstance(reference, DirectoryReference)
    assert reference.directory


@pytest.mark.parametrize(
    "text", ["", "sha256", "sha256:", SHA256[:-1], SHA256 + "\n", SHA256.upper(), " " + SHA256]
)
def test_what_is_no_digest_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_digest(text)


@pytest.mark.parametrize("text", [SHA256, SHA512])
def test_a_digest_is_itself(text: str) -> None:
    assert parse_digest(text) == text


@pytest.mark.parametrize("text", ["", "-a", ".a", "a" * 129, "a\n", "a/b", "a:b", "ä"])
def test_what_is_no_tag_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_tag(text)


@given(_tag)
def test_a_tag_is_itself(text: str) -> None:
    assert parse_tag(text) == text


def test_an_image_is_written_with_its_digest_and_never_a_tag() -> None:
    assert str(Image("ghcr.io/octo/app", SHA256)) == f"ghcr.io/octo/app@{SHA256}"
    assert str(Image(None, SHA256, platforms=(Platform("linux/amd64", SHA512),))) == SHA256


@pytest.mark.parametrize("suffix", ["", ".sig", ".att", ".sbom"])
@pytest.mark.parametrize("tag", ["sha256-" + "1a" * 32, "SHA256-" + "1A" * 32, "sha512-" + "1a" * 32])
def test_an_image_is_put_under_no_tag_where_attestations_are_listed(tag: str, suffix: str) -> None:
    with pytest.raises(Malformed, match="place of an image's attestations"):
        parse_free_tag(tag + suffix)


@pytest.mark.parametrize("tag", ["1.0", "sha256", "sha-1a2b3c4", "sha256-short"])
def test_other_tags_are_free(tag: str) -> None:
    assert parse_free_tag(tag) == tag
