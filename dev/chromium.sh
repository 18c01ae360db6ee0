#!/bin/sh
# Install Debian's Chromium for the browser tests. Does nothing where one is present; where it cannot install, it says what
# to do and still succeeds, because the rest of the suite runs without a browser and reports those tests as skipped.
set -eu

if command -v chromium >/dev/null 2>&1; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo 'No Chromium here and no apt-get to install it: put a "chromium" on PATH, or the browser tests are skipped.' >&2
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo 'No Chromium here: the browser tests are skipped until you run: sudo make chromium' >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null
# The font has Cyrillic; without one, pages are photographed full of empty boxes.
apt-get install -q -y --no-install-recommends chromium fonts-dejavu-core >/dev/null
chromium --version
