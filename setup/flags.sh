#!/usr/bin/env bash
# Inputs of an action to words of the command line, gathered in the array `words`. Sourced by attach and verify, which
# take nothing from the environment: an earlier step can set variables, and must not loosen a check.

words=()

# Git Bash would put paths of Windows for words that look like those of POSIX, and a pattern can be such a word.
[[ $OSTYPE != msys ]] || export MSYS2_ARG_CONV_EXCL='*' MSYS2_ENV_CONV_EXCL=INTOTO_ACTION_

# An input that is one value: --flag VALUE, when it is given.
value() {
    [[ -z $2 ]] || words+=("$1" "$2")
}

# An input that is a list, one value a line.
lines() {
    local line
    while IFS= read -r line || [[ -n $line ]]; do
        line=${line%$'\r'}
        [[ -z ${line//[[:space:]]/} ]] || words+=("$1" "$line")
    done <<<"$2"
}

# An input that is a list of public keys: one word a line, or the text of PEM files.
keys() {
    local line pem=
    while IFS= read -r line || [[ -n $line ]]; do
        line=${line%$'\r'}
        if [[ -n $pem || $line == *-----BEGIN* ]]; then
            pem+=$line$'\n'
            [[ $line == *-----END* ]] || continue
            words+=("$1" "$pem")
            pem=
        elif [[ -n ${line//[[:space:]]/} ]]; then
            words+=("$1" "$line")
        fi
    done <<<"$2"
    [[ -z $pem ]] || words+=("$1" "$pem")
}

# An input that is true or false: the literal --flag with true; another word is refused, and never read as false.
flag() {
    case $2 in
        true) words+=("$1") ;;
        false | '') ;;
        *) fail wrong-input "expected true or false for the input ${1#--}, found another word" ;;
    esac
}

# What is wrong, behind the section of the documentation about it: a word of `Trouble` in reason.py.
fail() {
    printf '::error title=intoto-action::%s (docs/reason-codes.md#%s)\n' "$2" "$1"
    exit 2
}
