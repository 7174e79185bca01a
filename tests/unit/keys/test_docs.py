"""docs/keys.md does not say what is not so: kinds, extras, variables, and how a public key is put together."""

import base64
import re
import tomllib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.parts.key_material import private_key, public

from intoto_action.keys.kms import KINDS
from intoto_action.keys.words import open_public_key

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_every_kind_has_its_row_with_its_extra_and_its_form() -> None:
    rows = {
        row.split("|")[1].strip(" `").partition(":")[0]: row
        for row in PAGE.splitlines()
        if row.startswith("| `")
    }
    for kind in KINDS:
        row = rows[kind.scheme]
        assert kind.example.split(" ")[0] in row
        assert f"pip install 'intoto-action[{kind.extra}]'" in row
        assert kind.extra in EXTRAS
        assert all(name in row for name in kind.needs)


def test_every_variable_that_record_hides_is_named_and_no_other_is() -> None:
    (paragraph,) = re.findall(r"`record` takes the variables.*?What is reachable", PAGE, re.DOTALL)
    told = set(re.findall(r"`([A-Z_]{5,})`", paragraph))
    assert told == {name for kind in KINDS for name in kind.private}


def test_the_public_key_of_vault_is_put_together_as_the_page_says() -> None:
    private = private_key("ed25519")
    assert isinstance(private, ed25519.Ed25519PrivateKey)
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    (template,) = re.findall(r"printf -- '(.*?)'", PAGE)
    text = template.replace("\\n", "\n").replace("%s", base64.b64encode(raw).decode())
    assert public(open_public_key(text, environ={})).public == raw.hex()
