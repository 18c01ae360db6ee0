"""The API that the shop's own product asks, word for word as the contract has it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import event, text
from werkzeug.test import TestResponse

from portal import clock
from portal.billing import api_keys
from portal.database import db, transaction
from portal.models import PurchasedPlan
from portal.web.api import iso
from tests import laws
from tests.desk import a_user
from tests.web.browser import Browser
from tests.web.shop import a_payment, a_period, user_of

EMAIL = "ira@example.com"


class Product:
    """The shop's own product, with its key."""

    def __init__(self, app: Flask) -> None:
        with app.app_context():
            self.key = api_keys.create("product", clock.now())
        self.client = app.test_client()

    def entitlement(self, email: str = EMAIL, **headers: str) -> TestResponse:
        """Ask what the customer may use."""
        headers = {"Authorization": f"Bearer {self.key}"} | headers
        return self.client.get(f"/api/v1/customers/{quote(email, safe='')}/entitlement", headers=headers)

    def usage(
        self, quantity: Any = 25, key: Any = "campaign-1", email: str = EMAIL, **options: Any
    ) -> TestResponse:
        """Count what was sent."""
        body = options or {"json": {"quantity": quantity, "idempotency_key": key}}
        return self.client.post(
            f"/api/v1/customers/{quote(email, safe='')}/usage",
            headers={"Authorization": f"Bearer {self.key}"},
            **body,
        )


@pytest.fixture
def product(app: Flask) -> Product:
    """A product beside a shop with one customer who has no plan."""
    with app.app_context():
        a_user(EMAIL)
    return Product(app)


@pytest.fixture
def period(app: Flask, product: Product) -> PurchasedPlan:
    """The customer's plan: 50 000 e-mails, begun a day ago."""
    with app.app_context():
        return a_period(
            user_of(EMAIL), a_payment(user_of(EMAIL), status="succeeded"), clock.now() - timedelta(1)
        )


def refused(answer: TestResponse) -> tuple[int, str]:
    """Status and code of an error, which has the one shape of all errors."""
    assert answer.mimetype == "application/json"
    assert set(answer.json) == {"error"}
    assert set(answer.json["error"]) == {"code", "message"}
    assert answer.json["error"]["message"]
    return answer.status_code, answer.json["error"]["code"]


def test_entitlement(product: Product, period: PurchasedPlan) -> None:
    """What the customer may use, in exactly these words; nobody keeps the answer."""
    answer = product.entitlement()

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.json == {
        "plan_code": "PRO_MONTHLY",
        "plan_title": "Про",
        "status": "active",
        "active_until": iso(period.ends_at),
        "auto_renew": False,
        "period_start": iso(period.starts_at),
        "period_end": iso(period.ends_at),
        "emails_total": 50_000,
        "emails_used": 0,
        "emails_left": 50_000,
        "upcoming": [],
    }


def test_entitlement_with_a_next_plan(app: Flask, product: Product, period: PurchasedPlan) -> None:
    """What is paid and waits is listed; active_until is the end of both."""
    with app.app_context():
        user = user_of(EMAIL)
        following = a_period(user, a_payment(user, "START_MONTHLY", "succeeded"), period.ends_at)

    told = product.entitlement().json

    assert (told["period_end"], told["active_until"]) == (iso(period.ends_at), iso(following.ends_at))
    assert told["upcoming"] == [
        {
            "plan_code": "START_MONTHLY",
            "plan_title": "Старт",
            "period_start": iso(period.ends_at),
            "period_end": iso(following.ends_at),
            "emails_total": 5_000,
        }
    ]


def test_entitlement_without_a_plan(product: Product) -> None:
    """A customer without a plan is known: 200, none, and nothing to use."""
    answer = product.entitlement()
    assert answer.status_code == 200
    nothing = {"plan_code", "plan_title", "active_until", "period_start", "period_end"}
    assert answer.json == dict.fromkeys(nothing) | {
        "status": "none",
        "auto_renew": False,
        "emails_total": 0,
        "emails_used": 0,
        "emails_left": 0,
        "upcoming": [],
    }


def test_usage(product: Product, period: PurchasedPlan) -> None:
    """A use takes from what is left; a repeat answers the same bytes under a mark, and takes nothing."""
    first, repeat = product.usage(), product.usage()
    other = product.usage(75, "campaign-2")

    assert (first.status_code, first.json, first.headers["Cache-Control"]) == (
        200,
        {"emails_left": 49_975},
        "no-store",
    )
    assert (repeat.status_code, repeat.data) == (200, first.data)
    assert "Idempotent-Replayed" not in first.headers
    assert repeat.headers["Idempotent-Replayed"] == "true"
    assert other.json == {"emails_left": 49_900}
    assert product.usage(1, "campaign-1").json == {"emails_left": 49_975}
    told = product.entitlement().json
    assert (told["emails_used"], told["emails_left"]) == (100, 49_900)


