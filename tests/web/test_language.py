"""Russian first; English for whoever asked for it, on pages, in letters and in the JSON API."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask_wtf import FlaskForm
from sqlalchemy import select
from wtforms import StringField
from wtforms.validators import DataRequired

from portal import clock
from portal.billing import notices
from portal.database import db, transaction
from portal.models import Consent, Notification, Payment, User
from portal.web import reader
from tests.web.browser import Browser
from tests.web.shop import user_of

ENGLISH = {"Accept-Language": "en-US,en;q=0.9"}


def tongue(page: str) -> str:
    """What the page says of its own language."""
    found = re.search(r'<html lang="([a-z]+)"', page)
    assert found
    return found[1]


def switch(browser: Browser, to: str, **fields: str) -> None:
    """Press the switch under the page of the tariffs."""
    assert browser.post("/language", page="/plans", to=to, **fields).status_code == 303


def test_an_english_browser_sees_russian(app: Flask) -> None:
    """What a browser accepts is not what its owner chose."""
    page = Browser(app).get("/plans", headers=ENGLISH)

    assert tongue(page.text) == page.headers["Content-Language"] == "ru"
    assert "Cookie" in page.headers["Vary"]
    assert "Тарифы" in page.text


def test_the_switch_turns_pages_to_english_and_back(app: Flask) -> None:
    """It stands under every page, in the language that it leads to, and leads back to the page."""
    browser = Browser(app)
    page = browser.get("/login?next=/account/").text
    assert re.search(r'value="en" lang="en">English<', page)
    assert 'name="next" value="/login?next=/account/"' in page

    answer = browser.post("/language", page="/login", to="en", next="/login?next=/account/")
    assert answer.location == "/login?next=/account/"
    page = browser.get("/login").text
    assert tongue(page) == "en"
    assert re.search(r'value="ru" lang="ru">Русский<', page)

    switch(browser, "ru")
    assert tongue(browser.get("/login").text) == "ru"


@pytest.mark.parametrize("elsewhere", ("https://evil.example/", "//evil.example", "/\\evil.example", ""))
def test_the_switch_leads_nowhere_else(app: Flask, elsewhere: str) -> None:
    """Only a path of ours is led back to."""
    assert Browser(app).post("/language", page="/plans", to="en", next=elsewhere).location == "/"


def test_the_switch_asks_whose_form_it_is(app: Flask) -> None:
    """It changes something, so it carries a token; and there are two languages."""
    browser = Browser(app)
    assert browser.send("/language", data={"to": "en"}).status_code == 400
    assert browser.post("/language", page="/plans", to="de").status_code == 400
    assert tongue(browser.get("/plans").text) == "ru"


def test_a_page_that_answered_a_form_is_led_back_to_where_it_can_be_opened(app: Flask) -> None:
    """A POST cannot be repeated by a link."""
    page = Browser(app).post("/login", email="nobody@example.com", password="nothing at all").text

    assert 'name="next" value="/login"' in page


def test_the_account_learns_the_choice(app: Flask) -> None:
    """Whoever registers in English is written to in English, and the switch tells the account at once."""
    browser = Browser(app)
    switch(browser, "en")
    browser.register()
    with app.app_context():
        assert user_of().language == "en"

    switch(browser, "ru")
    with app.app_context():
        assert user_of().language == "ru"


def test_another_browser_of_the_account_reads_the_account_s_language(app: Flask) -> None:
    """Where nothing was chosen yet the account knows; what was chosen before signing in counts more."""
    first = Browser(app)
    switch(first, "en")
    first.register()
    first.post("/logout", page="/plans")
    assert tongue(first.get("/plans").text) == "en"

    second = Browser(app)
    second.sign_in()
    assert tongue(second.get("/dashboard/").text) == "en"

    third = Browser(app)
    switch(third, "ru")
    third.sign_in()
    assert tongue(third.get("/dashboard/").text) == "ru"
    with app.app_context():
        assert user_of().language == "ru"


def test_the_evidence_of_an_agreement_is_what_was_read(app: Flask, recurring: None) -> None:
    """The words on the page, in its language, though the switch was pressed in another tab meanwhile."""
    browser = Browser(app)
    switch(browser, "en")
    browser.register()
    shown = browser.get("/checkout/PRO_MONTHLY").text
    page = html.unescape(re.sub(r"</?span[^>]*>", "", shown))  # the plan's name is marked as Russian
    words = re.search(r"I agree to automatic renewal of the [^<]*", page)
    where = re.search(r'action="(/checkout/PRO_MONTHLY[^"]*)"', page)
    assert words
    assert where

    switch(browser, "ru")
    fields = {"gateway": "cloudpayments", "accept_offer": "y", "accept_recurring": "y"}
    assert browser.post(where[1], page="/plans", **fields).status_code == 303

    with app.app_context():
        kept = db.session.scalars(select(Consent)).one()
        payment = db.session.scalars(select(Payment)).one()
    assert kept.text == words[0].strip()
    assert kept.text_version.endswith("-en")
    assert payment.description == "“Про” plan, 30\N{NO-BREAK SPACE}days"


def test_the_widget_speaks_the_page_s_language(app: Flask) -> None:
    """The form of the gateway opens on top of our page."""
    browser = Browser(app)
    switch(browser, "en")
    browser.register()
    order = browser.post(
        "/checkout/PRO_MONTHLY", page="/plans", gateway="cloudpayments", accept_offer="y"
    ).location
    assert '"culture": "en-US"' in browser.get(order).text
    switch(browser, "ru")
    assert '"culture": "ru-RU"' in browser.get(order).text


def test_forms_say_what_is_wrong_in_the_reader_s_language(app: Flask) -> None:
    """Our own sentences and WTForms' alike."""
    for tongue_, ours, theirs in (
        ("ru", "Укажите почту.", "Обязательное поле."),
        ("en", "Please enter your email address.", "This field is required."),
    ):
        browser = Browser(app)
        switch(browser, tongue_)
        assert ours in browser.post("/login", email="", password="").text
        with app.test_request_context("/plans", headers={"Cookie": f"language={tongue_}"}):

            class Form(FlaskForm):
                what = StringField(validators=[DataRequired()])

            form = Form(meta={"csrf": False})
            form.validate()
            assert form.what.errors == [theirs]


