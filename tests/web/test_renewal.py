"""The pages of a renewal: off and on, overdue and paid, by sign-in and by the link of a letter."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from portal import clock, written
from portal.billing import agreements, letter_links, settings
from portal.database import db, transaction
from portal.models import Payment, PaymentPurpose, User
from portal.web.filters import NBSP
from tests.billing.subscribers import DAY, Subscriber, a_subscriber
from tests.web.browser import Browser
from tests.web.shop import user_of

RENEWAL, PAY, CONSENTS = "/dashboard/renewal", "/dashboard/renewal/pay", "/dashboard/consents"


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Somebody registered and signed in."""
    someone = Browser(app)
    someone.register()
    return someone


def text(browser: Browser, path: str = "/dashboard/") -> str:
    """A page with ordinary spaces and without entities."""
    page = html.unescape(browser.get(path).text).replace(NBSP, " ")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def subscriber(app: Flask, days_ago: float = 0, **words: object) -> Subscriber:
    """The registered customer, who bought so many days ago."""
    return a_subscriber(clock.now() - days_ago * DAY, user=user_of(), **words)  # type: ignore[arg-type]  # as named


def links(ira: Subscriber) -> dict[str, str]:
    """The links of a letter, as paths."""
    return letter_links.of_renewal(ira.subscription.id, "")


def overdue(ira: Subscriber, code: str = "5051") -> None:
    """The card was refused some hours ago."""
    ira.past_due(clock.now() - DAY / 4, code)


def held(ira: Subscriber) -> None:
    with transaction():
        ira.subscription.held_since = clock.now()


def stopped(ira: Subscriber) -> None:
    with transaction():
        ira.method.stopped_at = clock.now()


def runs_out(ira: Subscriber) -> None:
    due = ira.subscription.charge_due_at
    assert due
    before = due.replace(day=1) - DAY
    with transaction():
        ira.method.expiry_year, ira.method.expiry_month = before.year, before.month
        if before < clock.now():
            ira.subscription.charge_due_at = due + 40 * DAY
            ira.method.expiry_year, ira.method.expiry_month = due.year, due.month


def ran_out(ira: Subscriber) -> None:
    with transaction():
        ira.method.expiry_year, ira.method.expiry_month = 2020, 1


STATES: dict[str, tuple[Callable[[Subscriber], object], tuple[str, ...]]] = {
    "coming": (lambda _: None, ("Следующее списание 990 ₽", "попробуем ещё", "Отключить продление")),
    "off": (
        lambda ira: agreements.stop(ira.user.id, clock.now()),
        ("Продление выключено", "Включить продление"),
    ),
    "held": (held, ("не смогли предупредить вас письмом, поэтому не списываем",)),
    "overdue": (overdue, ("Не удалось списать 990 ₽", "не хватило денег", "Попробуем ещё раз", "Оплатить")),
    "given up": (lambda ira: overdue(ira, "5082"), ("Сами больше пробовать не будем", "Оплатить сейчас")),
    "under way": (lambda ira: ira.charge(clock.now()), ("Ждём ответа банка",)),
    "no method": (stopped, ("Списать не с чего", "Добавить способ оплаты")),
    "card too old": (runs_out, ("Карта закончится раньше", "Следующее списание 990 ₽")),
    "card past its month": (ran_out, ("Карта закончится раньше", "банк может отказать", "990 ₽")),
    "paused": (
        lambda _: settings.put("auto_renewal_enabled", "false", clock.now()),
        ("Магазин приостановил автоматические списания",),
    ),
}


def test_the_page_of_the_paid_order_says_what_is_charged_next(app: Flask, browser: Browser) -> None:
    """Whoever agreed to renewals reads the day and the sum there; else nothing follows."""
    with app.app_context():
        ira = subscriber(app, 3)
        order = f"/billing/payment/{db.session.scalars(select(Payment.transaction_id)).one()}/return"
        due = ira.subscription.charge_due_at
        assert due
        says = f"Следующее списание {written.day(due)}, 990 ₽".replace(NBSP, " ")
    assert says in text(browser, order)
    with app.app_context():
        agreements.stop(ira.user.id, clock.now())
    assert "Следующее списание" not in text(browser, order)


@pytest.mark.parametrize("state", STATES)
def test_the_dashboard_says_what_comes_next(app: Flask, browser: Browser, state: str) -> None:
    """Each state of a renewal in words, with what the customer can do."""
    bring_about, words = STATES[state]
    with app.app_context():
        ira = subscriber(app, 28 if state in {"overdue", "given up"} else 3)
        bring_about(ira)
    page = text(browser)
    for said in words:
        assert said in page, page
    with app.app_context():
        settings.forget()


