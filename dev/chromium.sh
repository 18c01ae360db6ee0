#!/bin/sh
# Install Debian's Chromium: the browser itself for pictures and the audit, and its build without windows, with which the
# browser tests take less time. Does nothing where both are present; where it cannot install, it says what to do and still
# succeeds, because the rest of the suite runs without a browser and reports those tests as skipped.
set -eu

missing=''
for browser in chromium chromium-headless-shell; do
    command -v "$browser" >/dev/null 2>&1 || missing="$missing $browser"
done
if [ -z "$missing" ]; then
    exit 0
fi

refuse() {
    if command -v chromium >/dev/null 2>&1; then
        exit 0 # every test runs; some take a little longer
    fi
    echo "$1" >&2
    exit 0
}

command -v apt-get >/dev/null 2>&1 ||
    refuse 'No Chromium here and no apt-get to install it: put a "chromium" on PATH, or the browser tests are skipped.'
[ "$(id -u)" = 0 ] ||
    refuse 'No Chromium here: the browser tests are skipped until you run: sudo make chromium'

export DEBIAN_FRONTEND=noninteractive
install() {
    # The font has Cyrillic; without one, pages are photographed full of empty boxes.
    apt-get install -q -y --no-install-recommends "$@" fonts-dejavu-core >/dev/null
}
if command -v chromium >/dev/null 2>&1; then
    { apt-get update -q && install chromium-headless-shell; } >/dev/null 2>&1 || exit 0
else
    apt-get update -q >/dev/null
    # Not every release has the second.
    install chromium chromium-headless-shell 2>/dev/null || install chromium
fi
chromium --version
