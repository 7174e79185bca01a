#!/usr/bin/env bash
# Refuses, before the command runs, inputs that cannot work, and asks whether the link will be signed here. It sees that
# there is a key, not the key.
set -e -o pipefail
# shellcheck source-path=SCRIPTDIR/../setup source=../setup/flags.sh
. "${BASH_SOURCE[0]%/*}/../setup/flags.sh"

one_of() {
    local input=$1 word=$2 known
    shift 2
    for known; do
        [[ $word != "$known" ]] || return 0
    done
    fail wrong-input "expected $* for the input $input, found another word"
}

one_of keyless "$INTOTO_ACTION_SIGN_KEYLESS" true false ''
one_of pass-oidc "$INTOTO_ACTION_PASS_OIDC" true false ''
one_of upload "$INTOTO_ACTION_UPLOAD" true false ''
one_of if-no-credentials "$INTOTO_ACTION_SIGN_IF_NO_CREDENTIALS" unsigned fail ''
one_of phase "$INTOTO_ACTION_PHASE" run start stop after sign
flag --sign-pull-requests "$INTOTO_ACTION_SIGN_PULL_REQUESTS"
flag --allow-public-log "$INTOTO_ACTION_ALLOW_PUBLIC_LOG"

cd -- "$GITHUB_WORKSPACE"
cd -- "${INTOTO_ACTION_WORKING_DIRECTORY:-.}" 2>/dev/null ||
    fail wrong-input "expected a directory in the workspace for the input working-directory, found none to go into"

upload=$INTOTO_ACTION_UPLOAD
[[ $INTOTO_ACTION_PHASE != start ]] || upload=false
printf 'phase=%s\nupload=%s\n' "$INTOTO_ACTION_PHASE" "${upload:-false}" >>"$GITHUB_OUTPUT"
[[ $INTOTO_ACTION_PHASE != start ]] || exit 0

exec "$INTOTO_ACTION_PYTHON" -I -X utf8 -m intoto_action sign --check --github "${words[@]}" </dev/null
