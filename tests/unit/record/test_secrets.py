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