def test_renewal_is_switched_off_and_on_by_what_the_pages_say(app: Flask, browser: Browser) -> None:
    """Sum and day before each click; then the dashboard says it, and the agreements are kept as evidence."""
    with app.app_context():
        subscriber(app)
    page = text(browser, RENEWAL)
    assert "Отключить продление?" in page
    assert "990 ₽ не спишутся" in page
    assert browser.post(RENEWAL, action="stop").location == "/dashboard/"
    assert "Продление выключено" in text(browser)

    page = text(browser, RENEWAL)
    assert "Согласен, включить" in page
    assert "первое списание" in page
    assert "Visa •• 4242" in page
    assert browser.post(RENEWAL, action="resume").location == "/dashboard/"
    assert "Следующее списание 990 ₽" in text(browser)

    evidence = browser.get(f"{CONSENTS}?format=json").get_json()["agreements"]
    assert [one["withdrawn_because"] for one in evidence] == [None, "stopped"]
    assert evidence[0]["address"] == "198.51.100.7"
    page = text(browser, CONSENTS)
    assert page.count("Согласен на автоматическое продление") == 2
    assert "вы отключили продление" in page


def test_whoever_cannot_switch_renewal_on_is_told_why(app: Flask, browser: Browser) -> None:
    """Without a card the page leads to where one is added; a bare POST is refused with the same sentence."""
    with app.app_context():
        subscriber(app, agreed=False)
    assert "сначала добавьте карту" in text(browser, RENEWAL)
    refused = browser.post(RENEWAL, action="resume")
    assert (refused.status_code, "сначала добавьте карту" in refused.text) == (400, True)
    assert browser.post(RENEWAL, action="explode").status_code == 400


def test_without_a_plan_there_is_nothing_to_renew(browser: Browser) -> None:
    """Whoever never bought is led back; nothing to stop is no error."""
    assert browser.get(RENEWAL).location == "/dashboard/"
    assert browser.get(PAY).location == "/dashboard/"
    assert browser.post(RENEWAL, page="/dashboard/", action="stop").location == "/dashboard/"
    assert "Согласий не было" in text(browser, CONSENTS)


@pytest.mark.parametrize("path", (RENEWAL, PAY, CONSENTS))
def test_the_pages_are_their_owners(app: Flask, path: str) -> None:
    """A visitor signs in first, and a form without its token changes nothing."""
    assert Browser(app).get(path).location.startswith("/login?next=/dashboard/")
    assert Browser(app).send(RENEWAL, data={"action": "stop"}).status_code == 400


def test_the_saved_card_may_be_tried_once_more_where_its_refusal_allows(app: Flask, browser: Browser) -> None:
    """One click makes the charge due; the next page says that it is under way, and twice is once."""
    with app.app_context():
        ira = subscriber(app, 28)
        overdue(ira)
    page = text(browser, PAY)
    assert "Списать 990 ₽: Visa •• 4242" in page
    assert "не хватило денег" in page
    for _ in range(2):
        assert browser.post(PAY, action="saved").location == PAY
    assert "Списываем: Visa •• 4242" in text(browser, PAY)
    with app.app_context():
        due = ira.subscription.charge_due_at
        assert due
        assert due <= clock.now()


def test_what_may_not_be_tried_is_not_offered_and_refused(app: Flask, browser: Browser) -> None:
    """Only another way is offered after a refusal that says so; a forged click charges nothing."""
    with app.app_context():
        ira = subscriber(app, 28)
        overdue(ira, "5082")
    assert "Списать 990 ₽" not in text(browser, PAY)
    answer = browser.post(PAY, action="saved")
    assert (answer.status_code, "Выберите другой способ" in answer.text) == (400, True)
    assert browser.post(PAY, action="order", gateway="paypal").status_code == 400
    with app.app_context():
        assert ira.subscription.charge_due_at is None


def test_the_letters_link_stops_without_signing_in(app: Flask, browser: Browser) -> None:
    """Opening it changes nothing; its button does, a second time it is simply off; nothing of it is kept."""
    with app.app_context():
        ira = subscriber(app)
        stop = links(ira)["stop_link"]
    stranger = Browser(app)
    opened = stranger.get(stop)
    assert "Отключить продление?" in opened.text
    assert opened.headers["Cache-Control"] == "no-store"
    assert opened.headers["Referrer-Policy"] == "no-referrer"
    assert stranger.send(stop, data={}).status_code == 400
    with app.app_context():
        assert ira.subscription.auto_renew
    for _ in range(2):
        assert stranger.post(stop).location == stop
    assert "Продление выключено" in text(stranger, stop)
    with app.app_context():
        assert not ira.subscription.auto_renew
        assert ira.agreements[0].withdrawn_because == "stopped"


