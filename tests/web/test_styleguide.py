"""The design system: its page, and that style sheet and pages know each other's words."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask

from config import Config
from portal import create_app
from tests.web.browser import Browser
from tests.web.shop import a_payment, a_period, user_of

ROOT = Path(__file__).resolve().parents[2]
SHEETS = sorted((ROOT / "static" / "css").glob("*.css"))
#: Templates, scripts, and the few places in Python that write markup; letters have styles of their own.
WRITERS = [
    *sorted(path for path in (ROOT / "templates").rglob("*.html") if "emails" not in path.parts),
    *sorted((ROOT / "static" / "js").glob("*.js")),
    *sorted((ROOT / "portal" / "admin").rglob("*.py")),
]
#: Says which card it is, to whoever looks for it.
HOOKS = {"renewal"}
#: Bytes of style sheets and scripts that a page may ask for.
HEAVIEST = 60_000


def styled(sheet: Path) -> set[str]:
    """Every class that a style sheet speaks of."""
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
    selectors = " ".join(re.findall(r"[^{}]+(?=\{)", text))
    return set(re.findall(r"\.([a-zA-Z][\w-]*)", selectors))


def attributes(path: Path) -> list[str]:
    """What stands in a file's class attributes; what a template computes there stands as ``*``."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(r'class="((?:[^"{]|\{\{.*?\}\}|\{%.*?%\}|\{)*)"', text, re.DOTALL)
    return [
        re.sub(r"\{\{.*?\}\}|\{\}", "*", re.sub(r"\{%.*?%\}", " ", one, flags=re.DOTALL)) for one in found
    ]


def worn(paths: list[Path]) -> set[str]:
    """Every class that a class attribute names, computed parts as ``*``."""
    return {word for path in paths for one in attributes(path) for word in one.split()}


def defined(path: Path) -> list[str]:
    """The macros that a file of templates defines."""
    return re.findall(r"{%-? macro (\w+)\(", path.read_text(encoding="utf-8"))


def imported() -> list[tuple[Path, str, str]]:
    """Every name that a template takes from a file of parts: who takes it, from where, and which."""
    return [
        (path, home, name)
        for path in (ROOT / "templates").rglob("*.html")
        for home, names in re.findall(
            r"{% from \"([^\"]+)\" import ([\w, ]+?)(?: with context)? %}", path.read_text(encoding="utf-8")
        )
        for name in names.split(", ")
    ]


def test_every_part_is_imported_from_where_it_is() -> None:
    """A name that a file does not define fails only when a page comes to it."""
    found = imported()
    assert len(found) > 200
    homes = {home: defined(ROOT / "templates" / home) for _path, home, _name in found}
    assert [one for one in found if one[2].partition(" as ")[0] not in homes[one[1]]] == []


def test_every_part_that_is_imported_is_used() -> None:
    """A name that was left behind sends the next reader looking for it."""
    left = [
        (str(path.relative_to(ROOT)), name)
        for path, _home, name in imported()
        if len(re.findall(rf"\b{name.rpartition(' as ')[2]}\b", path.read_text(encoding="utf-8"))) < 2
    ]
    assert left == []


def test_every_class_of_the_style_sheets_is_used() -> None:
    """A rule that no page, script or macro asks for is dead weight for every visitor."""
    words = set(re.findall(r"[\w-]+", "\n".join(path.read_text(encoding="utf-8") for path in WRITERS)))
    computed = [
        re.compile(re.escape(one).replace(r"\*", r"[\w-]+"))
        for one in worn(WRITERS)
        if "*" in one and one != "*"
    ]

    known = {name for sheet in SHEETS for name in styled(sheet)}
    assert len(known) > 100
    unused = {name for name in known - words if not any(pattern.fullmatch(name) for pattern in computed)}
    assert unused == set()


def test_every_class_of_the_shop_s_pages_is_styled() -> None:
    """A class without a rule is a slip of the pen, or a part that lost its looks. A block whose parts have
    the rules needs none itself.
    """
    known = {name for sheet in SHEETS for name in styled(sheet)}
    blocks = {re.split("__|--", name)[0] for name in known}
    plain = {
        name for name in worn([path for path in WRITERS if "admin" not in path.parts]) if "*" not in name
    }

    assert len(plain) > 100
    assert plain - known - blocks - HOOKS == set()


def test_every_part_is_shown_in_both_schemes(app: Flask) -> None:
    """The page has every macro's call and no id twice."""
    page = Browser(app).get("/styleguide")

    assert page.status_code == 200
    ids = re.findall(r'\bid="([^"]+)"', page.text)
    assert sorted(ids) == sorted(set(ids))
    macros = [name for path in (ROOT / "templates").glob("_*.html") for name in defined(path)]
    assert len(macros) > 20
    inner = {"flashes", "errors"}  # made by others: messages of the last request, a field's own errors
    parts = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "templates" / "styleguide").rglob("*.html")
    )
    assert {name for name in macros if f"{name}(" not in parts} <= inner


