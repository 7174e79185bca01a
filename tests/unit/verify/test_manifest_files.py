"""Which files a glob of manifests means: hidden ones too, and nothing behind a symlink."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from intoto_action.decide.demands import Demands
from intoto_action.formats.manifests import MANIFEST_CAP
from intoto_action.formats.verdict import Verdict
from intoto_action.reason import Misused, Reason
from intoto_action.verify.manifest_files import MOST_PLACES, images_in_manifests

DIGEST = "sha256:" + "1a" * 32


def pod(*images: str) -> str:
    containers = "".join(f"\n    - image: {each}" for each in images)
    return f"apiVersion: v1\nkind: Pod\nspec:\n  containers:{containers}\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "k8s/a.yaml",
        "k8s/deep/er/b.yaml",
        "k8s/.hidden/c.yaml",
        "k8s/.d.yaml",
        "k8s/e.yml",
        ".git/f.yaml",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pod(f"registry.example/{path.stem.strip('.')}"))
    return tmp_path


def found(tree: Path, *globs: str) -> str:
    images = images_in_manifests(globs, tree)
    assert images.faults == ()
    return "".join(sorted(each.removeprefix("registry.example/") for each in images.references))


def faults(tree: Path, *globs: str) -> list[str]:
    return [str(each) for each in images_in_manifests(globs, tree).faults]


@pytest.mark.parametrize(
    ("globs", "names"),
    [
        (("k8s/**/*.yaml",), "abcd"),
        (("**/*.yaml",), "abcd"),
        (("./k8s/*.yaml",), "ad"),
        (("k8s/*",), "ade"),
        (("k8s/**",), "abcde"),
        (("k8s/a.yaml",), "a"),
        (("k8s/[ab].yaml", "k8s/?.yml"), "ae"),
        (("**/er/**/b.yaml", "k8s/a.yaml", "k8s/*.yaml"), "abd"),
        (("k8s/*/*/*.yaml",), "b"),
    ],
)
def test_what_a_glob_matches(globs: tuple[str, ...], names: str, tree: Path) -> None:
    assert found(tree, *globs) == names


def test_an_absolute_glob_is_taken_as_it_is(tree: Path) -> None:
    assert found(Path("/"), f"{tree}/k8s/*.yaml") == "ad"


@pytest.mark.parametrize(
    "glob", ["nowhere/*.yaml", "k8s/*.json", "k8s/nowhere.yaml", "", "k8s/*/../a.yaml", "k8s", "a\0b", "/"]
)
def test_a_glob_that_matches_nothing_is_misused(glob: str, tree: Path) -> None:
    with pytest.raises(Misused, match="--images-from"):
        images_in_manifests(["k8s/a.yaml", glob], tree)


def test_manifests_without_any_image_are_no_pass(tree: Path) -> None:
    (tree / "service.yaml").write_text("apiVersion: v1\nkind: Service\n")
    with pytest.raises(Misused, match="nothing to verify"):
        images_in_manifests(["service.yaml"], tree)


def test_an_empty_directory_is_a_fault_because_a_submodule_that_is_not_there_looks_like_one(
    tree: Path,
) -> None:
    (tree / "k8s/deep/submodule").mkdir()
    (tree / "elsewhere").mkdir()
    told = faults(tree, "k8s/**/*.yaml")
    assert ["k8s/deep/submodule" in each and "an empty directory" in each for each in told] == [True]
    assert found(tree, "k8s/*.yaml") == "ad"


class TestSymlinks:
    def test_a_file_that_is_one_is_a_fault(self, tree: Path) -> None:
        (tree / "k8s/z.yaml").symlink_to("a.yaml")
        assert ["k8s/z.yaml" in each and "symlink" in each for each in faults(tree, "k8s/*.yaml")] == [True]

    def test_a_broken_one_is_a_fault(self, tree: Path) -> None:
        (tree / "k8s/z.yaml").symlink_to("/nowhere")
        assert len(faults(tree, "k8s/*.yaml")) == 1

    def test_a_directory_that_the_glob_leads_through_is_a_fault(self, tree: Path, tmp_path: Path) -> None:
        (tree / "k8s/out").symlink_to(tmp_path.parent)
        (tree / "k8s/loop").symlink_to(".")
        assert len(faults(tree, "k8s/**/*.yaml")) == 2

    def test_one_that_the_glob_does_not_lead_to_is_passed_over(self, tree: Path) -> None:
        (tree / "k8s/out").symlink_to("/")
        (tree / "k8s/README").symlink_to("/etc/hostname")
        assert found(tree, "k8s/*.yaml") == "ad"

    def test_a_directory_that_the_glob_names_is_a_fault(self, tree: Path) -> None:
        (tree / "link").symlink_to("k8s")
        assert ["link" in each for each in faults(tree, "link/*.yaml")] == [True]
        assert ["link" in each for each in faults(tree, "link/a.yaml")] == [True]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"#" * (MANIFEST_CAP + 1), str(MANIFEST_CAP)), (b"a: [", "YAML"), (b"image: a\n", "'image'")],
)
def test_a_file_that_cannot_be_read_is_a_denial_that_names_it(content: bytes, said: str, tree: Path) -> None:
    (tree / "k8s/bad.yaml").write_bytes(content)
    images = images_in_manifests(["k8s/*.yaml"], tree)
    (verdict,) = images.refusals(Demands(layout_trust=None))
    assert (verdict.verdict, verdict.reason) == ("deny", Reason.INVALID_REFERENCE)
    assert verdict.explanation[0].where.startswith("k8s/bad.yaml")
    assert said in verdict.explanation[0].expected + verdict.explanation[0].found
    assert len(images.references) == 2


def test_a_named_pipe_is_a_fault_and_is_not_waited_for(tree: Path) -> None:
    os.mkfifo(tree / "k8s/pipe.yaml")
    assert ["regular" in each for each in faults(tree, "k8s/*.yaml")] == [True]


def test_an_image_is_verified_once_and_says_where_it_is_named(tree: Path) -> None:
    (tree / "one.yaml").write_text(pod("nginx", f"octo/app@{DIGEST}"))
    (tree / "two.yaml").write_text(pod("docker.io/library/nginx"))
    images = images_in_manifests(["one.yaml", "two.yaml"], tree)
    assert images.references == ("docker.io/library/nginx", f"docker.io/octo/app@{DIGEST}")
    by_tag, by_digest = images.tell([Verdict(verdict="pass")] * 2)
    assert by_tag.notes[0] == "named in one.yaml:5:14, two.yaml:5:14"
    assert "without a digest" in by_tag.notes[1]
    assert by_digest.notes == ("named in one.yaml:6:14",)


def test_places_beyond_a_few_are_counted(tree: Path) -> None:
    (tree / "one.yaml").write_text(pod(*["nginx"] * (MOST_PLACES + 5)))
    (verdict,) = images_in_manifests(["one.yaml"], tree).tell([Verdict(verdict="pass")])
    assert verdict.notes[0].endswith(", 5 more")


@pytest.mark.parametrize("image", ["Octo/App", "'ghcr.io/octo/app '", "'{{ .Values.image }}'", "'a b'"])
def test_a_name_that_is_none_is_a_fault_with_its_place(image: str, tree: Path) -> None:
    (tree / "one.yaml").write_text(pod(image))
    assert [each.startswith("one.yaml:5:14") for each in faults(tree, "one.yaml")] == [True]


def test_the_word_for_an_image_directory_is_what_a_cluster_takes_it_for(tree: Path) -> None:
    (tree / "one.yaml").write_text(pod("oci-layout:images"))
    assert images_in_manifests(["one.yaml"], tree).references == ("docker.io/library/oci-layout:images",)