def test_the_letters_link_pays_without_signing_in(app: Flask, browser: Browser) -> None:
    """An order on the agreement's terms for the owner, whatever the plan costs now; its pages open in this
    browser, in no other, and no page of the customer does.
    """
    with app.app_context():
        ira = subscriber(app, 28)
        overdue(ira)
        pay = links(ira)["pay_link"]
        with transaction() as session:
            session.execute(db.text("UPDATE plans SET price = 5000, discount = 0"))
    stranger = Browser(app)
    assert "Списать 990 ₽: Visa •• 4242" in text(stranger, pay)
    there = stranger.post(pay, action="order", gateway="cloudpayments").location
    assert there.startswith("/billing/payment/")
    with app.app_context():
        order = db.session.query(Payment).order_by(Payment.id.desc()).first()
        assert order
        assert (str(order.amount), order.purpose, order.user_id) == (
            "990.00",
            PaymentPurpose.PURCHASE,
            ira.user.id,
        )
    for page in (there, f"{there}return", f"{there}status"):
        opened = stranger.get(page)
        assert opened.status_code == 200, page
        assert opened.headers["Cache-Control"] == "no-store"
        assert Browser(app).get(page).status_code in {303, 401}
    other = Browser(app)
    other.register("eve@example.com")
    assert other.get(there).status_code == 404
    assert stranger.get("/dashboard/").location.startswith("/login")
    second = Browser(app)  # the owner reads the letter on the telephone as well
    assert "Вы уже начали платить другим способом" in text(second, pay)
    assert second.get(there).status_code == 200


@pytest.mark.parametrize("what", ("forged", "old", "closed account"))
def test_a_dead_link_gets_a_calm_page(app: Flask, browser: Browser, what: str) -> None:
    """410, a sentence and the way on, for whatever is no good any more; POST as well."""
    with app.app_context():
        ira = subscriber(app)
        paths = [
            one.replace("/renewal/", "/renewal/x") if what == "forged" else one for one in links(ira).values()
        ]
        if what == "closed account":
            with transaction() as session:
                session.get_one(User, ira.user.id).disabled_at = clock.now()
    if what == "old":
        clock.set_to(clock.now() + timedelta(days=61))
    stranger = Browser(app)
    for path in paths:
        for answer in (stranger.get(path), stranger.post(path, page="/plans")):
            assert answer.status_code == 410
            assert "Ссылка не действует" in answer.text


def test_a_link_about_what_is_paid_says_so(app: Flask, browser: Browser) -> None:
    """Nothing is due of a plan that runs, is off, or is over; a POST makes no order either."""
    with app.app_context():
        ira = subscriber(app)
        stop, pay = links(ira).values()
    stranger = Browser(app)
    assert "Платить не нужно" in text(stranger, pay)
    assert "Платить не нужно" in stranger.post(pay, action="order", gateway="yookassa").text
    with app.app_context():
        agreements.stop(ira.user.id, clock.now())
    assert "Продление выключено" in text(stranger, pay)
    clock.set_to(clock.now() + timedelta(days=40))
    assert "Тариф закончился" in text(stranger, pay)
    assert "Продление выключено" in text(stranger, stop)
    with app.app_context():
        assert db.session.query(Payment).count() == 1


def test_unpaid_days_of_grace_end_with_the_stop(app: Flask, browser: Browser) -> None:
    """After the paid time the page says that the plan ends at once, and it does."""
    with app.app_context():
        ira = subscriber(app, 31)
        ira.past_due(clock.now() - 2 * DAY)
    assert "закончится сразу" in text(browser, RENEWAL)
    assert "50 000" in text(browser)
    browser.post(RENEWAL, action="stop")
    assert "Тариф закончился" in text(browser)


@pytest.mark.parametrize("enabled", ("true", "false"))
def test_what_is_being_charged_is_not_paid_another_way(app: Flask, browser: Browser, enabled: str) -> None:
    """A page that was opened before the next try began must not take the same money a second time, though
    the shop has paused renewals meanwhile.
    """
    with app.app_context():
        ira = subscriber(app, 28)
        overdue(ira)
    assert "Заплатить другим способом" in text(browser, PAY)
    with app.app_context():
        ira.charge(clock.now())
        settings.put("auto_renewal_enabled", enabled, clock.now())
    answer = browser.post(PAY, action="order", gateway="cloudpayments")
    assert (answer.status_code, "Дождитесь ответа банка" in answer.text) == (400, True)
    assert "Заплатить другим способом" not in text(browser, PAY)
    with app.app_context():
        settings.forget()
        purposes = [payment.purpose for payment in db.session.scalars(select(Payment))]
    assert purposes.count(PaymentPurpose.PURCHASE) == 1


def test_where_the_saved_card_s_gateway_is_closed_another_way_is_open(app: Flask, browser: Browser) -> None:
    """A try that is due and cannot be made keeps nobody from paying."""
    with app.app_context():
        ira = subscriber(app, 28)
        overdue(ira)
        with transaction():
            ira.subscription.charge_due_at = clock.now() - timedelta(hours=1)
        assert "Списываем:" in text(browser, PAY)
        settings.put("cloudpayments_api_secret", "", clock.now())
    page = text(browser, PAY)
    assert ("Списываем:" in page, "Списать 990" in page, "Через ЮKassa" in page) == (False, False, True)
    with app.app_context():
        settings.forget()
