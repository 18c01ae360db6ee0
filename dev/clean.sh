#!/bin/sh
# Remove what make made: .venv, caches, and the data of `make run` with the place outside VAR_DIR that PostgreSQL may need.
set -eu

var=${VAR_DIR:-var}
if [ -f "$var/lock" ] && command -v flock >/dev/null 2>&1 && ! flock --nonblock "$var/lock" true; then
    echo "make run is still running on $var; stop it first." >&2
    exit 1
fi
if [ -L "$var/postgres" ]; then
    rm -rf "$(readlink -f "$var/postgres")"
fi
rm -rf "$var" .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov
find . -name __pycache__ -type d -prune -exec rm -rf {} +
