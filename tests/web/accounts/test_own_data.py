"""The file with all of one's own data: whole, quick, without a secret, and of nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select

from portal import clock
from portal.billing import notices
from portal.database import Base, db, transaction
from portal.models import (
    Channel,
    MethodBinding,
    Notification,
    Payment,
    PaymentMethod,
    PeriodExtension,
    PurchasedPlan,
    Receipt,
    Refund,
    RefundSource,
    RefundStatus,
    User,
    UserSession,
)
from tests.billing.subscribers import Subscriber, a_subscriber
from tests.web.browser import Browser
from tests.web.shop import a_payment, user_of

FILE = "/account/data"


def everything_of(email: str) -> Subscriber:
    """A row of everything that a customer can have, with words of their own in each."""
    now, name = clock.now(), email.partition("@")[0]
    someone = a_subscriber(now, user=user_of(email))
    paid, owner = someone.bought, user_of("owner@example.com")
    with transaction() as session:
        period = session.scalars(select(PurchasedPlan).where(PurchasedPlan.payment_id == paid.id)).one()
        refund = Refund(
            payment_id=paid.id,
            gateway=paid.gateway,
            gateway_refund_id=f"refund-of-{name}",
            key=f"key-of-{name}",
            form_key=f"form-of-{name}",
            amount=Decimal("90.00"),
            currency="RUB",
            status=RefundStatus.SUCCEEDED,
            source=RefundSource.OPERATOR,
            reason=f"words of the shop about {name}",
            ordered_by=owner.id,
            created_at=now,
            finished_at=now,
        )
        session.get_one(Payment, paid.id).refunded_amount = Decimal("90.00")
        receipt = Receipt(
            payment_id=paid.id,
            gateway=paid.gateway,
            gateway_receipt_id=f"receipt-of-{name}",
            kind="Income",
            url=f"https://ofd.example/{name}",
            facts={"cashier": "somebody of the shop"},
            created_at=now,
        )
        extension = PeriodExtension(
            purchased_plan_id=period.id,
            days=3,
            reason=f"words of the shop about {name}",
            user_id=owner.id,
            form_key=f"days-of-{name}",
            created_at=now,
        )
        period.ends_at += timedelta(days=3)
        binding = MethodBinding(
            key=f"bind-{name}", user_id=someone.user.id, gateway=paid.gateway, created_at=now
        )
        session.add_all((refund, receipt, extension, binding))
    someone.another_card(now, title=f"Мир •• 000{len(name)}", bank=f"bank of {name}")
    a_payment(someone.user, status="failed", confirmation_url=f"https://pay.example/{name}")
    return someone


@pytest.fixture
def ira(app: Flask, browser: Browser) -> Subscriber:
    """The customer at the browser, in a shop with an operator and another customer who has as much."""
    for email in ("owner@example.com", "stranger@example.com"):
        Browser(app, address="198.51.100.99").register(email)
    browser.register()
    with app.app_context():
        everything_of("stranger@example.com")
        found = everything_of("ira@example.com")
        with transaction() as session:
            letters = select(Notification).where(Notification.channel == Channel.EMAIL)
            for letter in session.scalars(letters):
                letter.sent_at = clock.now()
    return found


def downloaded(browser: Browser) -> dict[str, Any]:
    answer = browser.get(FILE)
    assert answer.status_code == 200
    found: dict[str, Any] = json.loads(answer.get_data().decode("utf-8"))
    return found


def test_one_file_holds_what_is_kept(app: Flask, browser: Browser, ira: Subscriber) -> None:
    """Every part, in UTF-8 that a person can read, to be saved and not shown."""
    answer = browser.get(FILE)
    found = downloaded(browser)

    assert answer.content_type == "application/json"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="my-data.json"'
    assert "Согласен на автоматическое продление" in answer.get_data(as_text=True)
    assert found["account"]["email"] == "ira@example.com"
    assert found["account"]["privacy_accepted_at"]
    assert [one["ended_at"] for one in found["sign_ins"]] == [None]
    assert [one["auto_renew"] for one in found["subscriptions"]] == [True]
    assert [(one["plan_code"], one["emails_used"]) for one in found["plans"]] == [("PRO_MONTHLY", 0)]
    assert [one["days"] for one in found["plans"][0]["days_given"]] == [3]
    assert [(one["status"], one["amount"]) for one in found["payments"]] == [
        ("succeeded", "990.00"),
        ("failed", "990.00"),
    ]
    assert [one["amount"] for one in found["payments"][0]["refunds"]] == ["90.00"]
    assert [one["url"] for one in found["payments"][0]["receipts"]] == ["https://ofd.example/ira"]
    assert [one["amount"] for one in found["agreements"]] == ["990.00"]
    assert [one["last4"] for one in found["payment_methods"]] == ["4242", "0004"]
    assert [one["status"] for one in found["saved_without_buying"]] == ["pending"]
    assert {one["kind"] for one in found["letters"]} >= {"confirm_email", "payment_succeeded"}
    assert found["usage"]["emails_left"] == found["usage"]["emails_total"] == 50_000


def secrets_of(app: Flask) -> set[str]:
    """Texts in the database that are in no file: keys, hashes, tokens, and what the shop noted."""
    with app.app_context():
        rows = [
            *db.session.scalars(select(User.password_hash)),
            *db.session.scalars(select(UserSession.key_hash)),
            *db.session.scalars(select(PaymentMethod.fingerprint)),
            *(token.decode() for token in db.session.scalars(select(PaymentMethod.token)) if token),
            *db.session.scalars(select(Refund.key)),
            *db.session.scalars(select(MethodBinding.key)),
            *db.session.scalars(select(Notification.dedupe_key)),
        ]
    return {*rows, "words of the shop", "owner@example.com", "somebody of the shop", "pay.example", "form-of"}


def texts_of(owner: str) -> Iterator[str]:
    """Every text of length in any row of a table that names its customer, or that hangs below a payment."""
    user_id = user_of(owner).id
    for mapper in Base.registry.mappers:
        columns = mapper.columns
        if "user_id" in columns and mapper.class_ is not PeriodExtension:
            wanted = select(mapper.class_).where(columns["user_id"] == user_id)
        elif "payment_id" in columns:
            wanted = select(mapper.class_).join(Payment, Payment.id == columns["payment_id"])
            wanted = wanted.where(Payment.user_id == user_id)
        else:
            continue
        for row in db.session.scalars(wanted):
            values = (getattr(row, name) for name in columns.keys())  # noqa: SIM118 - the mapper's collection
            yield from (value for value in values if isinstance(value, str) and len(value) > 7)


def test_no_secret_and_nothing_of_anybody_else(app: Flask, browser: Browser, ira: Subscriber) -> None:
    """Not a text that another customer's rows hold and one's own do not; no key, no token, no shop's note."""
    text = browser.get(FILE).get_data(as_text=True)
    with app.app_context():
        mine, theirs = set(texts_of("ira@example.com")), set(texts_of("stranger@example.com"))
        assert theirs - mine

    assert "refund-of-ira" in text
    assert [one for one in theirs - mine if one in text] == []
    assert [one for one in secrets_of(app) if one in text] == []
    assert "stranger" not in text


