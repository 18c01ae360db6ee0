"""Every letter with sample facts: both forms say the same, for every mail program; and their preview."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from config import Config
from portal import create_app, mail
from portal.database import db
from portal.mail import Letter
from portal.web.letter_samples import COMMON, SAMPLES
from tests.web.browser import Browser

EMAILS = Path(__file__).parents[2] / "templates" / "emails"
EVERY = [(kind, which) for kind, ways in SAMPLES.items() for which in ways]
#: What a letter must not leave out of one of its forms: sums, days, cards, numbers of payments.
FACTS = re.compile(
    r"\d[\d ]*(?:,\d\d)? ₽|\d{1,2} [а-я]+ 20\d\d|\d\d:\d\d МСК|•• \d{4}|[0-9a-f]{8}-[0-9a-f-]{27}"
)
LINK = re.compile(r"https?://[^\s\"<>]+[^\s\"<>.,:]")
SHOP = str(COMMON["base_url"])


def written(app: Flask, kind: str, which: str, tongue: str = "ru") -> Letter:
    """The letter as it is sent; a fact that its templates ask for and nobody gives is an error."""
    with app.test_request_context():
        return mail.compose(kind, {**COMMON, **SAMPLES[kind][which]}, tongue)


def plain(text: str) -> str:
    """Words of a page or a text, with ordinary spaces."""
    text = re.sub(r"<style>.*?</style>|<!--.*?-->", " ", text, flags=re.DOTALL)
    return re.sub(r"[\s\N{NO-BREAK SPACE}]+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))


def test_there_is_a_sample_of_every_letter() -> None:
    """Whoever writes a new kind of letter shows it in the preview."""
    assert set(SAMPLES) == {path.stem for path in EMAILS.glob("*.txt")} - {"base"}


@pytest.mark.parametrize(("kind", "which"), EVERY)
@pytest.mark.parametrize("tongue", ("ru", "en"))
def test_a_letter_is_whole(app: Flask, kind: str, which: str, tongue: str) -> None:
    """A subject of one line, no leftover of a template, one button with its link as text, absolute links, no
    picture, the reader's language and the reason for the letter in both forms.
    """
    letter = written(app, kind, which, tongue)
    assert 5 < len(letter.subject) < 120
    assert "\n" not in letter.subject
    for form in (letter.subject, letter.text, letter.html):
        assert not re.search(r"\{[{%]|[%}]\}|%\(|None|Undefined", form), form
    assert f'<html lang="{tongue}">' in letter.html
    links = [html.unescape(one) for one in re.findall(r'href="([^"]*)"', letter.html)]
    assert links
    assert all(one.startswith((SHOP, "mailto:", "tel:")) for one in links), links
    (button,) = re.findall(r'class="button-link"\s+href="([^"]+)"', letter.html)
    assert f">{button}</a>" in letter.html
    assert set(LINK.findall(letter.text)) >= set(links)
    assert "<img" not in letter.html
    assert "\n\n\n" not in letter.text
    named = "irina@example.org" if kind == "change_email" else "ira@example.com"
    assert named in letter.text
    assert named in plain(letter.html)


@pytest.mark.parametrize(("kind", "which"), EVERY)
def test_both_forms_say_the_same(app: Flask, kind: str, which: str) -> None:
    """The same sums, days, cards and numbers in the text, its subject with it, as on the page."""
    letter = written(app, kind, which)
    text = set(FACTS.findall(plain(f"{letter.subject} {letter.text}")))
    page = set(FACTS.findall(plain(letter.html)))
    assert text == page


@pytest.mark.parametrize(("kind", "which"), EVERY)
def test_no_element_is_left_to_the_style_sheet(app: Flask, kind: str, which: str) -> None:
    """Programs that strip it show the same: whatever has words has its colour inline."""
    page = re.sub(r"<style>.*?</style>", "", written(app, kind, which).html, flags=re.DOTALL)
    assert not re.search(r"<(?:p|h1|table)>|<a (?!class=\"(?:accent|button-link)\")|<tr>\s*<td>", page)
    for tag in re.findall(r"<(?:p|h1|th|a)\s[^>]*>", page):
        assert "color:" in tag, tag


@pytest.mark.parametrize("kind", ("account_closed", "plan_canceled"))
def test_money_that_went_back_before_is_called_so(app: Flask, kind: str) -> None:
    """Nobody reads that there is no refund who has it already; where one plan of several is meant, which it
    is cannot be said in a word.
    """
    sample = SAMPLES[kind]["all went back before"]
    with app.test_request_context():
        alone = mail.compose(kind, {**COMMON, **sample})
        several = mail.compose(kind, {**COMMON, **sample, "plan_titles": ["Старт", "Про"]})
    for form in (plain(alone.text), plain(alone.html)):
        assert "Деньги за него вам уже вернули или возвращают." in form
        assert "Возврата не будет" not in form
    for form in (plain(several.text), plain(several.html)):
        assert "за него" not in form
        assert "Возврата не будет" in form


def test_the_foot_names_the_seller(app: Flask) -> None:
    """Whom the reader can ask stands in both forms."""
    from datetime import UTC, datetime

    from portal.billing import settings

    with app.app_context():
        for name, value in (("seller_name", "ООО «Ромашка» & Ко"), ("seller_phone", "+7 495 000-00-00")):
            settings.put(name, value, datetime(2026, 1, 1, tzinfo=UTC))
    letter = written(app, "renewed", "")
    assert "ООО «Ромашка» & Ко\n" in letter.text
    assert "ООО «Ромашка» & Ко" in plain(letter.html)
    assert "+7 495 000-00-00" in letter.text
    with app.app_context():
        settings.forget()


def test_the_preview_shows_every_letter(app: Flask) -> None:
    """By its subject; its page in three looks, its text, in both languages."""
    browser = Browser(app)
    page = html.unescape(browser.get("/styleguide/mail").text)
    for kind, which in EVERY:
        assert written(app, kind, which).subject in page
    shown = browser.get("/styleguide/mail/renewal_failed?which=given up&lang=en")
    assert shown.status_code == 200
    assert "frame-src 'self'" in shown.headers["Content-Security-Policy"]
    assert re.findall(r'src="/styleguide/mail/renewal_failed/(\w+)\?', shown.text) == [
        "light",
        "dark",
        "inverted",
    ]
    assert written(app, "renewal_failed", "given up", "en").text[:40] in html.unescape(shown.text)


def test_a_frame_holds_the_letter_and_nothing_else(app: Flask) -> None:
    """It may be framed by us, styled by itself, and runs nothing; the dark is what its style sheet says."""
    browser = Browser(app)
    looks = {look: browser.get(f"/styleguide/mail/renewed/{look}") for look in ("light", "dark", "inverted")}
    for answer in looks.values():
        assert answer.status_code == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "@media all" in looks["dark"].text
    assert "@media not all" in looks["light"].text
    assert "invert(1)" in looks["inverted"].text
    assert "prefers-color-scheme" not in "".join(answer.text for answer in looks.values())


@pytest.mark.parametrize("path", ("nothing", "base", "renewed?which=nothing", "renewed/x", "base/dark"))
def test_there_is_no_other_letter(app: Flask, path: str) -> None:
    """What is not in the samples is not there."""
    assert Browser(app).get(f"/styleguide/mail/{path}").status_code == 404


def test_production_has_no_preview(portal_config: Config) -> None:
    """Without the sandbox the addresses are not there."""
    built = create_app(replace(portal_config, sandbox=False))
    try:
        assert built.test_client().get("/styleguide/mail").status_code == 404
        assert built.test_client().get("/styleguide/mail/renewed").status_code == 404
    finally:
        with built.app_context():
            db.engine.dispose()
