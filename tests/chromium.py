"""A real Chromium for each process; skipped, with the command that helps, where there is none."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

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
def windows(chromium: Browser) -> Iterator[list[Page]]:
    """The window that this process uses, behind those that were closed."""
    opened: list[Page] = []
    yield opened
    for page in opened:
        page.context.close()


@pytest.fixture
def window(chromium: Browser, windows: list[Page]) -> Page:
    """One window for all the persons of this process: a new one costs as much as two pages.

    Only whoever comes after one that was closed gets another.
    """
    if not windows or windows[-1].is_closed():
        windows.append(a_window(chromium))
    return windows[-1]


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

    When they leave, nobody is signed in any more, no page is left to ask for anything, and colours and motion
    are a new window's again. A window whose page cannot be left (it crashed, for example) is closed. What a
    page keeps in sessionStorage or localStorage survives, and so does time that was moved: for these a test
    takes a window of its own.
    """
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if re.fullmatch(heard, message.type):
            complaints.append(message.text)

    def hear(error: Error) -> None:
        complaints.append(str(error))

    if window.viewport_size != size:
        window.set_viewport_size(size)
    with ExitStack() as undone:  # from the last to the first, and each of them whatever became of the others
        window.on("console", listen)
        undone.callback(window.remove_listener, "console", listen)
        window.on("pageerror", hear)
        undone.callback(window.remove_listener, "pageerror", hear)
        undone.callback(window.context.clear_cookies)
        undone.callback(_leave, window)
        yield complaints


def _leave(window: Page) -> None:
    """Leave the page with all that was arranged for it, or close the window."""
    try:
        window.goto("about:blank")
        window.unroute_all()
        window.emulate_media(color_scheme="light", reduced_motion="no-preference")
    except Error:
        window.close()
        raise


def await_widget(page: Page, shown: Locator) -> None:
    """Wait for what a page of CloudPayments' widget shows, and for its script.

    A button is seen a moment before it works.
    """
    shown.wait_for()
    frame = page.frame(name="cloudpayments-widget")
    assert frame is not None
    frame.wait_for_load_state()
