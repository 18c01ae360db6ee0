"""Closing one's account, as a person with a browser meets it."""

from __future__ import annotations

import html
import re
from datetime import timedelta

from flask import Flask
from sqlalchemy import select

from portal import clock
from portal.billing import settings
from portal.database import db, transaction
from portal.models import Refund, Role, User
from portal.web.filters import NBSP
from tests.web.accounts.outbox import letter_kinds
from tests.web.browser import PASSWORD, Browser
from tests.web.shop import a_payment, a_period, user_of

PAGE = "/account/close"


def a_plan(app: Flask, age: timedelta) -> None:
    """A plan bought so long ago, in a shop that gives everything back for two weeks."""
    with app.app_context():
        settings.put("refund_policy", "full", clock.now())
        payment = a_payment(user_of(), "PRO_MONTHLY", "succeeded", paid_at=clock.now() - age)
        a_period(user_of(), payment, clock.now() - age, 0)


def words(browser: Browser) -> str:
    answer = browser.get(PAGE)
    assert answer.status_code == 200
    main = answer.text.split("<main", 1)[1].split("</main>", 1)[0]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", main)).replace(NBSP, " "))


def refunds(app: Flask) -> list[str]:
    with app.app_context():
        return [str(amount) for amount in db.session.scalars(select(Refund.amount))]


def test_the_page_tells_and_the_click_does(app: Flask, browser: Browser) -> None:
    """The sum, what stays, how to take one's data along; then out, everywhere, for good."""
    browser.register()
    a_plan(app, timedelta(days=1))
    other = Browser(app)
    other.sign_in()
    assert f'href="{PAGE}"' in browser.get("/account/").text
    said = words(browser)
    assert "Закрыть и вернуть 990 ₽" in said
    assert "Что вернём" in said
    assert "не меньше пяти лет" in said
    for path in ("/dashboard/payments?format=csv", "/dashboard/payments?format=print", "/dashboard/consents"):
        assert f'href="{path}"' in browser.get(PAGE).text

    answer = browser.post(PAGE, current=PASSWORD)

    assert (answer.status_code, answer.location) == (303, "/login")
    assert "Аккаунт закрыт" in browser.get("/login").text
    assert (browser.is_in(), other.is_in()) == (False, False)
    refused = browser.sign_in()
    assert refused.status_code == 401
    assert "Неверная почта или пароль" in refused.text
    assert refunds(app) == ["990.00"]
    assert letter_kinds(app) == ["confirm_email", "account_closed"]


def test_outside_the_window_it_says_so(app: Flask, browser: Browser) -> None:
    """Nothing goes back, which is said once, and so is what could be done instead."""
    browser.register()
    a_plan(app, timedelta(days=20))
    said = words(browser)
    assert "Деньги не вернутся" in said
    assert "Что вернём" not in said
    assert "тариф сам закончится" in said

    browser.post(PAGE, current=PASSWORD)

    assert refunds(app) == []


def test_only_its_owner_closes_it(app: Flask, browser: Browser) -> None:
    """Not a visitor, not without the form, not without the password; guesses are limited."""
    assert browser.get(PAGE).location == f"/login?next={PAGE}"
    browser.register()
    assert browser.send(PAGE, data={"current": PASSWORD}).status_code == 400
    assert "Введите пароль" in browser.post(PAGE, current="").text
    codes = [browser.post(PAGE, current="a wrong guess").status_code for _ in range(6)]
    assert codes == [400] * 5 + [429]
    assert browser.is_in()


def test_a_second_click_finds_nothing_to_do(app: Flask, browser: Browser) -> None:
    """It was sent before the first was answered: one refund, one letter, and the way to the sign-in."""
    browser.register()
    a_plan(app, timedelta(days=1))
    form = {"csrf_token": browser.token(PAGE), "current": PASSWORD}
    kept = dict(browser.client._cookies)
    assert browser.send(PAGE, data=form).location == "/login"

    browser.client._cookies.update(kept)
    again = browser.send(PAGE, data=form)

    assert again.status_code == 303
    assert again.location.startswith("/login")
    assert refunds(app) == ["990.00"]
    assert letter_kinds(app).count("account_closed") == 1


def test_staff_are_told_what_comes_first(app: Flask, browser: Browser) -> None:
    """No way there from the account page, and none by its address."""
    browser.register()
    with app.app_context(), transaction() as session:
        session.scalars(select(User)).one().role = Role.SUPPORT
    assert PAGE not in browser.get("/account/").text
    refused = browser.get(PAGE)
    assert refused.status_code == 403
    assert "снимет роль" in refused.text
