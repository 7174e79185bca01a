"""verify of three links with 50,000 artifacts each, beside in-toto-verify and in-toto-golang on the same files."""

import hashlib
import subprocess
import sys
import sysconfig
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.row import Row, environment, said, side_by_side, timed
from tests.parts.chain import MemorySigner
from tests.parts.tools import tool

from intoto_action.formats.artifact import Digests
from intoto_action.formats.envelope import PAYLOAD_TYPE
from intoto_action.formats.layout import INSTANT, Layout, Rule, Step, encode_layout
from intoto_action.formats.link import Link, encode_link, link_file_name
from intoto_action.keys.sealing import seal

Command = list[str | Path]

ARTIFACTS = 50_000
STEPS = ("checkout", "build", "scan")
SCRIPTS = Path(sysconfig.get_path("scripts"))
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


def main() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="intoto-action-bench-") as name:
        directory = Path(name)
        write_chain(directory)
        files = ["--layout", "root.layout"]
        ours: Command = [
            SCRIPTS / "intoto-action",
            "verify",
            *files,
            "--layout-key",
            "owner.pub",
            "--link-dir",
            ".",
        ]
        stock: Command = [
            SCRIPTS / "in-toto-verify",
            *files,
            "--verification-keys",
            "owner.pub",
            "--link-dir",
            ".",
        ]
        golang: Command = [
            tool("in-toto-golang"),
            "verify",
            "-l",
            "root.layout",
            "-k",
            "owner.pub",
            "-d",
            ".",
        ]
        for command in (ours, stock, golang):
            subprocess.run(command, cwd=directory, check=True, capture_output=True, env=environment())
        peak: Command = [sys.executable, "-c", PEAK]
        return [
            *side_by_side(
                "verify 3 links of 50,000 artifacts",
                timed(ours, directory),
                {
                    "in-toto-verify": (timed(stock, directory), 0.45),
                    "in-toto-golang verify": (timed(golang, directory), 0.45),
                },
                rounds=9,
            ),
            *side_by_side(
                "its peak memory",
                said([*peak, *ours], directory),
                {
                    "in-toto-verify": (said([*peak, *stock], directory), 0.65),
                    "in-toto-golang verify": (said([*peak, *golang], directory), 0.65),
                },
                rounds=3,
                unit="B",
            ),
        ]


def write_chain(directory: Path) -> None:
    """A source tree that is checked out, built and scanned, and handed on whole from step to step."""
    owner, functionaries = MemorySigner(), {name: MemorySigner() for name in STEPS}
    tree = {
        f"src/package{number % 97:02}/module{number:05}.py": Digests(
            sha256=hashlib.sha256(str(number).encode()).hexdigest()
        )
        for number in range(ARTIFACTS)
    }
    for name, signer in functionaries.items():
        materials = {} if name == "checkout" else tree
        link = Link(name, ["make", name], materials, tree, {"return-value": 0}, {})
        document = seal(PAYLOAD_TYPE, encode_link(link), signer)
        (directory / link_file_name(name, signer.key.keyid)).write_bytes(document)
    keys = {signer.key.keyid: signer.key.entry for signer in functionaries.values()}
    expires = (datetime.now(UTC) + timedelta(days=1)).strftime(INSTANT)
    layout = Layout([step(name, functionaries[name]) for name in STEPS], [], keys, expires)
    keyids = (owner.key.keyid, owner.key.go_keyid)
    (directory / "root.layout").write_bytes(seal(PAYLOAD_TYPE, encode_layout(layout), owner, keyids=keyids))
    (directory / "owner.pub").write_text(owner.key.pem)


def step(name: str, signer: MemorySigner) -> Step:
    """checkout creates everything, and the others find it as the step before left it."""
    closed: Rule = ["DISALLOW", "*"]
    keyids = [signer.key.keyid]
    if name == "checkout":
        return Step(name, [closed], [["CREATE", "*"], closed], keyids, [], 1)
    before: Rule = ["MATCH", "*", "WITH", "PRODUCTS", "FROM", STEPS[STEPS.index(name) - 1]]
    return Step(name, [before, closed], [before, closed], keyids, [], 1)
