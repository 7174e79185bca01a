#!/usr/bin/env bash
# Looks, before the command runs, at whether the link will be signed here, and refuses inputs that cannot work. It sees
# that there is a key, not the key.
set -e -o pipefail

fail() {
    printf '::error title=in-toto link::%s\n' "$1"
    exit 2
}

notice() {
    printf '::notice title=in-toto link not signed::%s\n' "$1"
}

flag() {
    case $2 in
        true | false | '') ;;
        *) fail "expected true or false for the input $1, found another word" ;;
    esac
}

flag keyless "$INTOTO_ACTION_KEYLESS"
flag pass-oidc "$INTOTO_ACTION_PASS_OIDC"
flag sign-pull-requests "$INTOTO_ACTION_SIGN_PULL_REQUESTS"
flag upload "$INTOTO_ACTION_UPLOAD"
case $INTOTO_ACTION_PHASE in
    run | start | stop | after | sign) ;;
    *) fail "expected run, start, stop, after or sign for the input phase, found another word" ;;
esac
case $INTOTO_ACTION_IF_NO_CREDENTIALS in
    unsigned | fail | '') ;;
    *) fail "expected unsigned or fail for the input if-no-credentials, found another word" ;;
esac
if [[ $INTOTO_ACTION_KEYLESS == true ]]; then
    fail "keyless: this version signs with keys only; give the input key"
fi

# A key that vouches for what is on a branch must not vouch for what somebody proposes.
proposed=false
case $GITHUB_EVENT_NAME in
    pull_request* | merge_group) proposed=true ;;
esac

empty="the input key is empty. In a workflow that is mostly a secret that is not there: look whether the name in \
\${{ secrets.NAME }} is right and whether this repository, and the environment of this job, have it"
if [[ $INTOTO_ACTION_FROM_FORK == true ]]; then
    empty="the input key is empty, because a pull request from a fork gets no secrets"
fi

sign=true
if [[ $INTOTO_ACTION_PHASE == start ]]; then
    sign=false
elif [[ $proposed == true && $INTOTO_ACTION_SIGN_PULL_REQUESTS != true ]]; then
    sign=false
    notice "this run is for $GITHUB_EVENT_NAME, where nothing is signed (sign-pull-requests: true signs)"
elif [[ $INTOTO_ACTION_HAS_KEY != true ]]; then
    sign=false
    [[ $INTOTO_ACTION_IF_NO_CREDENTIALS == unsigned ]] ||
        fail "$empty (if-no-credentials: unsigned leaves the link unsigned)"
    notice "$empty"
fi

upload=$INTOTO_ACTION_UPLOAD
[[ $INTOTO_ACTION_PHASE != start ]] || upload=false

printf 'phase=%s\nsign=%s\nupload=%s\n' "$INTOTO_ACTION_PHASE" "$sign" "${upload:-false}" >>"$GITHUB_OUTPUT"
