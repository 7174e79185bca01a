"""Stand-ins for other people's actions, which are JavaScript that talks to their services.

Each has the inputs that the examples use, and does the same by a real tool, or its description says what it does
instead. A workflow names the real ones by their commits; a stand-in answers for whatever commit a workflow names.

Each also does what an action does that somebody has taken over: it runs the script $TAMPER, when it is $TAMPER_IN.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

_OURS = ("org/", "actions/")
_OF_A_CLOUD = ("aws-actions/", "google-github-actions/")

_LOGIN = """\
description: The docker client logs in, which the real one calls too; to Docker Hub when no registry is given.
inputs: {registry: {}, username: {}, password: {}}
steps:
  - shell: bash
    env: {REGISTRY: "${{ inputs.registry }}", NAME: "${{ inputs.username }}", WORD: "${{ inputs.password }}"}
    run: docker login --username "$NAME" --password-stdin ${REGISTRY:+"$REGISTRY"} <<<"$WORD" 2>&1
"""
_DOWNLOAD_GRYPE = """\
description: Says where the stand-in for grype is. The real one downloads grype.
outputs: {cmd: {value: "${{ steps.it.outputs.cmd }}"}}
steps:
  - shell: bash
    id: it
    run: echo "cmd=$(command -v grype)" >>"$GITHUB_OUTPUT"
"""
_SCAN = """\
description: Runs the stand-in for grype, with the words that the real one gives to grype.
inputs: {image: {}, output-format: {}, output-file: {}}
steps:
  - shell: bash
    env: {IMAGE: "${{ inputs.image }}", FORM: "${{ inputs.output-format }}", FILE: "${{ inputs.output-file }}"}
    run: grype --output "$FORM=$FILE" "$IMAGE"
"""
_SETUP_BUILDX = """\
description: Makes a builder of the buildkitd that the test has started. The real one starts one in a container.
steps:
  - shell: bash
    run: buildx create --name builder --use --driver remote "$BUILDKITD"
"""
_BUILD_PUSH = """\
description: Calls buildx, as the real one does.
inputs: {context: {}, outputs: {}}
outputs:
  metadata: {value: "${{ steps.it.outputs.metadata }}"}
steps:
  - shell: bash
    id: it
    env: {CONTEXT: "${{ inputs.context }}", OUTPUTS: "${{ inputs.outputs }}"}
    run: |
      file=$(mktemp)
      buildx build --provenance mode=max --progress plain --metadata-file "$file" --output "$OUTPUTS" "$CONTEXT" 2>&1
      { echo 'metadata<<END'; cat "$file"; echo; echo END; } >>"$GITHUB_OUTPUT"
"""
GRYPE = """\
#!/usr/bin/env bash
# Stand-in for grype, which needs a database from the network: it demands a real image and writes an empty report.
set -euo pipefail
for word; do
    case $word in
        json=*) report=${word#json=} ;;
        *.tar) tar -tf "$word" manifest.json ;;
        oci-dir:*) skopeo inspect --raw "oci:${word#oci-dir:}" ;;
        registry:*) skopeo inspect --raw "docker://${word#registry:}" ;;
    esac >/dev/null
done
echo '{"matches": []}' >"$report"
"""
STAND_INS: Mapping[str, str] = {
    "docker/login-action": _LOGIN,
    "docker/setup-buildx-action": _SETUP_BUILDX,
    "docker/build-push-action": _BUILD_PUSH,
    "anchore/scan-action": _SCAN,
    "anchore/scan-action/download-grype": _DOWNLOAD_GRYPE,
}
"""By the name in `uses:`, the interesting part of an action.yml."""


def stand_ins(workflow: str, folder: Path) -> Mapping[str, Path]:
    """Where act finds, for each `owner/name@commit` that a workflow uses, the stand-in.

    Those of a cloud have none: the jobs that use them are not run. Raises LookupError for any other that has none.
    """
    found: dict[str, Path] = {}
    for action, commit in sorted(set(re.findall(r"uses: ([\w./-]+)@(\w+)", workflow))):
        if action.startswith((*_OURS, *_OF_A_CLOUD)):
            continue
        owner, name, *below = action.split("/")
        repository = folder / owner / name
        place = repository.joinpath(*below)
        place.mkdir(parents=True, exist_ok=True)
        (place / "action.yml").write_text(_composite(action))
        found[f"{owner}/{name}@{commit}"] = repository
    return found


def _composite(action: str) -> str:
    document = yaml.safe_load(STAND_INS[action])
    tamper = {"shell": "bash", "if": f"env.TAMPER_IN == '{action}'", "run": 'eval "$TAMPER"'}
    steps = [*document.pop("steps"), tamper]
    whole = {
        "name": f"stand-in for {action}",
        **document,
        "runs": {"using": "composite", "steps": steps},
    }
    text: str = yaml.safe_dump(whole, sort_keys=False)
    return text
