"""`evidence extract` as a process."""

from tests.parts.desk import Desk


def extract(desk: Desk, *words: str) -> tuple[int, str, str]:
    ended = desk.run("evidence", "extract", desk.image, "new/evidence", *words)
    return ended.code, ended.out, ended.err


def written(desk: Desk) -> list[str]:
    place = desk.directory / "new" / "evidence"
    return sorted(path.name for path in place.iterdir()) if place.exists() else []


def test_the_files_are_written_and_named(attached: Desk) -> None:
    code, out, err = extract(attached, "--layout-key", "owner.pub")
    assert (code, err) == (0, "")
    assert out.splitlines() == [f"new/evidence/{name}" for name in written(attached)]
    assert written(attached) == sorted(["root.layout", *(each.file_name for each in attached.chain.links)])
    words = (
        "--link-dir",
        "new/evidence",
        "--layout",
        "new/evidence/root.layout",
        "--layout-key",
        "owner.pub",
    )
    assert attached.run("verify", *words).code == 0


def test_nothing_is_written_of_evidence_that_is_denied(attached: Desk) -> None:
    code, out, err = extract(attached, "--layout-key", "scan.pub")
    assert (code, out, written(attached)) == (1, "", [])
    assert "layout-signature" in err
    assert not (attached.directory / "new").exists()


def test_nothing_is_written_when_there_is_no_evidence(desk: Desk) -> None:
    code, _, err = extract(desk, "--layout-key", "owner.pub")
    assert (code, written(desk)) == (1, [])
    assert "no-attestation" in err


def test_without_a_layout_key_it_says_what_was_not_checked(desk: Desk) -> None:
    desk.chain.outer = desk.chain.signers["scan"]
    desk.shelf.attach(desk.chain.bundle())
    code, _, err = extract(desk)
    assert code == 0
    assert "root was not checked" in err


def test_a_directory_that_is_not_empty_stays_as_it_is(attached: Desk) -> None:
    (attached.directory / "new" / "evidence").mkdir(parents=True)
    (attached.directory / "new" / "evidence" / "scan.01234567.link").write_text("{}")
    code, _, err = extract(attached, "--layout-key", "owner.pub")
    assert (code, written(attached)) == (2, ["scan.01234567.link"])
    assert "not empty" in err


def test_a_registry_that_does_not_answer_is_3(desk: Desk) -> None:
    words = ("--layout-key", "owner.pub", "--timeout", "1")
    ended = desk.run("evidence", "extract", "127.0.0.1:9/octo/app", "new", *words)
    assert ended.code == 3


def test_words_that_are_wrong_are_2(attached: Desk) -> None:
    assert extract(attached, "--layout", "nowhere")[0] == 2
    assert extract(attached, "--layout-key", "nowhere")[0] == 2
    assert attached.run("evidence", "extract", attached.image).code == 2


def test_a_directory_whose_name_is_no_utf_8_is_shown_escaped(attached: Desk) -> None:
    words = ("evidence", "extract", "--layout-key", "owner.pub", attached.image, "new\udc80")
    ended = attached.run(*words)
    assert ended.code == 0
    assert r"new\udc80/root.layout" in ended.out