def test_the_desk_stays_russian(app: Flask) -> None:
    """Its words are the shop's own people's."""
    with app.test_request_context("/admin/", headers={"Cookie": "language=en"}):
        assert reader.choose_locale() == "ru"
    with app.test_request_context("/plans", headers={"Cookie": "language=en"}):
        assert reader.choose_locale() == "en"


def test_a_letter_is_written_in_its_reader_s_language(app: Flask) -> None:
    """At the moment when it is sent, whoever causes it."""
    browser = Browser(app)
    browser.register()
    now = clock.now()
    with app.app_context():
        with transaction() as session:
            notices.post(session, user_of().id, "password_changed", "a", {"at": now.isoformat()}, now)
        letter = db.session.scalars(select(Notification).where(Notification.kind == "password_changed")).one()
        assert notices._compose(letter, user_of()).subject == "Пароль изменён"

        db.session.get_one(User, user_of().id).language = "en"
        told = notices._compose(letter, user_of())
    assert told.subject == "Your password has been changed"
    assert tongue(told.html) == "en"


def test_the_api_speaks_the_session_s_language(app: Flask) -> None:
    """Russian by default, whatever the program accepts."""
    browser = Browser(app)
    browser.register()
    path = "/billing/api/yookassa/transaction_status/?transaction_id=none"

    russian = browser.get(path, headers=ENGLISH).get_json()["error"]
    switch(browser, "en")
    english = browser.get(path).get_json()["error"]

    assert russian["code"] == english["code"] == "NOT_FOUND"
    assert russian["message"] == "Такого платежа нет."
    assert english["message"] == "There is no such payment."


def test_dates_and_sums_follow_the_language(app: Flask) -> None:
    """British order of the day, Moscow's clock by its name, the currency where the language puts it."""
    from portal import written

    there = datetime(2026, 12, 22, 11, 5, tzinfo=UTC)
    with app.test_request_context("/plans", headers={"Cookie": "language=en"}):
        said = (
            written.moment(there),
            written.money("1990.00"),
            written.money("1990.50"),
            written.number(50_000),
        )
        counts = [written.days(value) for value in (1, 2, 5, 11, 21, 111)]
    plain = [text.replace("\N{NO-BREAK SPACE}", " ") for text in said]
    assert plain == ["22 December 2026, 14:05 MSK", "₽1,990", "₽1,990.50", "50,000"]
    assert [text.replace("\N{NO-BREAK SPACE}", " ") for text in counts] == [
        "1 day",
        "2 days",
        "5 days",
        "11 days",
        "21 days",
        "111 days",
    ]
