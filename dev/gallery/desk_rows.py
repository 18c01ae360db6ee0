"""What the operator's desk has to show: operators, cases, jobs, price moves, reconciliation, the audit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rq import Worker
from rq.job import JobStatus
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from sqlalchemy import select

from dev.toy_shop import PASSWORD, Surprise
from portal import clock
from portal.accounts import operators, two_factor
from portal.billing import (
    api_keys,
    cases,
    comparing_runs,
    figures,
    machinery,
    price_moves,
    price_notices,
    replaying,
)
from portal.billing.audit import COMMAND_LINE
from portal.billing.replaying import Range
from portal.database import transaction
from portal.models import CaseKind, GatewayName, Plan, Role, User

if TYPE_CHECKING:
    from dev.gallery.world import World

SELLER = {
    "seller_name": "ООО «Тихая почта»",
    "seller_inn": "7701234567",
    "seller_ogrn": "1167746123456",
    "seller_address": "Москва, улица Правды, дом 8",
    "seller_email": "help@example.com",
    "seller_phone": "+7 495 000-00-00",
    "offer_url": "https://example.com/offer",
    "privacy_url": "https://example.com/privacy",
}
OPERATORS = {"owner": Role.OWNER, "clerk": Role.SUPPORT, "viewer": Role.VIEWER, "tanya": Role.OWNER}


def acts(world: World) -> list[tuple[float, Callable[[], None]]]:
    """What the shop itself does on which day."""
    return [
        (0, lambda: _open_the_shop(world)),
        (52, lambda: _raise_a_price(world)),
        (60.5, lambda: _lose_a_notification(world)),
    ]


def today(world: World) -> None:
    """What lies on the desk at the moment of the look."""
    # The register counts no test payments, and a sandbox makes no others.
    world.sql("UPDATE payments SET test_mode = false WHERE status IN ('succeeded', 'failed')")
    with world.app.app_context():
        _open_cases(world)
        api_keys.create("рассылки", clock.now())
        figures.close_all(clock.now())
        since = (clock.now() - timedelta(days=4)).date()
        world.facts["run"] = comparing_runs.order(COMMAND_LINE, since, clock.now())
        comparing_runs.carry_on(world.facts["run"])
        _let_a_job_fail(world)
        _be_alive(world)
    for name in ("owner", "clerk", "viewer"):
        world.sign_in(name)
    _sign_in_with_a_phone(world)
    _remember(world)
    _work_at_the_desk(world)


def _open_the_shop(world: World) -> None:
    world.set(**SELLER)
    with world.app.app_context():
        for name, role in OPERATORS.items():
            operators.create(f"{name}@example.com", PASSWORD, role, COMMAND_LINE, clock.now())


def _raise_a_price(world: World) -> None:
    """Subscribers of one tariff are led to a higher price, in ten days; each is asked."""
    with world.app.app_context():
        with transaction() as session:
            plan_id = session.scalars(select(Plan.id).where(Plan.code == "BUSINESS_MONTHLY")).one()
        now = clock.now()
        moves_at = now + timedelta(days=14)
        why = "Подорожала отправка"
        price_moves.plan_move(plan_id, Decimal("3290.00"), moves_at, COMMAND_LINE, why, now)
        for found in price_notices.due(now):
            price_notices.carry_on(found, now)


def _lose_a_notification(world: World) -> None:
    """A payment that a gateway took and did not tell us of: reconciliation finds it."""
    world.shop.control("settings", webhooks="drop")
    someone = world.register("vadim")
    order = someone.call(
        "/billing/api/yookassa/create_payment/", plan_code="PRO_MONTHLY", accept_recurring=False
    )
    found = {"transaction_id": order["transaction_id"], "card": "5555555555554444"}
    world.shop.control("pay", gateway="yookassa", **found)
    world.shop.control("settings", webhooks="normal")


def _open_cases(world: World) -> None:
    """One case of each kind that needs no more than a line in the queue."""
    payment = world.one("SELECT id FROM payments WHERE status = 'succeeded' ORDER BY id DESC LIMIT 1")
    facts: dict[str, Any] = {
        "outcome": "succeeded",
        "reference": "order-1",
        "account": "user_77",
        "test": True,
    }
    money = (Decimal("900.00"), "RUB")
    with transaction() as session:
        for kind in (CaseKind.UNKNOWN_PAYMENT, CaseKind.AMOUNT_MISMATCH, CaseKind.SECOND_CAPTURE):
            of = None if kind is CaseKind.UNKNOWN_PAYMENT else payment
            key, gateway = f"gallery:{kind.value}", GatewayName.CLOUDPAYMENTS
            cases.open_case(session, kind, key, gateway, "2971000777", of, money, facts, clock.now())
    world.facts["case"] = world.one("SELECT max(id) FROM cases WHERE kind = 'amount_mismatch'")


def _let_a_job_fail(world: World) -> None:
    """A job on the queue that ended with an exception."""
    queue = world.app.extensions["portal_queue"]
    job = queue.enqueue("portal.billing.inbox.process", 77)
    queue.remove(job)
    job.set_status(JobStatus.FAILED)
    registry = FailedJobRegistry(queue=queue)
    registry.add(job, ttl=86_400, exc_string="LookupError: the row is not there")


def _be_alive(world: World) -> None:
    """A worker and a scheduler that have just been heard of: otherwise every page raises an alarm."""
    queue = world.app.extensions["portal_queue"]
    worker = Worker([queue], connection=queue.connection, serializer=JSONSerializer, worker_ttl=86_400)
    worker.register_birth()  # type: ignore[no-untyped-call]  # rq types none of its own
    world.facts["worker"] = worker
    for name in (machinery.SWEEP, "list cloudpayments", "list yookassa", "reconciliation"):
        machinery.ran(name, json.dumps(3), clock.now() + timedelta(hours=1))


def _work_at_the_desk(world: World) -> None:
    """A payment that the customer's bank took back, and a range of notifications that was replayed."""
    world.facts["taken"] = world.one(
        "SELECT max(p.id) FROM payments p JOIN users u ON u.id = p.user_id"
        " WHERE p.status = 'succeeded' AND p.refunded_amount = 0 AND u.email = 'mark@example.com'"
    )
    taken = {"amount": "390", "day": clock.now().date().isoformat(), "number": "ARN 7412", "plan": "leave"}
    _act(world, f"/admin/payments/chargeback/?id={world.facts['taken']}", **taken)
    with world.app.app_context():
        asked = Range(gateway=GatewayName.YOOKASSA, since=clock.now() - timedelta(days=2))
        world.facts["replay"] = replaying.order(asked, COMMAND_LINE, "Проверка", clock.now())


