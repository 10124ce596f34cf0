#!/usr/bin/env bash
# Make .venv with the pinned requirements of one size, or leave it alone when it is up to date.
#
#   setup.sh demo|test
#
# PYTHON=<path or name> picks the interpreter; else it is the newest one that runs.
set -euo pipefail
cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

size=$1
venv=.venv
stamp=$venv/.made-from
pins="$PWD $(cat tests/requirements/{demo,test}.txt | sha256sum)" # the path too: the scripts of a moved environment do not work

fail() {
    echo "setup: $1" >&2
    exit 1
}

# Every interpreter of the wanted names, newest first. Those of pyenv are listed too, because its shims may refuse to run.
candidates() {
    local name names=(python3.13 python3.12 python3.11 python3)
    [ -z "${PYTHON:-}" ] || names=("$PYTHON")
    for name in "${names[@]}"; do
        type -ap -- "$name" || true
        compgen -G "${PYENV_ROOT:-$HOME/.pyenv}/versions/*/bin/$name" | sort -rV || true
    done
}

# The first candidate that runs and is new enough, by its real path (never that of another virtual environment).
find_python() {
    local candidate
    local probe='import sys; assert sys.version_info >= (3, 11); print(getattr(sys, "_base_executable", sys.executable))'
    while read -r candidate; do
        if "$candidate" -c "$probe" 2>/dev/null </dev/null; then
            return
        fi
    done < <(candidates)
    fail "no Python 3.11 or newer runs here (looked for ${PYTHON:-python3.13, python3.12, python3.11, python3})."
}

have_uv() { uv --version >/dev/null 2>&1; }

make_environment() {
    local python=$1
    rm -rf -- "$venv" .cache/nox
    if have_uv; then
        uv venv --quiet --no-project --python "$python" "$venv"
    elif "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv "$venv"
    elif virtualenv --version >/dev/null 2>&1; then
        virtualenv --quiet --python "$python" "$venv"
    else
        fail "$python cannot make virtual environments: install the package python3-venv (apt install python3-venv), or virtualenv, or uv."
    fi
}

install_requirements() {
    local requirements=tests/requirements/$size.txt # complete, so that nothing has to be resolved
    echo "Installing the requirements for '$size' in $venv ($("$venv/bin/python" --version), $(have_uv && uv --version || echo pip))"
    if have_uv; then
        uv pip install --quiet --python "$venv/bin/python" --no-deps --requirement "$requirements"
    else
        "$venv/bin/python" -m pip install -qq --no-compile --no-deps --requirement "$requirements"
    fi
}

# The stamp holds the pins and the interpreter, then the sizes that are installed.
is_current() {
    [ -f "$stamp" ] && "$venv/bin/python" -c '' 2>/dev/null &&
        [ "$(sed -n 1p "$stamp")" = "$pins" ] &&
        { [ -z "${PYTHON:-}" ] || [ "$(sed -n 2p "$stamp")" = "$(find_python)" ]; }
}

if ! is_current; then
    python=$(find_python)
    make_environment "$python"
    printf '%s\n' "$pins" "$python" >"$stamp"
fi
if ! grep -qxE "$size|test" "$stamp"; then # the size test holds all of demo
    install_requirements
    echo "$size" >>"$stamp"
fi
# Makes the collection's names (rayfleet.anyscale.*) resolve to this clone for Ansible, its tools and Python's import.
packages=$(echo "$venv"/lib/python*/site-packages)
mkdir -p "$packages/ansible_collections/rayfleet"
ln -sfn -- "$PWD" "$packages/ansible_collections/rayfleet/anyscale"