def test_only_letters_that_left_are_told(app: Flask, browser: Browser) -> None:
    """Not what waits, and not what was true no more when it could leave."""
    browser.register()
    with app.app_context():
        now, user = clock.now(), user_of()
        with transaction() as session:
            for kind in ("renewed", "payment_failed", "plan_ends"):
                notices.post(session, user.id, kind, kind, {}, now)
            for letter in session.scalars(select(Notification)):
                letter.sent_at = None if letter.kind == "plan_ends" else now
                letter.last_error = "no longer true" if letter.kind == "payment_failed" else None

    assert [one["kind"] for one in downloaded(browser)["letters"]] == ["confirm_email", "renewed"]


def test_the_file_is_for_whoever_is_signed_in(app: Flask, browser: Browser) -> None:
    """A visitor is sent to sign in; the pages of the account and of closing it lead to the file."""
    assert browser.get(FILE).location == "/login?next=/account/data"
    browser.register()

    for page in ("/account/", "/account/close"):
        assert f'href="{FILE}" download' in browser.get(page).text


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """The statements that the database is asked meanwhile."""
    asked: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_hundreds_of_payments_ask_no_more_than_one(app: Flask, browser: Browser, ira: Subscriber) -> None:
    """So many statements for a short history as for a long one."""
    with counted(app) as few:
        downloaded(browser)
    with app.app_context(), transaction() as session:
        one = session.scalars(
            select(Payment).where(Payment.user_id == ira.user.id, Payment.paid_at.is_(None))
        ).one()
        kept = {column.key: getattr(one, column.key) for column in Payment.__mapper__.columns}
        for n in range(300):
            session.add(Payment(**{**kept, "id": None, "transaction_id": f"many-{n}"}))
    with counted(app) as many:
        assert len(downloaded(browser)["payments"]) == 302
    assert len(many) == len(few) <= 16
