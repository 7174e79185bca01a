"""docs/keyless.md says what the code does."""

import re
from pathlib import Path

import pytest
from make.cache import CHECKOUT

from intoto_action.cli.keyless_options import SECONDS
from intoto_action.cli.main import main
from intoto_action.keys import certified
from intoto_action.keys.attempts import LONGEST_ATTEMPT, PASSING
from intoto_action.keys.sigstore import GRACE, PUBLIC, PUBLIC_HOSTS
from intoto_action.keys.tuf_repository import LONGEST_REFRESH, SIGNING_CONFIG_TARGET, TRUSTED_ROOT_TARGET

TEXT = " ".join((CHECKOUT / "docs/keyless.md").read_text().split())
SOURCE = "".join(path.read_text() for path in Path(certified.__file__).parent.glob("*.py"))


def test_its_numbers_are_those_of_the_code() -> None:
    assert SECONDS == certified.SECONDS
    assert f"until `--signing-timeout` ({SECONDS} seconds) is over" in TEXT
    assert f"until {GRACE.days} days after its metadata ended" in TEXT
    assert f"for {LONGEST_REFRESH:.0f} seconds at most" in TEXT
    assert f"or {LONGEST_ATTEMPT:.0f} seconds of silence" in TEXT
    assert ", ".join(str(each) for each in sorted(PASSING)[1:]) in TEXT
    assert str(min(PASSING)) in TEXT


def test_its_names_are_those_of_the_code() -> None:
    for name in (*PUBLIC, *PUBLIC_HOSTS, SIGNING_CONFIG_TARGET, TRUSTED_ROOT_TARGET):
        assert name in TEXT


def messages() -> list[str]:
    rows = re.findall(
        r"^\| `([^`]*(?:`[^`|]*)?)` \|", (CHECKOUT / "docs/keyless.md").read_text(), re.MULTILINE
    )
    return [row for row in rows if " " in row]


@pytest.mark.parametrize("message", messages())
def test_a_message_that_it_explains_is_said(message: str) -> None:
    code = re.sub(r'"\s*f?"', "", re.sub(r"\s+", " ", SOURCE))
    for part in re.split("…", message.removeprefix("sigstore-unavailable: ")):
        said = re.escape(
            part.strip(" :").replace("private", "{visibility}").replace("'sigstore'", "{audience!r}")
        )
        assert re.search(said, code), part


def test_the_messages_are_found() -> None:
    assert len(messages()) > 8


@pytest.mark.parametrize("flag", sorted(set(re.findall(r"`(--[a-z-]+)", TEXT))))
def test_a_flag_that_it_names_is_one(flag: str) -> None:
    verbs = [main.get_command(None, verb) for verb in ("record", "sign", "attach")]  # type: ignore[arg-type]
    assert flag in {name for verb in verbs if verb for param in verb.params for name in param.opts}