def test_usage_refused(app: Flask, product: Product, period: PurchasedPlan) -> None:
    """More than is left is 409 and takes nothing; after the end it is 409 of another code; nobody is 404."""
    assert refused(product.usage(50_001)) == (409, "QUOTA_EXCEEDED")
    assert product.usage(50_000).json == {"emails_left": 0}
    assert refused(product.usage(1, "next")) == (409, "QUOTA_EXCEEDED")
    with app.app_context():
        clock.set_to(period.ends_at)
    assert refused(product.usage(1, "next")) == (409, "NO_PLAN")
    assert product.usage(1).json == {"emails_left": 0}  # counted while it ran
    told = product.entitlement().json
    assert (told["status"], told["plan_code"], told["emails_left"]) == ("expired", None, 0)
    assert refused(product.usage(email="oleg@example.com")) == (404, "CUSTOMER_NOT_FOUND")
    assert refused(product.entitlement("oleg@example.com")) == (404, "CUSTOMER_NOT_FOUND")
    with app.app_context():
        assert laws.violations(clock.now()) == []


def test_few_trips_to_the_database(app: Flask, product: Product, period: PurchasedPlan) -> None:
    """An answer is the key and one look; a use is the key, a lock, a look and one statement that writes."""

    def statements(ask: Callable[[], TestResponse]) -> int:
        asked: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
            asked.append(statement)

        with app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        assert ask().status_code == 200
        event.remove(engine, "before_cursor_execute", note)
        return len(asked)

    assert (statements(product.entitlement), statements(product.usage)) == (2, 4)


def test_a_closed_account(app: Flask, product: Product, period: PurchasedPlan) -> None:
    """A customer whom the shop has disabled may use nothing, whatever is paid; what was counted stays told.

    Opened again, the account has what is left of its time.
    """
    assert product.usage().get_json() == {"emails_left": 49975}
    with app.app_context(), transaction():
        user_of(EMAIL).disabled_at = clock.now()
    said = product.entitlement().get_json()
    assert (said["status"], said["plan_code"], said["emails_left"], said["upcoming"]) == (
        "disabled",
        None,
        0,
        [],
    )
    assert (said["active_until"], said["auto_renew"]) == (None, False)
    assert refused(product.usage(1, "next")) == (403, "CUSTOMER_DISABLED")
    assert product.usage().get_json() == {"emails_left": 49975}
    with app.app_context(), transaction():
        user_of(EMAIL).disabled_at = None
    assert product.usage(1, "next").get_json() == {"emails_left": 49974}


def test_usage_without_a_plan(product: Product) -> None:
    """Known, and nothing to use: 409, since a purchase would change the answer."""
    assert refused(product.usage()) == (409, "NO_PLAN")


@pytest.mark.parametrize(
    "body",
    (
        b"",
        b"{",
        b"[]",
        b"25",
        b'{"quantity": 25}',
        b'{"idempotency_key": "a"}',
        b'{"quantity": "25", "idempotency_key": "a"}',
        b'{"quantity": 25.0, "idempotency_key": "a"}',
        b'{"quantity": true, "idempotency_key": "a"}',
        b'{"quantity": null, "idempotency_key": "a"}',
        b'{"quantity": 0, "idempotency_key": "a"}',
        b'{"quantity": -25, "idempotency_key": "a"}',
        b'{"quantity": 1000001, "idempotency_key": "a"}',
        b'{"quantity": 1e400, "idempotency_key": "a"}',
        b'{"quantity": %s, "idempotency_key": "a"}' % (b"9" * 5000),
        b'{"quantity": 25, "idempotency_key": ""}',
        b'{"quantity": 25, "idempotency_key": 7}',
        b'{"quantity": 25, "idempotency_key": "%s"}' % (b"k" * 121),
        b'{"quantity": 25, "idempotency_key": "a\\u0000"}',
        b'{"quantity": 25, "idempotency_key": "\\ud800"}',
        b'{"quantity": 25, "idempotency_key": "\xff"}',
        b"[" * 100_000,
    ),
    ids=range(22),
)
def test_bodies_that_say_nothing(app: Flask, product: Product, period: PurchasedPlan, body: bytes) -> None:
    """Whatever is not a quantity and a key is 400 and counts nothing."""
    assert refused(product.usage(data=body, content_type="application/json")) == (400, "INVALID_REQUEST")
    with app.app_context():
        assert db.session.execute(text("SELECT count(*) FROM usage_records")).scalar_one() == 0


@pytest.mark.parametrize(
    ("kept", "asked"),
    (
        (EMAIL, "Ira@Example.COM"),
        (EMAIL, "ira%40example.com"),
        ("ira+shop@example.com", "ira+shop@example.com"),
        ("ira+shop@example.com", "IRA%2Bshop%40example.com"),
        ("a/b@example.com", "a%2Fb@example.com"),
        ("a/b@example.com", "a/b@example.com"),
        ("a//b@example.com", "a%2F%2Fb@example.com"),
        ("100%25@example.com", "100%2525@example.com"),
        ("o'hara&co=x#?@example.com", "o%27hara%26co%3Dx%23%3F@example.com"),
        ("ira@xn--e1afmkfd.xn--p1ai", "ira@%D0%BF%D1%80%D0%B8%D0%BC%D0%B5%D1%80.%D1%80%D1%84"),
    ),
)
def test_addresses(app: Flask, product: Product, kept: str, asked: str) -> None:
    """The address stands in the path percent-encoded or not, in any case; a plus is a plus."""
    with app.app_context():
        if kept != EMAIL:
            a_user(kept)
    headers = {"Authorization": f"Bearer {product.key}"}
    answer = app.test_client().get(f"/api/v1/customers/{asked}/entitlement", headers=headers)
    assert (answer.status_code, answer.json["status"]) == (200, "none")


