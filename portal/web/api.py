"""The seeds' JSON API for the signed-in customer.

Guards and errors stand in :mod:`portal.web.guards` and ``errors``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for
from flask_login import current_user
from sqlalchemy import select

from portal import clock
from portal.billing import bindings, checkout, payments
from portal.billing.checkout import Order
from portal.billing.consents import ClientInfo
from portal.billing.statement import Wanted
from portal.database import db
from portal.errors import InvalidRequest, NotAllowed
from portal.models import GatewayName, Payment, User
from portal.money import to_wire
from portal.web.accounts import blueprint as accounts
from portal.wording import say

blueprint = Blueprint("api", __name__, url_prefix="/billing/api")

MOST_PER_PAGE = 100

#: How many orders one customer may ask for: whoever hesitates between two gateways needs a few, and each may
#: cost a call to one of them.
OFTEN = "30 per 10 minutes"


@blueprint.post("/<any(cloudpayments, yookassa):gateway>/create_payment/")
def create_payment(gateway: str) -> Response:
    """Make an order, or find the open one on the same terms, and say how to pay it."""
    body = json_object()
    plan_code, accept = body.get("plan_code"), body.get("accept_recurring", False)
    if not isinstance(plan_code, str) or not isinstance(accept, bool):
        raise InvalidRequest(say('Нужен JSON вида {"plan_code": "PRO_MONTHLY", "accept_recurring": false}.'))
    order = checkout.start(
        _who_asks(), plan_code, gateway, accept_recurring=accept, client=client_info(), now=clock.now()
    )
    return jsonify(order_as_json(order))


@blueprint.post("/yookassa/bind_card_start/")
def bind_card_start() -> Response:
    """Begin saving a method without paying; the customer goes to ``confirmation_url``."""
    json_object()
    binding = bindings.start(_who_asks(), clock.now())
    return jsonify(
        {
            "binding_id": binding.key,
            "gateway": binding.gateway.value,
            "status": binding.status.value,
            "confirmation_url": binding.confirmation_url,
        }
    )


@blueprint.post("/yookassa/create_test_live_payment/")
def create_test_live_payment() -> Response:
    """An operator's live check of the shop: a payment of 1.00 RUB that activates nothing."""
    user = _user()
    if not user.is_admin:
        raise NotAllowed
    json_object()
    return jsonify(order_as_json(checkout.start_live_check(user, clock.now())))


@blueprint.get("/<any(cloudpayments, yookassa):gateway>/transaction_status/")
def transaction_status(gateway: str) -> Response:
    """One payment of this customer as our database has it."""
    payment = payments.owned(_user().id, request.args.get("transaction_id"))
    if payment.gateway.value != gateway:
        raise payments.PaymentNotFound
    return jsonify(as_json(payment))


@blueprint.get("/<any(cloudpayments, yookassa):gateway>/transactions/")
def transactions(gateway: str) -> Response:
    """This customer's payments at one gateway, newest first."""
    limit = request.args.get("limit", "20")
    if not re.fullmatch("[1-9][0-9]{0,2}", limit) or int(limit) > MOST_PER_PAGE:
        raise InvalidRequest(say("limit — целое число от 1 до %(most)s.", most=MOST_PER_PAGE))
    wanted = Wanted(gateway=GatewayName(gateway))
    page = payments.history(_user().id, int(limit), request.args.get("cursor"), wanted)
    return jsonify(
        {"transactions": [as_json(payment) for payment in page.payments], "next_cursor": page.next_cursor}
    )


def order_as_json(order: Order) -> dict[str, Any]:
    """A created payment as the contract words it."""
    payment = order.payment
    answer: dict[str, Any] = {
        "transaction_id": payment.transaction_id,
        "gateway": payment.gateway.value,
        "status": payment.status.value,
        "amount": to_wire(payment.amount),
        "currency": payment.currency,
        "plan_code": payment.plan_code,
        "billing_mode": payment.billing_mode.value,
        "payment_url": url_for("payment.show", transaction_id=payment.transaction_id),
    }
    if payment.gateway is GatewayName.CLOUDPAYMENTS:
        answer["widget"] = order.widget
    else:
        answer["confirmation_url"] = order.confirmation_url
    return answer


def as_json(payment: Payment) -> dict[str, Any]:
    """A payment's status as the contract words it."""
    failed = payments.failure(payment)
    answer: dict[str, Any] = {
        "transaction_id": payment.transaction_id,
        "gateway": payment.gateway.value,
        "gateway_payment_id": payment.gateway_payment_id,
        "status": payment.status.value,
        "amount": to_wire(payment.amount),
        "refunded_amount": to_wire(payment.refunded_amount),
        "currency": payment.currency,
        "plan_code": payment.plan_code,
        "billing_mode": payment.billing_mode.value,
        "created_at": iso(payment.created_at),
        "paid_at": iso(payment.paid_at),
        "failure": {"code": failed.code, "message": failed.whole} if failed else None,
    }
    if payment.gateway is GatewayName.CLOUDPAYMENTS:
        answer["cloudpayments_id"] = payment.gateway_payment_id
    return answer


def client_info() -> ClientInfo:
    """Where this request came from, by the trusted hop only."""
    return ClientInfo(request.remote_addr or "", request.user_agent.string)


def take_turn(user_id: int) -> None:
    """Count one order of this customer. Raises TooOften."""
    accounts.take_turn("order", f"user {user_id}", OFTEN)


def _who_asks() -> User:
    """The signed-in customer, who has not asked for too many orders. Raises TooOften."""
    user = _user()
    take_turn(user.id)
    return user


def _user() -> User:
    """The signed-in customer as a row, not Flask-Login's stand-in for it."""
    return db.session.scalars(select(User).where(User.id == current_user.id)).one()


def json_object() -> dict[str, Any]:
    """The request's JSON object; an empty body is an empty object. Raises InvalidRequest."""
    if not request.get_data(cache=True).strip():
        return {}
    try:
        body = request.get_json(silent=True, force=True)
    except RecursionError:  # nested deeper than any order
        body = None
    if not isinstance(body, dict):
        raise InvalidRequest(say("Тело запроса должно быть объектом JSON."))
    return body


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with Z, to the second."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
