"""Values of secrets never enter a link."""

import pytest

from intoto_action.formats.artifact import Digests
from intoto_action.formats.link import Link
from intoto_action.reason import Misused
from intoto_action.record.secrets import check_secrets

SECRET = "hunter2-hunter2"


def link(**parts: object) -> Link:
    whole: dict[str, object] = {
        "name": "build",
        "command": [],
        "materials": {},
        "products": {},
        "byproducts": {},
        "environment": {},
    }
    return Link(**(whole | parts))  # type: ignore[arg-type]  # each test gives the part that it is about


@pytest.mark.parametrize(
    "part",
    [
        {"name": f"build-{SECRET}"},
        {"command": ["curl", f"https://u:{SECRET}@host"]},
        {"materials": {f"src/{SECRET}": Digests(sha256="0" * 64)}},
        {"products": {SECRET: Digests(sha256="0" * 64)}},
        {"environment": {"recorded": {"materials": [f"dir/{SECRET}"]}}},
        {"environment": {"github": {"ref": f"refs/heads/{SECRET}"}}},
        {"environment": {"recorded": {"images": {SECRET: "x"}}}},
    ],
)
@pytest.mark.parametrize("name", ["API_TOKEN", "my_secret", "DB_PASSWORD", "DEPLOY_KEY_2"])
def test_the_value_of_a_secret_is_refused_wherever_it_stands(part: dict[str, object], name: str) -> None:
    with pytest.raises(Misused) as refused:
        check_secrets(link(**part), {name: SECRET})
    assert name in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("name", ["SIGNING", "INTOTO_ACTION_RECORD_KEY_2", "PHRASE"])
def test_the_variable_of_the_key_or_its_password_is_a_secret_whatever_its_name_is(name: str) -> None:
    with pytest.raises(Misused, match=name):
        check_secrets(link(command=["x", SECRET]), {name: SECRET}, private=(name,))


@pytest.mark.parametrize("between", ["\n", "\r\n", "\\n", "\n  "])
@pytest.mark.parametrize("line", ["first-line", "a second", "the last one"])
def test_one_line_of_a_secret_is_refused(between: str, line: str) -> None:
    value = between.join(["first-line", "a second", "short", "the last one"])
    with pytest.raises(Misused) as refused:
        check_secrets(link(command=[f"echo {line}"]), {"A_SECRET": value})
    assert line not in str(refused.value)


def test_the_frame_of_a_key_is_no_secret() -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----\n"
    check_secrets(link(command=["grep", "-----BEGIN PRIVATE KEY-----"]), {"A_KEY": pem})
    with pytest.raises(Misused):
        check_secrets(link(command=["grep", "MC4CAQAwBQYDK2Vw"]), {"A_KEY": pem})


@pytest.mark.parametrize(("value", "refused"), [("1234567", False), ("12345678", True)])
def test_a_secret_has_eight_characters_at_least(value: str, refused: bool) -> None:
    words = link(command=["echo", f"x{value}x"])
    if not refused:
        return check_secrets(words, {"A_TOKEN": value})
    with pytest.raises(Misused):
        check_secrets(words, {"A_TOKEN": value})
    return None


def test_a_secret_with_a_newline_at_its_end_is_found_without_it() -> None:
    with pytest.raises(Misused):
        check_secrets(link(command=["x", SECRET]), {"A_TOKEN": f"{SECRET}\n"})


@pytest.mark.parametrize(
    "environ",
    [
        {"PATH": SECRET},
        {"A_TOKEN": "short"},
        {"A_TOKEN": "another-secret-value"},
        {"A_TOKEN": "        "},
        {"INTOTO_ACTION_RECORD_KEY": SECRET},
    ],
)
def test_what_is_no_secret_is_recorded(environ: dict[str, str]) -> None:
    check_secrets(link(command=["x", SECRET, "short", "        "]), environ)