def test_both_schemes_have_every_token(app: Flask) -> None:
    """The dark scheme changes colours and forgets none; its shadows are none."""
    css = Browser(app).get("/styleguide/schemes.css")

    light, dark = css.text.split(".scheme--dark")
    colours = set(re.findall(r"(--[\w-]+): (?:#|rgb)", light))
    assert css.mimetype == "text/css"
    assert len(colours) > 15
    assert colours <= set(re.findall(r"(--[\w-]+):", dark))


def test_production_has_no_styleguide(portal_config: Config) -> None:
    """Without the sandbox the address is not there."""
    built = create_app(replace(portal_config, sandbox=False))

    assert not [rule.rule for rule in built.url_map.iter_rules() if "styleguide" in rule.rule]


def luminance(colour: str) -> float:
    """How bright a colour is: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    plain = colour.lstrip("#")
    full = plain if len(plain) == 6 else "".join(one * 2 for one in plain)
    parts = [int(full[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """How far two colours are apart, from 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


#: What is read on what; then what only has to be seen.
READ = (
    *(
        (ink, ground)
        for ink in ("ink", "muted", "accent", "bad")
        for ground in ("ground", "surface", "sunken")
    ),
    *((ink, f"{ink}-tint") for ink in ("good", "wait", "bad")),
    *(("ink", tint) for tint in ("good-tint", "wait-tint", "bad-tint", "raised")),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-tint", "tint"),
    ("good", "raised"),
    ("good", "sunken"),
)
SEEN = tuple((what, ground) for what in ("line-strong", "focus") for ground in ("ground", "surface"))


@pytest.mark.parametrize("scheme", ("light", "dark"))
def test_colours_are_far_enough_apart(app: Flask, scheme: str) -> None:
    """WCAG AA for every pair that the parts put together: 4.5 for words, 3 for edges and the focus."""
    light, dark = Browser(app).get("/styleguide/schemes.css").text.split(".scheme--dark")
    colours = dict(re.findall(r"--([\w-]+): (#\w+);", light if scheme == "light" else dark))
    too_near = {
        pair: round(contrast(*(colours[name] for name in pair)), 2)
        for pairs, enough in ((READ, 4.5), (SEEN, 3))
        for pair in pairs
        if contrast(*(colours[name] for name in pair)) < enough
    }
    assert too_near == {}


def test_who_asked_for_less_motion_sees_less() -> None:
    """Whatever moves in any style sheet is stilled or slowed by the one that every page has."""
    css = "\n".join(path.read_text(encoding="utf-8") for path in SHEETS)
    common = (ROOT / "static" / "css" / "portal.css").read_text(encoding="utf-8")
    quiet = re.search(
        r"@media \(prefers-reduced-motion: reduce\) \{\n  \*,.*?^\}", common, re.MULTILINE | re.DOTALL
    )

    assert re.search(r"\btransition: \d|\banimation: \w", css)
    assert quiet
    assert "transition: none !important" in quiet[0]
    assert re.search(r"animation-duration: [3-9]s !important|animation: none !important", quiet[0])
    assert "smooth" not in css


class Weigher(HTMLParser):
    """Collects the style sheets and scripts that a page asks for."""

    def __init__(self) -> None:
        """Begin with nothing found."""
        super().__init__()
        self.asked: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "script" and found.get("src"):
            self.asked.add(str(found["src"]))
        if tag == "link" and found.get("rel") == "stylesheet":
            self.asked.add(str(found["href"]))


@pytest.mark.parametrize(
    "path", ("/", "/plans", "/login", "/checkout/PRO_MONTHLY", "/dashboard/", "/dashboard/payments", "RETURN")
)
def test_a_page_is_light(app: Flask, path: str) -> None:
    """Style sheets and scripts of a page together, as they lie on the disk: no compression is counted on."""
    browser = Browser(app)
    if path != "/login":
        browser.register()
        with app.app_context():
            paid = a_payment(user_of(), status="succeeded")
            a_period(user_of(), paid, paid.created_at)
            waits = a_payment(user_of(), "START_MONTHLY", "unknown", "yookassa").transaction_id
            path = path.replace("RETURN", f"/billing/payment/{waits}/return")
    weigher = Weigher()
    weigher.feed(browser.get(path).text)

    sizes = {url: (ROOT / url.partition("?")[0].lstrip("/")).stat().st_size for url in weigher.asked}
    assert sizes
    assert sum(sizes.values()) < HEAVIEST, sizes
