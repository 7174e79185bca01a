#!/usr/bin/env bash
# Where the job has a command. Sourced by the scripts beside it.

# Our own tools come from the system, whatever the job put on PATH; what is looked for is where the job has it.
users_path=$PATH
PATH=/usr/bin:/bin:$PATH

outside_workspace() {
    # What lies in the workspace is what is recorded, and not what records.
    local path=$1 workspace=${GITHUB_WORKSPACE:-}
    if command -v cygpath >/dev/null; then # Windows: D:\a\app and /d/a/app are one directory
        path=$(cygpath -u "$path")
        [[ -z $workspace ]] || workspace=$(cygpath -u "$workspace")
    fi
    [[ -z $workspace || $path != "${workspace%/}"/* ]]
}

find_command() {
    # The first command of that name on the job's PATH, or else on ours, that is not in the workspace.
    local found
    while IFS= read -r found; do
        if [[ $found == /* || $found == [A-Za-z]:* ]] && outside_workspace "$found"; then
            printf '%s\n' "$found"
            return
        fi
    done < <(PATH=$users_path:$PATH type -aP -- "$1" 2>/dev/null)
    return 1
}
