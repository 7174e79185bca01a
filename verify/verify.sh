#!/usr/bin/env bash
# Verifies, and hands on the verdict. Everything that decides stands on the command line.
set -e -o pipefail
# shellcheck source-path=SCRIPTDIR/../setup source=../setup/flags.sh
. "${BASH_SOURCE[0]%/*}/../setup/flags.sh"

report=$INTOTO_ACTION_VERIFY_REPORT
if [[ -z $report ]]; then
    mkdir -p "$RUNNER_TEMP/in-toto"
    report=$(mktemp -d "$RUNNER_TEMP/in-toto/verify.XXXXXXXX")/verdict.json
elif [[ $report != *.json ]]; then
    fail "report: this version writes JSON; give a path that ends in .json"
fi

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
    *) fail "expected fail or warn for the input on-deny, found another word" ;;
esac
value --sigstore "$INTOTO_ACTION_VERIFY_SIGSTORE"
words+=(--report "$report" --)
images=()
while IFS= read -r line; do
    line=${line%$'\r'}
    [[ -z ${line//[[:space:]]/} ]] || images+=("$line")
done <<<"$INTOTO_ACTION_VERIFY_IMAGE"

cd -- "$GITHUB_WORKSPACE"
rm -f -- "$report" # one from before would be read as ours
code=0
"$INTOTO_ACTION_PYTHON" -I -X utf8 -m intoto_action verify "${words[@]}" ${images[@]+"${images[@]}"} </dev/null || code=$?
if [[ -f $report ]]; then
    "$INTOTO_ACTION_PYTHON" -I -X utf8 "${BASH_SOURCE[0]%/*}/outputs.py" "$report" >>"$GITHUB_OUTPUT"
fi
exit "$code"
