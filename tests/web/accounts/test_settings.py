"""One's own account: the password, the letter, the browsers that are signed in."""

from __future__ import annotations

import re

from flask import Flask
from sqlalchemy import select

from portal.accounts import sessions
from portal.accounts.wall_clock import wall_now
from portal.database import db
from portal.models import LinkPurpose, User, UserSession
from tests.web.accounts.outbox import letter_kinds, link_path
from tests.web.browser import PASSWORD, Browser

NEW = "four loud herons"


def test_a_password_is_changed_with_the_present_one(app: Flask, browser: Browser) -> None:
    """Only who knows the present password sets a new one; this browser stays, the others are out."""
    browser.register()
    other = Browser(app)
    other.sign_in()

    refused = browser.post("/account/password", page="/account/", current="a wrong guess", password=NEW)
    assert refused.status_code == 400
    assert "не ваш нынешний" in refused.text
    weak = browser.post("/account/password", page="/account/", current=PASSWORD, password="password1")
    assert weak.status_code == 400
    done = browser.post("/account/password", page="/account/", current=PASSWORD, password=NEW)

    assert (done.status_code, done.location) == (303, "/account/")
    assert browser.is_in()
    assert not other.is_in()
    assert Browser(app).sign_in(password=NEW).status_code == 303
    assert letter_kinds(app)[-1] == "password_changed"


def test_what_is_missing_is_told_in_the_order_of_the_fields(browser: Browser) -> None:
    """Each by its own name, above the form as in it: the present password, then the new one."""
    browser.register()

    page = browser.post("/account/password", page="/account/").text

    said = re.findall(r'<a href="#(\w+)">([^<]+)</a>', page)
    assert said == [("current", "Введите нынешний пароль."), ("password", "Введите новый пароль.")]


def test_guessing_the_present_password_is_limited(browser: Browser) -> None:
    """A stranger at an open browser has five guesses as well."""
    browser.register()

    codes = [
        browser.post("/account/password", page="/account/", current="a wrong guess", password=NEW).status_code
        for _ in range(6)
    ]

    assert codes == [400] * 5 + [429]


def test_the_confirmation_letter_can_be_asked_for_again(app: Flask, browser: Browser) -> None:
    """Five letters an hour, then 429; each has a link that works."""
    browser.register()

    codes = [browser.post("/account/confirmation", page="/account/").status_code for _ in range(6)]

    assert codes == [303] * 5 + [429]
    assert letter_kinds(app) == ["confirm_email"] * 6
    assert browser.post(link_path(app, LinkPurpose.CONFIRM_EMAIL)).status_code == 303


def test_other_browsers_are_listed_and_ended(app: Flask, browser: Browser) -> None:
    """The account page names the browsers in the owner's words; each, or all others, can be signed out from
    here.
    """
    browser.register()
    phone = Browser(app, agent="Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) Version/19.0 Mobile Safari/604.1")
    laptop = Browser(app, agent="Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 YaBrowser/25.8 Safari/537.36")
    phone.sign_in()
    laptop.sign_in()
    page = browser.get("/account/").text
    assert all(name in page for name in ("Firefox, Linux", "Safari, iPhone", "Яндекс Браузер, Windows"))
    assert page.count("Это устройство") == 1
    with app.app_context():
        of_phone = db.session.scalars(
            select(UserSession.id).where(UserSession.user_agent.contains("iPhone"))
        ).one()

    assert browser.post(f"/account/sessions/{of_phone}/end", page="/account/").status_code == 303
    assert [phone.is_in(), laptop.is_in(), browser.is_in()] == [False, True, True]
    assert browser.post("/account/sessions/end-others", page="/account/").status_code == 303
    assert [laptop.is_in(), browser.is_in()] == [False, True]


def test_many_browsers_are_folded_away(app: Flask, browser: Browser) -> None:
    """This one and the last three are in sight, the others at one click; what is one's own can be had."""
    browser.register()
    for _ in range(5):
        Browser(app).sign_in()
    page = browser.get("/account/").text
    in_sight, _, folded = page.partition("Показать остальные")
    ended = re.compile(r'action="/account/sessions/\d+/end"')
    assert (len(ended.findall(in_sight)), len(ended.findall(folded))) == (3, 2)
    assert "Это устройство" in in_sight
    for path in ("/dashboard/payments?format=csv", "/dashboard/payments?format=print", "/dashboard/consents"):
        assert f'href="{path}"' in page
        assert browser.get(path).status_code == 200


def test_a_strangers_session_is_not_there(app: Flask, browser: Browser) -> None:
    """Ending another customer's session answers like ending one that does not exist."""
    browser.register()
    stranger = Browser(app)
    stranger.register("olya@example.com")
    with app.app_context():
        mine = sessions.of(
            db.session.scalars(select(User.id).where(User.email == "ira@example.com")).one(), wall_now()
        )

    answers = [
        stranger.post(f"/account/sessions/{number}/end", page="/account/")
        for number in (mine[0].id, 999_999_999, 10**30)
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert browser.is_in()
