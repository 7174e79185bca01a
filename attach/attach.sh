#!/usr/bin/env bash
# Attaches, and hands on what came of it. Everything that decides stands on the command line.
set -e -o pipefail
# shellcheck source-path=SCRIPTDIR/../setup source=../setup/flags.sh
. "${BASH_SOURCE[0]%/*}/../setup/flags.sh"

keyless=$INTOTO_ACTION_ATTACH_KEYLESS

value --layout "$INTOTO_ACTION_ATTACH_LAYOUT"
value --link-dir "$INTOTO_ACTION_ATTACH_LINK_DIR"
keys --layout-key "$INTOTO_ACTION_ATTACH_LAYOUT_KEY"
lines --file "$INTOTO_ACTION_ATTACH_FILE"
provenance=$INTOTO_ACTION_ATTACH_PROVENANCE
[[ -n $provenance || $keyless != true ]] || provenance=auto
value --provenance "$provenance"
lines --tag "$INTOTO_ACTION_ATTACH_TAG"
flag --keyless "$keyless"
value --sigstore "$INTOTO_ACTION_ATTACH_SIGSTORE"
flag --allow-public-log "$INTOTO_ACTION_ATTACH_ALLOW_PUBLIC_LOG"
flag --other-runs "$INTOTO_ACTION_ATTACH_OTHER_RUNS"
# An empty key too, unless nobody asked for one: attach says what that mostly is.
[[ -z $INTOTO_ACTION_SIGNING_KEY && $keyless == true ]] || words+=(--key env:INTOTO_ACTION_SIGNING_KEY)
[[ -z $INTOTO_ACTION_SIGNING_KEY_PASSWORD ]] || words+=(--password-env INTOTO_ACTION_SIGNING_KEY_PASSWORD)

# The manifest is the same whoever writes it. Which cosign it is, a step before this one said, and not the job's PATH.
if [[ -n $INTOTO_ACTION_COSIGN ]]; then
    PATH=${INTOTO_ACTION_COSIGN%/*}:$PATH
else
    words+=(--push-with native)
fi

cd -- "$GITHUB_WORKSPACE"
exec "$INTOTO_ACTION_PYTHON" -I -X utf8 -m intoto_action attach --github "${words[@]}" -- "$INTOTO_ACTION_ATTACH_IMAGE" \
    </dev/null
