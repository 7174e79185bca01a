"""The links of one run, from a directory and the folders directly below it."""

from pathlib import Path
from typing import Any

import pytest
from tests.parts.chain import Chain, ChainLink

from intoto_action.attach.collect import collect
from intoto_action.formats.evidence import MOST_LINKS
from intoto_action.reason import Misused


@pytest.fixture
def chain() -> Chain:
    return Chain()


def put(directory: Path, each: ChainLink) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / each.file_name
    path.write_bytes(each.sealed())
    return path


def of_attempt(each: ChainLink, attempt: str, run: str = "7") -> ChainLink:
    environment: dict[str, Any] = dict(each.link.environment)
    github = {**environment["github"], "run_id": run, "run_attempt": attempt}
    return each.change(environment={**environment, "github": github})


def test_links_lie_in_the_directory_and_in_folders_directly_below(chain: Chain, tmp_path: Path) -> None:
    put(tmp_path, chain.link("checkout"))
    put(tmp_path / "links-of-build", chain.link("build"))
    put(tmp_path / "deeper" / "still", chain.link("scan"))
    collected = collect(tmp_path)
    assert sorted(collected.links) == sorted(chain.link(step).file_name for step in ("checkout", "build"))
    assert collected.replaced == ()


def test_other_files_are_left_alone(chain: Chain, tmp_path: Path) -> None:
    put(tmp_path, chain.link("checkout"))
    (tmp_path / "report.json").write_text("{")
    (tmp_path / "build.link-unsigned").write_text("{")
    assert list(collect(tmp_path).links) == [chain.link("checkout").file_name]


def test_the_same_link_in_two_places_is_one(chain: Chain, tmp_path: Path) -> None:
    put(tmp_path / "a", chain.link("scan"))
    put(tmp_path / "b", chain.link("scan"))
    assert collect(tmp_path).replaced == ()


@pytest.mark.parametrize("attempts", [("1", "2", "10"), ("10", "2", "1")])
def test_the_highest_attempt_of_a_run_wins_and_the_rest_are_listed(
    attempts: tuple[str, ...], chain: Chain, tmp_path: Path
) -> None:
    paths = {
        each: put(tmp_path / f"place-{number}", of_attempt(chain.link("scan"), each))
        for number, each in enumerate(attempts)
    }
    collected = collect(tmp_path)
    assert collected.links[chain.link("scan").file_name] == paths["10"].read_bytes()
    assert set(collected.replaced) == {str(paths["1"]), str(paths["2"])}


@pytest.mark.parametrize("attempt", ["9" * 5000, "٣", "-1", "1.5", ""])
def test_an_attempt_that_is_no_number_is_the_lowest(attempt: str, chain: Chain, tmp_path: Path) -> None:
    lowest = put(tmp_path / "a", of_attempt(chain.link("scan"), attempt))
    put(tmp_path / "b", of_attempt(chain.link("scan"), "2"))
    assert collect(tmp_path).replaced == (str(lowest),)


def test_two_links_of_one_attempt_are_a_matrix_that_needs_step_names(chain: Chain, tmp_path: Path) -> None:
    first = put(tmp_path / "leg-1", of_attempt(chain.link("scan"), "1"))
    second = put(tmp_path / "leg-2", of_attempt(chain.link("scan").change(command=["other"]), "1"))
    with pytest.raises(Misused, match="step name of its own") as caught:
        collect(tmp_path)
    assert all(word in str(caught.value) for word in ("'scan'", str(first), str(second)))


def test_links_of_two_runs_are_not_attempts_of_one(chain: Chain, tmp_path: Path) -> None:
    put(tmp_path / "a", of_attempt(chain.link("scan"), "1", run="7"))
    put(tmp_path / "b", of_attempt(chain.link("scan"), "2", run="8"))
    with pytest.raises(Misused, match="different builds"):
        collect(tmp_path)


def test_links_that_name_no_run_are_not_attempts_of_one(chain: Chain, tmp_path: Path) -> None:
    put(tmp_path / "a", chain.link("scan").change(environment={}))
    put(tmp_path / "b", chain.link("scan").change(command=["other"]))
    with pytest.raises(Misused, match="two different links"):
        collect(tmp_path)


def test_two_different_files_that_are_no_links_are_not_chosen_from(chain: Chain, tmp_path: Path) -> None:
    for place, content in (("a", b"{}"), ("b", b"[]")):
        (tmp_path / place).mkdir()
        (tmp_path / place / chain.link("scan").file_name).write_bytes(content)
    with pytest.raises(Misused, match="two different links"):
        collect(tmp_path)


def test_folders_behind_symlinks_are_not_entered(chain: Chain, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", chain.link("scan"))
    links = tmp_path / "links"
    put(links, chain.link("build"))
    (links / "more").symlink_to(tmp_path / "elsewhere")
    assert list(collect(links).links) == [chain.link("build").file_name]


def test_a_link_behind_a_symlink_is_refused(chain: Chain, tmp_path: Path) -> None:
    real = put(tmp_path / "elsewhere", chain.link("scan"))
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / real.name).symlink_to(real)
    with pytest.raises(Misused, match="symlink"):
        collect(tmp_path / "links")


@pytest.mark.parametrize("made", [True, False])
def test_a_directory_without_links_says_where_they_should_come_from(made: bool, tmp_path: Path) -> None:
    if made:
        (tmp_path / "links").mkdir()
    with pytest.raises(Misused, match="--link-dir"):
        collect(tmp_path / "links")


def test_more_links_than_evidence_holds_are_refused(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        for number in range(MOST_LINKS // 2 + 1):
            (tmp_path / place / f"{place}{number}.01234567.link").write_bytes(b"{}")
    with pytest.raises(Misused, match=str(MOST_LINKS)):
        collect(tmp_path)
