#!/usr/bin/env bash
# Signs one link. The key and what else there is to say come from the environment, which the action sets; what loosens
# a rule stands on the command line. Nobody is there to be asked for a password, even where a runner has a terminal.
set -e -o pipefail
# shellcheck source-path=SCRIPTDIR/../setup source=../setup/flags.sh
. "${BASH_SOURCE[0]%/*}/../setup/flags.sh"

flag --sign-pull-requests "$INTOTO_ACTION_SIGN_PULL_REQUESTS"
flag --allow-public-log "$INTOTO_ACTION_ALLOW_PUBLIC_LOG"

cd -- "$GITHUB_WORKSPACE"
cd -- "${INTOTO_ACTION_WORKING_DIRECTORY:-.}"
exec "$INTOTO_ACTION_PYTHON" -I -X utf8 -m intoto_action sign --github "${words[@]}" -- "$INTOTO_ACTION_LINK_PATH" \
    </dev/null