@pytest.mark.parametrize(
    "asked", ("ira%20shop@example.com", "%00", "ira@example.com%0A", "%FF", "x" * 3000, "..", "/")
)
def test_addresses_of_nobody(app: Flask, product: Product, asked: str) -> None:
    """An address that is none is nobody's: 404, never a failure."""
    headers = {"Authorization": f"Bearer {product.key}"}
    answer = app.test_client().get(f"/api/v1/customers/{asked}/entitlement", headers=headers)
    # A line break or nothing at all is not even a route.
    code = "NOT_FOUND" if asked in {"ira@example.com%0A", "/"} else "CUSTOMER_NOT_FOUND"
    assert refused(answer) == (404, code)


@pytest.mark.parametrize(
    "given",
    (
        "",
        "Bearer",
        "Bearer ",
        "Bearer pk_",
        "Bearer {key}x",
        "Bearer {short}",
        "Bearer {hash}",
        "{key}",
        "Basic {key}",
        "Token {key}",
        "Bearer {key} {key}",
        "Bearer pk_" + "x" * 5000,
    ),
)
def test_without_a_valid_key(app: Flask, product: Product, period: PurchasedPlan, given: str) -> None:
    """Anything but a valid key is 401 with the scheme to use, for a customer and for nobody alike."""
    with app.app_context():
        kept = api_keys.listed()[0].key_hash
    said = given.format(key=product.key, short=product.key[:-1], hash=kept)
    for answer in (
        product.entitlement(Authorization=said),
        product.entitlement("oleg@example.com", Authorization=said),
        app.test_client().post(f"/api/v1/customers/{EMAIL}/usage", headers={"Authorization": said}),
    ):
        assert refused(answer) == (401, "AUTH_REQUIRED")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_revoked_key(app: Flask, product: Product) -> None:
    """A key is refused from the moment it is revoked; the scheme's name is read in any case before."""
    assert product.entitlement(Authorization=f"bearer  {product.key}").status_code == 200
    with app.app_context():
        api_keys.revoke(api_keys.listed()[0].id, clock.now())
    assert refused(product.entitlement()) == (401, "AUTH_REQUIRED")


def test_a_customers_session_is_no_key(app: Flask, product: Product) -> None:
    """Whoever is signed in as a customer, with the session's CSRF token, may not ask the product's API."""
    browser = Browser(app)
    browser.register("oleg@example.com")
    headers = {"X-CSRFToken": browser.token("/plans")}
    body = {"quantity": 1, "idempotency_key": "a"}
    answer = browser.send("/api/v1/customers/oleg@example.com/usage", json=body, headers=headers)
    assert refused(answer) == (401, "AUTH_REQUIRED")


def test_methods(app: Flask, product: Product) -> None:
    """Nothing is counted by GET, and a question is not asked by POST."""
    headers = {"Authorization": f"Bearer {product.key}"}
    client = app.test_client()
    for method, what in (("GET", "usage"), ("POST", "entitlement"), ("DELETE", "usage")):
        answer = client.open(f"/api/v1/customers/{EMAIL}/{what}", method=method, headers=headers)
        assert refused(answer)[0] == 405


def test_no_secret_and_no_address_in_a_log_line(
    product: Product, period: PurchasedPlan, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither keys, good or bad, nor addresses, nor keys of idempotency are logged, whatever is answered."""
    caplog.set_level(logging.DEBUG)
    product.entitlement()
    product.usage(key="secret-campaign")
    product.usage(50_000, key="secret-campaign-2")
    product.usage("x", key="secret-campaign-3")
    product.entitlement("oleg@example.com")
    product.entitlement(Authorization=f"Bearer {product.key}x")

    told = "\n".join(record.getMessage() for record in caplog.records)
    assert "QUOTA_EXCEEDED" in told
    for secret in (product.key, product.key[3:], EMAIL, "oleg", "secret-campaign"):
        assert secret not in told


def test_our_own_failure(app: Flask, product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure at the last step is 500 in the shape of all errors and counts nothing; the repeat counts."""

    def fail(*_arguments: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("portal.billing.quota._tell", fail)
    with app.app_context(), transaction():
        user = user_of(EMAIL)
        period = a_period(user, a_payment(user, status="succeeded"), clock.now())
    assert refused(product.usage()) == (500, "INTERNAL_ERROR")
    monkeypatch.undo()
    assert product.entitlement().json["emails_used"] == 0
    assert product.usage().json == {"emails_left": period.email_quota - 25}
