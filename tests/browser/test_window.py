"""The window that all tests of a process share: what one leaves, the next does not find."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Error, Page

from tests.chromium import a_window, borrowed

TASTE = "['color-scheme: dark', 'reduced-motion: reduce'].map(one => matchMedia(`(prefers-${one})`).matches)"


def arrange(window: Page, url: str = "http://127.0.0.1/") -> None:
    """Whatever a test may leave behind, on the way to *url*."""
    window.route("**/*", lambda route: route.fulfill(body="<script>console.error('heard')</script>"))
    window.emulate_media(color_scheme="dark", reduced_motion="reduce")
    window.context.add_cookies([{"name": "session", "value": "x", "url": "http://127.0.0.1"}])
    window.goto(url)


def test_nothing_stays_in_a_borrowed_window(window: Page) -> None:
    """Neither cookies, colours, routes nor an ear at the console."""
    with borrowed(window) as complaints:
        arrange(window)
        assert window.evaluate(TASTE) == [True, True]

    assert complaints == ["heard"]
    assert window.url == "about:blank"
    assert window.evaluate(TASTE) == [False, False]
    assert window.context.cookies() == []
    window.evaluate("console.error('somebody else')")
    assert complaints == ["heard"]
    with pytest.raises(Error):
        window.goto("http://127.0.0.1:9/")


def test_a_crashed_window_is_lent_to_nobody_else(chromium: Browser) -> None:
    """The test that broke it hears of it, and it is closed."""
    window = a_window(chromium)

    with pytest.raises(Error), borrowed(window):
        arrange(window, "chrome://crash")

    assert window.is_closed()
    assert window.context.cookies() == []
    window.context.close()
