"""`python -m tests.parts.demo_with_sigstore COMMAND…`: the demo, with a private Sigstore that vouches for its jobs.

`make demo` runs it where the servers are built already; the demo itself knows only the file with the tokens.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.parts.github_job import GitHubJob
from tests.parts.sigstore import PrivateSigstore, private_sigstore

NAMES = ("owner", "checkout", "build", "test", "scan", "push")
PULL_REQUEST = "pull-request"


def main(command: Sequence[str]) -> int:
    """Run the command with `--keyless FILE` behind it; its exit code."""
    with tempfile.TemporaryDirectory(prefix="intoto-action-demo-sigstore-") as name:
        folder = Path(name)
        with private_sigstore(folder) as sigstore:
            file = folder / "vouched.json"
            file.touch(mode=0o600)
            file.write_text(json.dumps(vouched_by(sigstore)))
            return subprocess.run([*command, "--keyless", str(file)], check=False).returncode


def vouched_by(sigstore: PrivateSigstore) -> dict[str, Any]:
    """What the demo's file says of an instance: a token for each job, and one of a pull request."""
    jobs = {each: GitHubJob(repository="octo/door", workflow=f"{each}.yml") for each in NAMES}
    jobs[PULL_REQUEST] = GitHubJob.pull_request(repository="octo/door", workflow="scan.yml")
    return {
        "trust-config": str(sigstore.trust_config),
        "issuer": sigstore.issuer,
        "tokens": {each: sigstore.token(job) for each, job in jobs.items()},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
