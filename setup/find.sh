#!/usr/bin/env bash
# Where the job has a command. Sourced by the scripts beside it.

# Our own tools come from the system, whatever the job put on PATH; what is looked for is where the job has it.
users_path=$PATH
PATH=/usr/bin:/bin:$PATH

# Windows: D:\a\App and d:\A\app are one directory.
if command -v cygpath >/dev/null; then shopt -s nocasematch; fi

outside_workspace() {
    # What lies in the workspace is what is recorded, and not what records; also under another of its names (a symlink,
    # `..`), and when a link elsewhere leads there.
    local path=$1 workspace=${GITHUB_WORKSPACE:-} target
    if command -v cygpath >/dev/null; then # Windows: D:\a\app and /d/a/app are one directory
        path=$(cygpath -u "$path")
        [[ -z $workspace ]] || workspace=$(cygpath -u "$workspace")
    fi
    workspace=$(cd -P -- "${workspace:-/nonexistent}" 2>/dev/null && pwd -P) || return 0
    while [[ $(cd -P -- "${path%/*}/" 2>/dev/null && pwd -P)/ != "${workspace%/}"/* ]]; do
        [[ -L $path ]] || return 0
        target=$(readlink -- "$path") || return 1
        [[ $target == /* ]] || target=${path%/*}/$target
        path=$target
    done
    return 1
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
