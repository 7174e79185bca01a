#!/usr/bin/env bash
# Hands on the path of a cosign that attach can use as the step output `cosign`: the job's own, or else one that is
# fetched into $RUNNER_TEMP and verified before it runs. Empty when there is none: attach can do without.
# Called by the action attach as `bash -p`, after install.sh.
set -e -o pipefail
# shellcheck source-path=SCRIPTDIR source=find.sh
. "${BASH_SOURCE[0]%/*}/find.sh"

found=$(find_command cosign) || found=
PATH=$users_path
exec "$INTOTO_ACTION_PYTHON" -I -X utf8 -m intoto_action.cli.job_cosign ${found:+"$found"} </dev/null
