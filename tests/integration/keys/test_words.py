"""Words for keys as a process of its own reads them."""

import os
import subprocess
import sys

from intoto_action.keys.keygen import generate


def test_a_key_is_opened_without_reading_yaml() -> None:
    code = (
        "import sys, os; from intoto_action.keys.words import open_public_key; open_public_key('env:PUB', "
        "environ=os.environ); assert 'yaml' not in sys.modules and 'sigstore' not in sys.modules"
    )
    environ = {**os.environ, "PUB": generate("ed25519", None).public.pem}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
