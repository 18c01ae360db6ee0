"""A real Chromium for each process; skipped, with the command that helps, where there is none."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, ViewportSize, expect

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
#: A new frame, with a compositor of its own, for each page in it: a fifth of what a page costs.
FRAMES = ("RenderDocument",)
# Root needs no-sandbox; the others keep Chromium from looking for Google's hosts, which no test may reach.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(PLAYWRIGHT_DISABLES + POPUPS + FRAMES)}",
)


#: Milliseconds that a page may take to show what is expected of it: a busy machine is no fault of the page.
PATIENCE = 20_000
#: A window of a desk's screen.
DESKTOP: ViewportSize = {"width": 1280, "height": 900}


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


@pytest.fixture(scope="session")
def window(chromium: Browser) -> Iterator[Page]:
    """One window for all the persons of this process: a new one costs as much as two pages."""
    page = a_window(chromium)
    yield page
    page.context.close()


def a_window(chromium: Browser) -> Page:
    """A window that only its test knows: for what no later test would find undone, as another time."""
    context = chromium.new_context(viewport=DESKTOP, locale="ru-RU")
    context.set_default_timeout(PATIENCE)
    return context.new_page()


@contextmanager
def borrowed(
    window: Page, size: ViewportSize = DESKTOP, *, heard: str = "error|warning"
) -> Iterator[list[str]]:
    """The window for somebody new, and what its console says in messages of the kinds that are *heard*.

    When they leave, nobody is signed in any more and no page is left to ask for anything.
    """
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if re.fullmatch(heard, message.type):
            complaints.append(message.text)

    def hear(error: Error) -> None:
        complaints.append(str(error))

    if window.viewport_size != size:
        window.set_viewport_size(size)
    window.on("console", listen)
    window.on("pageerror", hear)
    try:
        yield complaints
    finally:
        window.goto("about:blank")
        window.unroute_all()
        window.context.clear_cookies()
        window.remove_listener("console", listen)
        window.remove_listener("pageerror", hear)


def await_widget(page: Page, shown: Locator) -> None:
    """Wait for what a page of CloudPayments' widget shows, and for its script.

    A button is seen a moment before it works.
    """
    shown.wait_for()
    frame = page.frame(name="cloudpayments-widget")
    assert frame is not None
    frame.wait_for_load_state()
