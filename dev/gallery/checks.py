"""What ``make audit`` asks of each page: axe, room enough at every width and zoom, nothing that jumps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dev.gallery import axe
from dev.gallery.pictures import show

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from dev.gallery.browser import Stage

WIDTHS = (1280, 768, 320)
SCHEMES = ("light", "dark")
#: A window of 1280 pixels at 200 % is this wide for the page.
ZOOMED = 640
#: https://web.dev/articles/cls calls up to 0.1 good. Here a few lines may come where something went wrong.
SHIFT = 0.005
#: Of CSS and JavaScript together, as they travel, for every page.
BYTES = 60_000

_OVERFLOW = """
() => {
  const page = document.documentElement;
  if (page.scrollWidth <= page.clientWidth) { return []; }
  const scrolls = (node) => {
    for (let at = node.parentElement; at && at !== document.body; at = at.parentElement) {
      if (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(at).overflowX)) { return true; }
    }
    return false;
  };
  const wide = [...document.body.querySelectorAll("*")].filter(
    (node) => node.getBoundingClientRect().right > page.clientWidth + 0.5 && !scrolls(node));
  return [`${page.scrollWidth} > ${page.clientWidth}`,
    ...wide.slice(0, 3).map((node) => `${node.localName}.${node.className}`)];
}
"""
#: Whoever works at a desk all day does not push its tables from side to side; a phone may.
_CUT = """
() => [...document.querySelectorAll(".scroll")]
  .filter((node) => node.scrollWidth > node.clientWidth + 1)
  .map((node) => `${node.getAttribute("aria-label")}: ${node.scrollWidth} > ${node.clientWidth}`)
"""
_WEIGHT = """
() => performance.getEntriesByType("resource")
  .filter((one) => new URL(one.name).origin === location.origin && /[.](css|js)([?]|$)/.test(one.name))
  .reduce((sum, one) => sum + one.encodedBodySize, 0)
"""


@dataclass
class Result:
    """What was found on one page."""

    name: str
    findings: list[str] = field(default_factory=list)
    shift: float = 0.0
    weight: int = 0
    looks: int = 0

    def add(self, where: str, lines: list[str]) -> None:
        """Remember what was found in one look."""
        self.findings += [f"{where}: {line}" for line in lines]


def examine(stage: Stage, widths: tuple[int, ...] = WIDTHS) -> Result:
    """Everything about one page in its present state."""
    page = stage.page
    result = Result(stage.scene.name, shift=stage.shift, weight=int(page.evaluate(_WEIGHT)))
    if stage.shift > SHIFT:
        result.add("load", [f"moved by {stage.shift:.4f}: {'; '.join(stage.moved)}"])
    if result.weight > BYTES:
        result.add("load", [f"{result.weight} bytes of CSS and JavaScript"])
    result.add("console", stage.complaints)
    for width in widths:
        for scheme in SCHEMES:
            show(page, width, scheme)
            result.looks += 1
            result.add(f"{width} {scheme}", axe.findings(page))
        result.add(f"{width}", _too_wide(page))
        if width == WIDTHS[0]:
            result.add(f"{width}", [f"a table is cut ({one})" for one in page.evaluate(_CUT)])
    _zoom(page, result)
    return result


def _zoom(page: Page, result: Result) -> None:
    """Twice as large: everything, as a browser zooms, and the letters alone."""
    show(page, ZOOMED, "light")
    result.add("zoom 200 %", _too_wide(page))
    page.set_viewport_size({"width": 1280, "height": 800})
    page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
    result.add("letters 200 %", _too_wide(page))
    page.evaluate("() => { document.documentElement.style.fontSize = ''; }")


def _too_wide(page: Page) -> list[str]:
    found: list[Any] = page.evaluate(_OVERFLOW)
    return [f"scrolls sideways ({', '.join(map(str, found))})"] if found else []
