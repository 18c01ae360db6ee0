"""Every page and letter as a reader of English finds it: nothing of Russian but what the shop wrote."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from portal import clock, mail
from portal.accounts import links
from portal.billing import letter_links, notices, settings
from portal.database import transaction
from portal.gateways import declines, titles
from portal.models import (
    BindingStatus,
    GatewayName,
    LinkPurpose,
    MethodBinding,
    PaymentPurpose,
    PaymentStatus,
    Plan,
)
from portal.web import filters, words
from portal.wording import speaking
from tests.billing.subscribers import DAY, Subscriber, a_subscriber
from tests.web.browser import Browser
from tests.web.shop import a_payment, user_of
from tests.web.test_renewal import STATES as RENEWALS

EMAILS = Path(__file__).parents[2] / "templates" / "emails"
CYRILLIC = re.compile('[А-Яа-яЁё]+[^<>"]*')
#: The switch's own word.
SWITCH = ">Русский<"

#: Pages that only programs and the shop's own people open.
NOT_FOR_CUSTOMERS = (
    "/admin",
    "/api/",
    "/billing/api",
    "/billing/sandbox",
    "/billing/webhook",
    "/healthz",
    "/metrics",
    "/readyz",
    "/static",
    "/styleguide",
)


@pytest.fixture
def browser(app: Flask) -> Iterator[Browser]:
    """Somebody who chose English and registered, in a shop whose plans have English names."""
    with app.app_context(), transaction() as session:
        session.execute(update(Plan).values(title=Plan.code, description="So many emails"))
    someone = Browser(app)
    someone.post("/language", page="/plans", to="en")
    someone.register()
    yield someone
    with app.app_context():
        settings.forget()


def russian(page: str) -> list[str]:
    """What of Russian a page still holds."""
    return CYRILLIC.findall(html.unescape(page).replace(SWITCH, ""))


def in_english() -> Subscriber:
    """The registered customer, who bought by a card of an unknown brand, and agreed in English."""
    with speaking("en"):
        ira = a_subscriber(clock.now() - 3 * DAY, user=user_of())
    with transaction():
        ira.method.title = "Карта •• 4242"
    return ira


def payments(ira: Subscriber) -> list[str]:
    """One payment in every status at both gateways, and a card that was saved for a rouble."""
    made = [
        a_payment(
            ira.user,
            status=status.value,
            gateway=gateway.value,
            method_title="СБП, Sberbank",
            superseded_at=clock.now(),
        )
        for status in PaymentStatus
        for gateway in GatewayName
    ]
    saved = a_payment(ira.user, status="failed", purpose=PaymentPurpose.BINDING)
    with transaction():
        saved.plan_id, saved.plan_code, saved.plan_title = None, "", ""
        saved.period_days = saved.email_quota = 0
        saved.description = "Сохранение карты, деньги сразу вернутся"
    return [payment.transaction_id for payment in (*made, saved)]


def places(app: Flask) -> dict[str, list[str]]:
    """The paths of every page that a customer can open, by the name of the page."""
    with app.app_context():
        ira, now = in_english(), clock.now()
        ids = payments(ira)
        with transaction() as session:
            session.add(
                MethodBinding(
                    key="a-key",
                    user_id=ira.user.id,
                    gateway=GatewayName.YOOKASSA,
                    status=BindingStatus.FAILED,
                    created_at=now,
                )
            )
        letter = letter_links.of_renewal(ira.subscription.id, "")
        purposes = (LinkPurpose.RESET_PASSWORD, LinkPurpose.CONFIRM_EMAIL, LinkPurpose.CHANGE_EMAIL)
        reset, confirm, change = (
            links.url(links.issue(ira.user, purpose, now).id, "") for purpose in purposes
        )
        method = ira.method.id
    return {
        "plans.home": ["/"],
        "plans.index": ["/plans", "/plans?period=year"],
        "accounts.register": ["/register"],
        "accounts.login": ["/login"],
        "accounts.account": ["/account/"],
        "accounts.ask_to_close": ["/account/close"],
        "accounts.data": [],  # a file of what is kept, in the words in which it is kept
        "accounts.change_email": ["/account/email"],
        "accounts.new_email": [change, "/email/change/dead"],
        "accounts.forgot": ["/password/forgot"],
        "accounts.reset": [reset, "/password/reset/dead"],
        "accounts.confirm": [confirm, "/email/confirm/dead"],
        "checkout.show": ["/checkout/PRO_YEARLY"],
        "payment.show": [f"/billing/payment/{one}/" for one in ids],
        "payment.come_back": [f"/billing/payment/{one}/return" for one in ids],
        "payment.status": [f"/billing/payment/{one}/status" for one in ids],
        "dashboard.show": ["/dashboard/"],
        "dashboard.payments": ["/dashboard/payments", "/dashboard/payments?format=csv"],
        "cancellation.show": ["/dashboard/cancel"],
        "plan_changes.index": ["/dashboard/plan"],
        "plan_changes.show": ["/dashboard/plan/BUSINESS_MONTHLY", "/dashboard/plan/START_MONTHLY"],
        "methods.index": ["/dashboard/payment-methods"],
        "methods.ask": [f"/dashboard/payment-methods/{method}/unlink"],
        "methods.bound": ["/billing/binding/a-key/return"],
        "renewal.show": ["/dashboard/renewal"],
        "renewal.price": ["/dashboard/price"],
        "renewal.pay": ["/dashboard/renewal/pay"],
        "renewal.agreements": ["/dashboard/consents"],
        "renewal_links.ask": [letter["stop_link"], "/renewal/dead/stop"],
        "renewal_links.pay": [letter["pay_link"]],
        "desk_door.prove": ["/account/desk/"],
        "desk_door.two_factor": ["/account/desk/two-factor"],
        "nowhere": ["/there/is/no/such/page", "/dashboard/payments?cursor=wrong"],
    }


def opened(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code < 500, path
    if answer.is_json or answer.mimetype == "text/csv":
        return (
            answer.get_data(as_text=True).encode().decode("unicode_escape") if answer.is_json else answer.text
        )
    assert answer.location or 'lang="en"' in answer.text, path
    return answer.text


def test_every_page_of_a_customer_is_known_here(app: Flask, browser: Browser) -> None:
    """A new page is asked for in English as well."""
    pages = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.rule.startswith(NOT_FOR_CUSTOMERS)
    }
    assert pages == set(places(app)) - {"nowhere"}


@pytest.mark.usefixtures("recurring")
def test_every_page_is_in_english(app: Flask, browser: Browser) -> None:
    """With payments in every status, a card of an unknown brand, and notices of every kind."""
    found = places(app)
    with app.app_context(), transaction() as session:
        for kind in words._WORDS:
            for n, facts in enumerate(FACTS):
                notices.announce(session, user_of().id, kind, f"{kind}:{n}", facts, clock.now())
    left = {}
    for path in (path for paths in found.values() for path in paths):
        # A visitor reads what is shown to visitors only.
        if path in {"/login", "/register"}:
            someone = Browser(app)
            someone.post("/language", page="/plans", to="en")
            left[path] = russian(opened(someone, path))
        else:
            left[path] = russian(opened(browser, path))
    assert {path: words for path, words in left.items() if words} == {}


@pytest.mark.usefixtures("recurring")
@pytest.mark.parametrize("state", RENEWALS)
def test_every_state_of_a_renewal_is_in_english(app: Flask, browser: Browser, state: str) -> None:
    """On every page that speaks of it."""
    with app.app_context():
        ira = in_english()
        RENEWALS[state][0](ira)
        letter = letter_links.of_renewal(ira.subscription.id, "")
        method = ira.method.id
    pages = ("/dashboard/", "/dashboard/renewal", "/dashboard/renewal/pay", "/dashboard/payment-methods")
    pages += ("/dashboard/cancel", "/dashboard/plan", f"/dashboard/payment-methods/{method}/unlink")
    for path in (*pages, letter["stop_link"], letter["pay_link"]):
        assert russian(opened(browser, path)) == [], path


MOMENT = "2026-12-19T12:00:00+00:00"
#: Facts as letters know them, once with everything that may be said and once with as little as there can be.
MOST: dict[str, Any] = {
    "access_until": MOMENT,
    "amount": "990.00",
    "at": MOMENT,
    "bank_took_it": True,
    "base_url": "https://shop.example",
    "charge_at": MOMENT,
    "credit": "495.00",
    "currency": "RUB",
    "days": 7,
    "emails_left": 9_000,
    "emails_total": 50_000,
    "ended": True,
    "ended_at": MOMENT,
    "ends_at": MOMENT,
    "failure_code": "5051",
    "gateway": "cloudpayments",
    "lead_to": "yookassa",
    "link": "https://shop.example/a",
    "method": "Карта •• 4242",
    "month": "12/2026",
    "moves_at": MOMENT,
    "next_emails": 50_000,
    "next_starts_at": MOMENT,
    "next_try_at": MOMENT,
    "not_saved": True,
    "old_amount": "390.00",
    "old_title": "Start",
    "on_sale": True,
    "pay_link": "https://shop.example/p",
    "percent": 80,
    "period_days": 30,
    "plan_code": "PRO_MONTHLY",
    "plan_title": "Pro",
    "raised": True,
    "refunds": [{"plan_title": "Pro", "method": "СБП", "amount": "990.00", "currency": "RUB"}],
    "renews_as": "Pro",
    "renews_for": "990.00",
    "starts_at": MOMENT,
    "stop_link": "https://shop.example/s",
    "sums": [{"amount": "990.00", "currency": "RUB"}],
    "transaction_id": "b7c1",
    "user": {"email": "ira@example.com"},
    "what": "now",
    "whole": False,
}
LEAST = MOST | {
    "bank_took_it": False,
    "charge_at": None,
    "ended": False,
    "lead_to": "cloudpayments",
    "next_emails": None,
    "next_starts_at": None,
    "next_try_at": None,
    "not_saved": False,
    "on_sale": False,
    "raised": False,
    "refunds": [],
    "renews_as": None,
    "sums": [],
    "what": "scheduled",
    "whole": True,
}
FACTS = (MOST, LEAST, MOST | {"what": "restored"}, MOST | {"what": "stays"})


@pytest.mark.parametrize("kind", sorted({path.stem for path in EMAILS.glob("*.txt")} - {"base"}))
def test_every_letter_is_in_english(context: Flask, kind: str) -> None:
    """Whole: subject, text and page, with everything that may be said in it; and in Russian it is Russian."""
    always = {"charge_at": MOMENT} if kind == "renewal_coming" else {}
    for facts in (some | always for some in FACTS):
        letter = mail.compose(kind, facts, "en")
        assert russian(letter.subject + letter.text + letter.html) == [], kind
        assert re.search("[a-z]{3}", letter.subject)
        assert CYRILLIC.search(mail.compose(kind, facts, "ru").subject)
        if kind in words._WORDS:
            with speaking("en"):
                told = words._WORDS[kind](facts)
            assert russian(" ".join(told)) == []
            assert all(told)


def test_every_decline_says_what_to_do_in_both_languages(context: Flask) -> None:
    """What happened and the next step; English says the same of the money as Russian does."""
    for gateway, known in declines._KNOWN.items():
        for code in known:
            told = declines.explain(gateway, code)
            assert "деньги" in told.whole.lower()
            with speaking("en"):
                said = told.whole
            assert len(re.findall(r"[.;]", said)) >= 2, said
            assert russian(said) == []
            assert "money" in said, said


def test_every_state_has_its_word_in_english(context: Flask) -> None:
    """Badges of payments, and the names of means of payment as they are kept."""
    with speaking("en"):
        for status in PaymentStatus:
            for refunded in (0, 1, 990):
                payment = SimpleNamespace(status=status, amount=990, refunded_amount=refunded)
                assert russian(filters.state(payment).text) == []  # type: ignore[arg-type]  # as a payment has them
        for kind in titles.KINDS:
            assert russian(filters.means(titles.method_title(kind, last4="4242", bank="Sberbank"))) == []
        assert filters.means("Мир •• 0004") == "Mir •• 0004"
        assert filters.means("Мирный Банк") == "Мирный Банк"
        assert filters.means(None) == ""
