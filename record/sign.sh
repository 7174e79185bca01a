#!/usr/bin/env bash
# Signs one link and says where it is. The key and all flags come from the environment, which the action sets.
# Nobody is there to be asked for a password, even where a runner has a terminal.
set -e -o pipefail

link=$("$INTOTO_ACTION_PYTHON" -I -X utf8 -m intoto_action sign "$INTOTO_ACTION_LINK_PATH" </dev/null)
printf 'signed=true\nlink-path=%s\nlink-sha256=%s\n' "$link" "$INTOTO_ACTION_SIGN_EXPECT" >>"$GITHUB_OUTPUT"
