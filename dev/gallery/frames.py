"""Letters in the frames of their page: each drawn, and as tall as what stands in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import ElementHandle, Page

_LETTERS = "iframe.guide__letter"
_UNFOLD = "(frame, tall) => { frame.style.height = `${tall}px`; }"
_TALL = "() => document.documentElement.scrollHeight"
#: The last part of a letter is its sheet; the ground below fills the frame, however tall that is.
_SHEET = "() => document.body.lastElementChild.getBoundingClientRect().bottom"
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
    letter.evaluate(_UNFOLD, math.ceil(inside.evaluate(_SHEET)) + 2)  # its border
