"""A real Chromium for each process; skipped, with the command that helps, where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

#: Debian's build without windows is the same engine and spares the processor a quarter of the work.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
#: What Playwright switches off by itself: Chromium obeys the last list only, so these stand in ours as well.
PLAYWRIGHT_DISABLES = (
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
)
#: The address bar's pop-ups are pages: each new window would spend a second of processor time on them.
POPUPS = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup")
# Root needs no-sandbox; the others keep Chromium from looking for Google's hosts, which no test may reach.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(PLAYWRIGHT_DISABLES + POPUPS)}",
)


#: Milliseconds that a page may take to show what is expected of it: a busy machine is no fault of the page.
PATIENCE = 20_000


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for this process: two at once cannot be driven from one thread."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("No Chromium on this machine: run `make chromium` (as root on Debian), or set CHROMIUM.")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is missing: make test installs it"
    )
    expect.set_options(timeout=PATIENCE)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


def await_widget(page: Page, shown: Locator) -> None:
    """Wait for what a page of CloudPayments' widget shows, and for its script.

    A button is seen a moment before it works.
    """
    shown.wait_for()
    frame = page.frame(name="cloudpayments-widget")
    assert frame is not None
    frame.wait_for_load_state()
