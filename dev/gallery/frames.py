"""Letters in the frames of their page: each drawn, and as tall as what stands in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import ElementHandle, Page

_LETTERS = "iframe.guide__letter"
#: Low first: the ground of a letter fills its frame, so a tall frame would tell of a tall letter.
_FOLD = "(frame) => { frame.style.height = '0'; }"
_UNFOLD = "(frame, tall) => { frame.style.height = `${tall}px`; }"
_TALL = "() => document.documentElement.scrollHeight"
_DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def unfold(page: Page, width: int) -> None:
    """Wait for every letter of the page and show it whole, in a window that reaches to the last.

    Chromium draws no frame that is further down than the window.
    """
    letters = page.query_selector_all(_LETTERS)
    for letter in letters:
        _unfold(letter)
    if letters:
        page.set_viewport_size({"width": width, "height": page.evaluate(_TALL)})
        page.evaluate(_DRAWN)


def _unfold(letter: ElementHandle) -> None:
    inside: Any = letter.content_frame()
    inside.wait_for_load_state("load")
    letter.evaluate(_FOLD)
    letter.evaluate(_UNFOLD, inside.evaluate(_TALL) + 2)  # its border
