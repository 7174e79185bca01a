#!/usr/bin/env bash
# Attaches, and hands on what came of it. Everything that decides stands on the command line.
set -e -o pipefail
# shellcheck source-path=SCRIPTDIR/../setup source=../setup/flags.sh
. "${BASH_SOURCE[0]%/*}/../setup/flags.sh"

if [[ -z $INTOTO_ACTION_SIGNING_KEY && $INTOTO_ACTION_ATTACH_KEYLESS != true ]]; then
    fail "the input key is empty. In a workflow that is mostly a secret that is not there: look whether the name in \
\${{ secrets.NAME }} is right and whether this repository, and the environment of this job, have it; pull requests from \
forks get none"
fi

value --layout "$INTOTO_ACTION_ATTACH_LAYOUT"
value --link-dir "$INTOTO_ACTION_ATTACH_LINK_DIR"
keys --layout-key "$INTOTO_ACTION_ATTACH_LAYOUT_KEY"
lines --file "$INTOTO_ACTION_ATTACH_FILE"
value --provenance "$INTOTO_ACTION_ATTACH_PROVENANCE"
lines --tag "$INTOTO_ACTION_ATTACH_TAG"
flag --keyless "$INTOTO_ACTION_ATTACH_KEYLESS"
value --sigstore "$INTOTO_ACTION_ATTACH_SIGSTORE"
flag --allow-public-log "$INTOTO_ACTION_ATTACH_ALLOW_PUBLIC_LOG"
flag --other-runs "$INTOTO_ACTION_ATTACH_OTHER_RUNS"
[[ -z $INTOTO_ACTION_SIGNING_KEY ]] || words+=(--key env:INTOTO_ACTION_SIGNING_KEY)
[[ -z $INTOTO_ACTION_SIGNING_KEY_PASSWORD ]] || words+=(--password-env INTOTO_ACTION_SIGNING_KEY_PASSWORD)

# The manifest is the same whoever writes it.
command -v cosign >/dev/null || words+=(--push-with native)

evidence=$(mktemp -d "$RUNNER_TEMP/in-toto/evidence.XXXXXXXX")/evidence.json
cd -- "$GITHUB_WORKSPACE"
said=$("$INTOTO_ACTION_PYTHON" -I -X utf8 -m intoto_action attach "${words[@]}" --output "$evidence" \
    -- "$INTOTO_ACTION_ATTACH_IMAGE" </dev/null)
printf '%s\n' "$said"
# The first line is of the evidence; provenance has one of its own behind it.
[[ ${said%%$'\n'*} =~ ^attached\ (sha256:[0-9a-f]{64})\ to\ ([^[:space:]]+@sha256:[0-9a-f]{64})$ ]] ||
    fail "expected attach to say what it attached, found other words: this is a fault of intoto-action, not of yours"
printf 'referrer=%s\nimage=%s\nevidence-path=%s\n' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "$evidence" \
    >>"$GITHUB_OUTPUT"
