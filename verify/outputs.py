"""The outputs of the action from the verdicts in a report, one JSON object a line, as lines for GITHUB_OUTPUT."""

import json
import secrets
import sys
from pathlib import Path


def main(report: Path) -> None:
    """Print the outputs; a value never ends its own heredoc, because nobody knows the delimiter before."""
    verdicts = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines() if line]
    first = next((each for each in verdicts if each["verdict"] != "pass"), verdicts[0])
    failed = next((step["name"] for step in first["steps"] if step["verdict"] == "deny"), "")
    outputs = {
        "verdict": first["verdict"],
        "reason": first["reason"] or "",
        "failed-step": failed,
        "image": "\n".join(each["image"] for each in verdicts),
        "report-path": str(report.absolute()),
    }
    delimiter = f"ghadelimiter_{secrets.token_hex(16)}"
    for name, value in outputs.items():
        sys.stdout.write(f"{name}<<{delimiter}\n{value}\n{delimiter}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
