"""axe-core in a page: what a machine can tell of WCAG 2.2 AA."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# The gateway's own form in its frame is not ours to mend.
_RUN = """
(tags) => axe.run(document, {
  runOnly: { type: "tag", values: tags },
  rules: { "target-size": { enabled: true } },
  resultTypes: ["violations"],
  iframes: false,
})
"""


@cache
def source() -> str:
    """The script itself, out of the PyPI package that carries it."""
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def findings(page: Page) -> list[str]:
    """A line for each element that breaks a rule: the rule, where, and why."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(source())
    told: dict[str, Any] = page.evaluate(_RUN, list(TAGS))
    return [
        f"{rule['id']}: {' '.join(map(str, node['target']))}: {_why(node)}"
        for rule in told["violations"]
        for node in rule["nodes"]
    ]


def _why(node: dict[str, Any]) -> str:
    checks = [*node["any"], *node["all"], *node["none"]]
    return "; ".join(str(check["message"]) for check in checks)[:300]
