#!/usr/bin/env bash
# Verifies, and hands on the verdict. Everything that decides stands on the command line.
set -e -o pipefail
# shellcheck source-path=SCRIPTDIR/../setup source=../setup/flags.sh
. "${BASH_SOURCE[0]%/*}/../setup/flags.sh"

value --link-dir "$INTOTO_ACTION_VERIFY_LINK_DIR"
lines --images-from "$INTOTO_ACTION_VERIFY_IMAGES_FROM"
value --layout "$INTOTO_ACTION_VERIFY_LAYOUT"
keys --layout-key "$INTOTO_ACTION_VERIFY_LAYOUT_KEY"
keys --attester "$INTOTO_ACTION_VERIFY_ATTESTER"
flag --rehearse "$INTOTO_ACTION_VERIFY_REHEARSE"
value --source-repository "$INTOTO_ACTION_VERIFY_SOURCE_REPOSITORY"
value --source-ref "$INTOTO_ACTION_VERIFY_SOURCE_REF"
value --builder-id "$INTOTO_ACTION_VERIFY_BUILDER_ID"
case $INTOTO_ACTION_VERIFY_ON_DENY in
    warn) words+=(--on-deny warn) ;;
    fail | '') ;;
    *) fail wrong-input "expected fail or warn for the input on-deny, found another word" ;;
esac
value --sigstore "$INTOTO_ACTION_VERIFY_SIGSTORE"
value --report "$INTOTO_ACTION_VERIFY_REPORT"
images=()
while IFS= read -r line; do
    line=${line%$'\r'}
    [[ -z ${line//[[:space:]]/} ]] || images+=("$line")
done <<<"$INTOTO_ACTION_VERIFY_IMAGE"

cd -- "$GITHUB_WORKSPACE"
command=("$INTOTO_ACTION_PYTHON" -I -X utf8 -m intoto_action verify --github "${words[@]}" -- "${images[@]}")
if [[ $INTOTO_ACTION_VERIFY_REHEARSE == true ]]; then
    # 4 is "rehearsed", which is no pass, and what whoever asks for a rehearsal can get at best. A shell stays to say so,
    # and hands on what cancels a step: as SIGTERM, because what runs beside a shell ignores SIGINT.
    child='' cancelled='' code=0
    trap 'cancelled=1; [[ -z $child ]] || kill -TERM "$child" || :' INT TERM
    "${command[@]}" </dev/null &
    child=$!
    [[ -z $cancelled ]] || kill -TERM "$child" || :
    wait "$child" || code=$?
    [[ -z $cancelled ]] || wait "$child" || code=$?
    [[ -n $cancelled || $code != 4 ]] || code=0
    exit "$code"
fi
exec "${command[@]}" </dev/null
