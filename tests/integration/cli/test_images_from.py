"""`verify --images-from`: the check of a repository with manifests, over http."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.parts.attached import chain_about
from tests.parts.chain import REPOSITORY
from tests.parts.desk import Desk, Ended
from tests.parts.hostile_registry import HostileRegistry, hostile_reference, open_hostile
from tests.parts.images import small_image

from intoto_action.cli.main import main
from intoto_action.formats.evidence import PREDICATE_TYPE

NOWHERE = "127.0.0.1:9/octo/app"


def pod(image: str) -> str:
    return f"apiVersion: v1\nkind: Pod\nspec: {{containers: [{{image: '{image}'}}]}}\n"


@pytest.fixture
def repository(desk: Desk) -> Desk:
    """Two manifests of one image, in a registry that does not answer."""
    (desk.directory / "k8s/deep").mkdir(parents=True)
    (desk.directory / "k8s/a.yaml").write_text(pod(f"{NOWHERE}:1"))
    (desk.directory / "k8s/deep/b.yaml").write_text(f"---\n{pod(f'{NOWHERE}:1')}")
    return desk


def verify(desk: Desk, *words: str) -> Ended:
    return desk.run("verify", "--layout-key", "owner.pub", "--timeout", "5", *words)


def verdicts(ended: Ended) -> list[dict[str, object]]:
    return [json.loads(line) for line in ended.out.splitlines()]


def test_an_image_is_verified_as_if_it_were_given_and_its_files_are_named(repository: Desk) -> None:
    ended = verify(repository, "--images-from", "k8s/**/*.yaml", "--format", "json")
    (verdict,) = verdicts(ended)
    assert (ended.code, verdict["verdict"], verdict["reason"]) == (3, "error", "registry-error")
    assert "named in k8s/a.yaml:3:29, k8s/deep/b.yaml:4:29" in str(verdict["notes"])


def test_a_manifest_from_which_no_image_can_be_told_is_a_denial_that_names_it(repository: Desk) -> None:
    (repository.directory / "k8s/helm.yaml").write_text(pod("{{ .Values.image }}"))
    (repository.directory / "k8s/roll.yaml").write_text("apiVersion: e/v1\nkind: Rollout\nspec: {image: a}\n")
    ended = verify(repository, "--images-from", "k8s/**/*.yaml", "--format", "json")
    assert ended.code == 1
    first, *refused = verdicts(ended)
    assert first["verdict"] == "error"
    assert [each["reason"] for each in refused] == ["invalid-reference"] * 2
    said = verify(repository, "--images-from", "k8s/*.yaml").out
    assert "k8s/roll.yaml:3:8" in said
    assert "k8s/helm.yaml:3:29" in said
    assert "kustomize build" in said


def test_an_image_directory_in_a_manifest_is_no_way_around_the_registry(repository: Desk) -> None:
    repository.shelf.attach(repository.chain.bundle())
    (repository.directory / "evil.yaml").write_text(pod(repository.image))
    ended = verify(repository, "--images-from", "evil.yaml")
    assert ended.code in {1, 3}, ended
    assert "PASS" not in ended.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--images-from", "nowhere/*.yaml"), "nowhere/*.yaml"),
        (("--images-from", "k8s/*.yaml", "--images-from", "*.json"), "*.json"),
        (("--images-from", "k8s/*.yaml", "ghcr.io/octo/app"), "one of"),
        (("--images-from", "k8s/*.yaml", "--link-dir", "links"), "one of"),
        (("--images-from", "k8s/*.yaml", "--bundle", "root.layout"), "one IMAGE"),
    ],
)
def test_wrong_words_are_2_and_a_sentence(
    words: tuple[str, ...], said: str, repository: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.directory)
    ended = CliRunner().invoke(main, ["verify", "--layout-key", "owner.pub", *words])
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert said in ended.stderr


def test_a_symlink_out_of_the_repository_is_denied(repository: Desk, tmp_path: Path) -> None:
    (repository.directory / "k8s/z.yaml").symlink_to(tmp_path / "owner.pem")
    ended = verify(repository, "--images-from", "k8s/*.yaml")
    assert ended.code == 1
    assert "symlink" in ended.out


def test_manifests_pass_when_every_image_passes_and_are_denied_with_one_that_does_not(desk: Desk) -> None:
    content = small_image()
    chain = chain_about(content.digest)
    (desk.directory / "owner.pub").write_text(chain.root.key.pem)
    with HostileRegistry() as registry:
        registry.put(content, "1.0")
        store = open_hostile(registry, slept=[])
        store.attach(store.resolve(hostile_reference(registry)), chain.bundle(), PREDICATE_TYPE)
        name = f"{registry.address}/octo/app"
        words = ("--images-from", "*.yaml", "--format", "json", "--same-as", f"{name}={REPOSITORY}")
        (desk.directory / "a.yaml").write_text(pod(f"{name}:1.0"))
        (desk.directory / "b.yaml").write_text(pod(f"{name}:1.0"))
        ended = verify(desk, *words)
        assert ended.code == 0, ended
        (verdict,) = verdicts(ended)
        assert (verdict["verdict"], verdict["image"]) == ("pass", f"{name}@{content.digest}")
        assert "named in a.yaml:3:29, b.yaml:3:29" in str(verdict["notes"])
        other = small_image("another")
        registry.put(other, "2.0")
        (desk.directory / "c.yaml").write_text(pod(f"{name}:2.0"))
        denied = verify(desk, *words)
        assert denied.code == 1
        assert [each["verdict"] for each in verdicts(denied)] == ["pass", "deny"]
        assert verdicts(denied)[1]["reason"] == "no-attestation"
        (desk.directory / "c.yaml").write_text("apiVersion: e/v1\nkind: Rollout\nspec: {image: a}\n")
        assert verify(desk, *words).code == 1
