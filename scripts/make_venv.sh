#!/usr/bin/env bash
# Creates or completes a virtual environment of this project.
#   make_venv.sh FOLDER MINOR WHAT...
# MINOR is "any" (3.12 or later) or an exact one such as 3.13; WHAT are the extras to install, and "lowest" for the
# lowest versions that pyproject.toml allows. "docs" has pins of its own.
# Exit code 3: no such Python on this machine.
set -euo pipefail

folder=$1
minor=$2
shift 2
what=("$@")
pins=constraints/dev.txt
if [ "$1" = lowest ]; then
    shift
    pins="$folder/lowest.txt"
elif [ "$1" = docs ]; then
    pins=constraints/docs.txt
fi
extras=$(IFS=,; echo "$*")
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore

# True when "$1" runs and is the Python that was asked for. Shims of version managers may exist and yet not run.
fits() {
    "$1" - "$minor" >/dev/null 2>&1 <<'PYTHON'
import sys, venv, ensurepip
wanted, have = sys.argv[1], sys.version_info[:2]
sys.exit(not (have >= (3, 12) if wanted == "any" else have == tuple(map(int, wanted.split(".")))))
PYTHON
}

find_python() {
    local candidate names version versions
    if [ "$minor" = any ]; then
        names="python3 python3.12 python3.13 python3.14"
        versions="3.12 3.13 3.14"
    else
        names="python3 python$minor"
        versions=$minor
    fi
    for candidate in ${PYTHON:-} $names; do
        if fits "$candidate"; then command -v "$candidate"; return; fi
    done
    for version in $versions; do
        for candidate in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python3; do
            if fits "$candidate"; then echo "$candidate"; return; fi
        done
    done
    return 1
}

if command -v flock >/dev/null && [ -z "${FMM_VENV_LOCKED:-}" ]; then
    # Two makes in one tree take turns.
    FMM_VENV_LOCKED=1 exec flock "$folder.lock" "$0" "$folder" "$minor" "${what[@]}"
fi

if ! fits "$folder/bin/python"; then
    if ! python=$(find_python); then
        if [ "$minor" = any ]; then wanted="3.12 or later"; else wanted=$minor; fi
        echo "No Python $wanted with the venv module was found on PATH or under pyenv." >&2
        echo "Install one, or name it: make PYTHON=/path/to/python3 ..." >&2
        exit 3
    fi
    echo "Creating $folder with $("$python" --version) ($python)"
    rm -rf "$folder"
    "$python" -m venv "$folder"
fi

# Modules are compiled here, by all cores at once: some machines forbid Python to keep what it compiles later.
# Only this install waits for the pins; what builds the project is no part of it.
stamp="$folder/.inputs"
if [ "$pins" = "$folder/lowest.txt" ]; then
    # The lowest versions, and those of dev.txt for the rest.
    { cat constraints/lowest.txt; grep -vE "^($(cut -d= -f1 constraints/lowest.txt | paste -sd '|'))==" constraints/dev.txt; } >"$pins"
fi
inputs=$(cat pyproject.toml "$pins"; echo "$extras")
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$inputs" ]; then
    "$folder/bin/python" -m pip install --quiet --no-compile --editable ".[$extras]" --constraint "$pins"
    "$folder/bin/python" -m compileall -q -j 0 "$folder/lib" >/dev/null || true # A package may hold templates of Python.
    printf '%s\n' "$inputs" >"$stamp"
fi