def _act(world: World, path: str, **fields: str) -> None:
    """The owner opens the page before an act, and presses its button."""
    owner = world.people["owner"]
    found = re.search(r'name="form_key" value="([^"]+)"', owner.get(path).text)
    if found is None:
        raise Surprise(f"no form at {path}")
    owner.send(path, form_key=found[1], reason="Письмо банка от сегодня", **fields)


def _sign_in_with_a_phone(world: World) -> None:
    """An owner whose second factor is on, in a browser that has shown its code."""
    with world.app.app_context(), transaction() as session:
        user = session.scalars(select(User).where(User.email == "tanya@example.com")).one()
        two_factor.begin(user)
        two_factor.new_recovery_codes(user, COMMAND_LINE, clock.now())
    world.sql("UPDATE users SET totp_since = now() WHERE email = 'tanya@example.com'")
    world.sign_in("tanya")
    world.sql(
        "UPDATE user_sessions SET code_at = now() WHERE user_id ="
        " (SELECT id FROM users WHERE email = 'tanya@example.com')"
    )


def _remember(world: World) -> None:
    """Numbers of rows that pages with details are opened for."""
    for name, query in {
        "payment": "SELECT max(id) FROM payments WHERE status = 'succeeded' AND refunded_amount = 0",
        "refund": "SELECT max(id) FROM refunds",
        "subscription": "SELECT max(s.id) FROM subscriptions s JOIN users u ON u.id = s.user_id"
        " WHERE u.email = 'anna@example.com'",
        "period": "SELECT max(id) FROM purchased_plans",
        "method": "SELECT max(id) FROM payment_methods",
        "event": "SELECT max(id) FROM webhook_events WHERE status = 'handled' AND gateway = 'cloudpayments'",
        "letter": "SELECT max(id) FROM notifications WHERE channel = 'email'",
        "plan": "SELECT id FROM plans WHERE code = 'PRO_MONTHLY'",
        "customer": "SELECT id FROM users WHERE email = 'anna@example.com'",
        "disabled": "SELECT id FROM users WHERE email = 'yuri@example.com'",
        "entry": "SELECT max(id) FROM audit_entries",
        "line": "SELECT max(id) FROM reconciliation_lines",
        "day": "SELECT max(id) FROM reconciliation_days",
    }.items():
        world.facts[name] = world.sql(query)[0][0]
