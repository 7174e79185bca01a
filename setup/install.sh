#!/usr/bin/env bash
# Makes the environment that record, attach and verify run in, once a job, and hands on the path of its Python as the
# step output `python`. Called by the composite actions as `bash -p` (-p: no functions or options from the environment).
#
# It lies in $RUNNER_TEMP, named after the digest of the lock and of this action's own files, so that a second use in
# the job finds it, and another version of the action has another. Nothing is written to the workspace, which is what is
# recorded, and nothing is put on GITHUB_PATH, which is the user's. The packages are the locked ones, each checked
# against its hash, wherever they come from; intoto-action itself is copied from the checkout that the runner made for
# the action, not from an index.
set -e -o pipefail

# shellcheck source-path=SCRIPTDIR source=find.sh
. "${BASH_SOURCE[0]%/*}/find.sh"

oldest=3.11
newest=3.14 # that the lock has wheels for
action=$(cd -- "${BASH_SOURCE[0]%/*}/.." && pwd -P)
lock=$action/requirements/runtime.txt

fail() {
    # %25 first: the runner decodes it last. Source: GitHub documentation, workflow commands.
    local text=${1//'%'/%25}
    text=${text//$'\r'/%0D}
    text=${text//$'\n'/%0A}
    printf '::error title=intoto-action cannot be installed::%s (docs/reason-codes.md#wrong-place)\n' "$text"
    exit 2
}

[[ -n ${RUNNER_TEMP:-} && -d $RUNNER_TEMP ]] || fail "expected a directory in RUNNER_TEMP, found \
'${RUNNER_TEMP:-}'; is this a job of GitHub Actions?"
[[ -n ${GITHUB_OUTPUT:-} ]] || fail "expected the path of a file in GITHUB_OUTPUT, found none; is this a job of \
GitHub Actions?"

digest_of_this_action() {
    local hash=(sha256sum) digest
    command -v sha256sum >/dev/null || hash=(shasum -a 256) # macOS
    digest=$(cd -- "$action" && find requirements/runtime.txt setup src -type f ! -name '*.pyc' | LC_ALL=C sort |
        xargs "${hash[@]}" | "${hash[@]}")
    printf '%s\n' "${digest:0:24}"
}

place=$RUNNER_TEMP/intoto-action/python-$(digest_of_this_action)

hand_on() {
    local python=$place/venv/bin/python
    [[ -x $python ]] || python=$place/venv/Scripts/python.exe # Windows
    printf 'python=%s\n' "$python" >>"$GITHUB_OUTPUT"
}

if [[ -f $place/complete ]]; then
    hand_on
    exit 0
fi

# Where packages come from is the company's to say (indexes, certificates, proxies, caches). What is installed, and
# where, is ours: a job that sets PIP_TARGET or PIP_CONSTRAINT for its own build does not mean this.
is_of_the_company() {
    case $1 in
        PIP_*INDEX* | PIP_*CERT | PIP_PROXY | PIP_TRUSTED_HOST | PIP_FIND_LINKS | PIP_CONFIG_FILE) ;;
        PIP_*CACHE* | PIP_*TIMEOUT | PIP_RETRIES | PIP_KEYRING_PROVIDER | PIP_USE_FEATURE) ;;
        UV_*INDEX* | UV_*CERT* | UV_*TLS | UV_INSECURE_HOST | UV_FIND_LINKS | UV_CONFIG_FILE | UV_OFFLINE) ;;
        UV_*CACHE* | UV_*TIMEOUT | UV_*RETRIES | UV_KEYRING_PROVIDER | UV_CONCURRENT_* | UV_LINK_MODE) ;;
        UV_PYTHON_*MIRROR | UV_PYTHON_DOWNLOADS | UV_PYTHON_INSTALL_DIR) ;;
        *) return 1 ;;
    esac
}

for name in "${!PIP_@}" "${!UV_@}" "${!PYTHON@}"; do
    is_of_the_company "$name" || unset -v "$name"
done

# A name on PATH proves nothing (a version manager's shim may answer for a Python that is not there, Debian's may have
# no ensurepip), so every candidate is run. The base of a virtual environment is taken in its place.
probe='import sys
if sys.implementation.name != "cpython": sys.exit(5)
if not tuple(map(int, sys.argv[1].split("."))) <= sys.version_info[:2] <= tuple(map(int, sys.argv[2].split("."))):
    print(".".join(map(str, sys.version_info[:3]))); sys.exit(3)
try:
    import venv
    if sys.argv[3] == "pip": import ensurepip
except ImportError: sys.exit(4)
print(getattr(sys, "_base_executable", None) or sys.executable)'

