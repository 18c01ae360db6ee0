"""What the shop wrote stays in its own language, and says so to whoever reads another one (WCAG 3.1.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from portal import clock, mail
from portal.billing import letter_links, notices, settings
from portal.database import transaction
from portal.models import Plan
from portal.web import words
from portal.wording import russian, speaking
from tests.web.browser import Browser
from tests.web.shop import user_of
from tests.web.test_english import FACTS, in_english, opened, places
from tests.web.test_renewal import STATES as RENEWALS

RUSSIAN = re.compile("[А-Яа-яЁё]+")
#: Elements that have no end, and those whose text nobody speaks or that cannot hold markup.
VOID = {"br", "hr", "img", "input", "link", "meta", "rect", "path", "circle"}
UNSPOKEN = {"title", "style", "script"}
TITLE = "Про на год"


class Listener(HTMLParser):
    """Hears a page as a screen reader does: each piece of text with the language that is in force for it."""

    def __init__(self) -> None:
        super().__init__()
        self.inside: list[tuple[str, str]] = [("", "en")]
        self.foreign: list[str] = []
        self.marked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.inside.append((tag, dict(attrs).get("lang") or self.inside[-1][1]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Nothing is inside."""

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            while self.inside.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        tag, language = self.inside[-1]
        if tag not in UNSPOKEN and RUSSIAN.search(data):
            (self.foreign if language == "en" else self.marked).append(data.strip())


def heard(page: str) -> Listener:
    listener = Listener()
    listener.feed(page)
    listener.close()
    return listener


@pytest.fixture
def browser(app: Flask) -> Iterator[Browser]:
    """Somebody who chose English and registered, in a shop that calls everything by Russian names."""
    with app.app_context():
        with transaction() as session:
            session.execute(update(Plan).values(title=TITLE, description="Для больших баз"))
        settings.put("seller_name", "ООО «Тихая почта»", clock.now())
        settings.put("seller_address", "Москва, улица Правды, дом 8", clock.now())
    someone = Browser(app)
    someone.post("/language", page="/plans", to="en")
    someone.register()
    yield someone
    with app.app_context():
        settings.forget()


@pytest.mark.usefixtures("recurring")
def test_no_page_speaks_the_shops_words_as_english(app: Flask, browser: Browser) -> None:
    """On every page, with payments in every status and notices of every kind."""
    found = places(app)
    with app.app_context(), transaction() as session:
        for kind in words._WORDS:
            for n, facts in enumerate(FACTS):
                named = {**facts, "plan_title": TITLE, "old_title": TITLE}
                notices.announce(session, user_of().id, kind, f"{kind}:{n}", named, clock.now())
    wrong, seen = {}, set()
    for path in ("/dashboard/payments?format=print", *(path for paths in found.values() for path in paths)):
        visits = path in {"/login", "/register"}
        someone = Browser(app) if visits else browser
        if visits:
            someone.post("/language", page="/plans", to="en")
        page = opened(someone, f"{path}?next=/checkout/PRO_YEARLY" if visits else path)
        if "<html" in page:
            listener = heard(page)
            wrong[path] = listener.foreign
            seen.update(listener.marked)
    assert {path: words for path, words in wrong.items() if words} == {}
    assert {TITLE, "ООО «Тихая почта", "Москва, улица Правды, дом", "Для больших баз"} <= seen


@pytest.mark.usefixtures("recurring")
@pytest.mark.parametrize("state", RENEWALS)
def test_no_state_of_a_renewal_speaks_them_as_english(app: Flask, browser: Browser, state: str) -> None:
    """The pages before a button, with the agreement in its words."""
    with app.app_context():
        ira = in_english()
        RENEWALS[state][0](ira)
        letter = letter_links.of_renewal(ira.subscription.id, "")
        method = ira.method.id
    pages = ("/dashboard/", "/dashboard/renewal", "/dashboard/renewal/pay", "/dashboard/consents")
    pages += ("/dashboard/cancel", "/dashboard/plan", f"/dashboard/payment-methods/{method}/unlink")
    for path in (*pages, letter["stop_link"], letter["pay_link"]):
        assert heard(opened(browser, path)).foreign == [], path


@pytest.mark.parametrize("kind", sorted(words._WORDS))
def test_no_letter_speaks_them_as_english(context: Flask, kind: str) -> None:
    """The page of a letter marks them; its subject and text have no marks to give."""
    facts: dict[str, Any] = {**FACTS[0], "plan_title": TITLE, "old_title": TITLE, "renews_as": TITLE}
    letter = mail.compose(kind, facts, "en")

    listener = heard(letter.html)
    assert listener.foreign == []
    assert bool(listener.marked) >= (TITLE in letter.text)
    assert "<span" not in letter.subject + letter.text
    assert 'lang="ru"' not in mail.compose(kind, facts, "ru").html.replace('<html lang="ru">', "")


@pytest.mark.parametrize(
    ("said", "marked"),
    (
        ("Pro", "Pro"),
        ("Про на год", '<span lang="ru">Про на год</span>'),
        ("<b>Про</b> & co", '<span>&lt;b&gt;<span lang="ru">Про</span>&lt;/b&gt; &amp; co</span>'),
        ("“Про, на год” plan, SBP", '<span>“<span lang="ru">Про, на год</span>” plan, SBP</span>'),
        (None, ""),
    ),
)
def test_only_what_is_russian_is_marked(context: Flask, said: str | None, marked: str) -> None:
    """Runs of Russian words, escaped like everything; a sentence stays one piece; whoever reads Russian
    finds nothing new.
    """
    with speaking("en"):
        assert russian(said) == marked
    with speaking("ru"):
        assert russian(said) == (said or "")