find_python() {
    # Sets `python`, or leaves in `seen` what was looked at.
    local candidate answer
    seen=
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python \
        "${RUNNER_TOOL_CACHE:-/nonexistent}"/Python/3.1[1-9]*/*/bin/python3 \
        "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/3.1[1-9]*/bin/python3; do
        candidate=$(find_command "$candidate") || continue
        if answer=$("$candidate" -I -S -c "$probe" "$oldest" "$newest" "$installer" </dev/null 2>/dev/null); then
            python=${answer%$'\r'} # Windows
            outside_workspace "$python" && return
            seen+="; $candidate belongs to $python in the workspace"
            continue
        else
            case $? in
                3) seen+="; $candidate is $answer" ;;
                4) seen+="; $candidate has no venv or no ensurepip (Debian and Ubuntu: apt-get install python3-venv)" ;;
                5) seen+="; $candidate is not CPython" ;;
                *) seen+="; $candidate does not run" ;;
            esac
        fi
    done
    python=
}

# A cancelled job tells this shell alone, which would wait for its child; what runs beside a shell ignores SIGINT.
running=
trap '[[ -z $running ]] || kill -TERM "$running" || :; exit 130' INT TERM

run_quietly() {
    # A log that nobody needs when all is well.
    local code=0
    "$@" >>"$place/log" 2>&1 </dev/null &
    running=$!
    wait "$running" || code=$?
    running=
    return "$code"
}

make_with_uv() {
    # `python` is empty when there is none that will do: then uv finds one of its own, or fetches it.
    run_quietly "$uv" venv --quiet --no-project --python "${python:->=$oldest,<${newest%.*}.$((${newest#*.} + 1))}" "$place/venv" &&
        run_quietly "$uv" pip install --quiet --python "$place/venv" --require-hashes --no-build --requirement "$lock"
}

# What `pip config list` says, as variables: name and value, each with a NUL behind it. The last one has pip read no file.
pip_variables='import ast, os, sys
found = {}
for line in sys.stdin: # sorted: "install" comes behind "global", and wins
    name, _, value = line.strip().partition("=")
    section, _, option = name.partition(".")
    if section in ("global", "install"): found["PIP_" + option.upper().replace("-", "_")] = ast.literal_eval(value)
found.pop("PIP_CONFIG_FILE", None)
found["PIP_CONFIG_FILE"] = os.devnull
for pair in found.items(): print(*pair, sep="\0", end="\0")'

take_configuration_of_pip() {
    # The files of the machine, of the user and of PIP_CONFIG_FILE: a `requirement` in one would be installed too, and
    # with `user` or `target` nothing would be where it belongs. What they say may be a password, so it goes to no file.
    local said name value closed=
    said=$("$(venv_python)" -I -m pip config list 2>>"$place/log" </dev/null) || return
    while IFS= read -r -d '' name && IFS= read -r -d '' value; do
        [[ $name != PIP_CONFIG_FILE ]] || closed=true
        if [[ -n $closed || $name == PIP_* && -z ${!name:-} ]] && is_of_the_company "$name"; then
            export "$name=$value"
        fi
    done < <("$(venv_python)" -I -X utf8 -c "$pip_variables" <<<"$said")
    [[ -n $closed ]]
}

make_with_pip() {
    # Without --quiet: why an index was not reached, a certificate or a proxy, pip tells as a warning.
    run_quietly "$python" -I -m venv "$place/venv" &&
        take_configuration_of_pip &&
        run_quietly "$(venv_python)" -I -m pip install --no-input --disable-pip-version-check --no-compile \
            --progress-bar off --require-hashes --only-binary :all: --requirement "$lock"
}

venv_python() {
    if [[ -x $place/venv/bin/python ]]; then
        printf '%s\n' "$place/venv/bin/python"
    else
        printf '%s\n' "$place/venv/Scripts/python.exe"
    fi
}

put_intoto_action() {
    local packages
    packages=$("$(venv_python)" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))') &&
        cp -R "$action/src/intoto_action" "${packages%$'\r'}/" &&
        run_quietly "$(venv_python)" -I -X utf8 -m intoto_action --version
}

rm -rf "$place" # what a cancelled job left half-made
mkdir -p "$place"
cd -- "$place" # uv reads uv.toml and pyproject.toml of the directory it is started in

uv=$(find_command uv) || uv=
installer=pip
[[ -z $uv ]] || installer=uv
find_python
if [[ -z $python && -z $uv ]]; then
    fail "expected a Python $oldest to $newest with the modules venv and ensurepip, or uv, on PATH; found neither\
${seen:-; there is no python3 on PATH}. Add a step actions/setup-python or astral-sh/setup-uv before this one, or \
install python3 and python3-venv in the container of the job"
fi

began=$SECONDS
if ! "make_with_$installer" || ! put_intoto_action; then
    cat "$place/log"
    fail "$installer could not install the locked packages for ${python:-a Python of its own}; its words are above. It \
needs an index: settings such as PIP_INDEX_URL, UV_DEFAULT_INDEX, SSL_CERT_FILE and HTTPS_PROXY are taken from the job"
fi
: >"$place/complete"
printf 'intoto-action is installed for this job (%s, %s s)\n' "$installer" "$((SECONDS - began))"
hand_on
