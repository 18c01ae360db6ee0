"""One payment's pages: where it is paid, where the browser comes back to, and what that page asks."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, jsonify, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from portal import clock, running
from portal.billing import (
    checkout,
    consents,
    doors,
    methods,
    orders,
    outlook,
    payments,
    refunds,
    subscriptions,
)
from portal.billing.outlook import Outlook, State
from portal.billing.subscriptions import Standing
from portal.database import db
from portal.gateways.base import GatewayClosed
from portal.models import GatewayName, Payment, PaymentPurpose, PaymentStatus, PurchasedPlan, User
from portal.models.payment import ORDERED
from portal.web import grants, headers
from portal.web.api import as_json

#: Refusals that say: nobody paid in time, or another order took this one's place.
_OVER = {"expired", "expired_on_confirmation", "3004", "superseded"}

bp = Blueprint("payment", __name__, url_prefix="/billing/payment/<transaction_id>")


@bp.get("/")
@grants.for_its_payer
def show(payment: Payment) -> ResponseReturnValue:
    """Where it is paid: the widget in our page, or the way to YooKassa's. The outcome is told elsewhere."""
    if takes_cards(payment, clock.now()):
        return _widget_page(payment)
    if leads_to_yookassa(payment, clock.now()):
        return render_template("payment/redirect.html", payment=payment)
    return redirect(url_for("payment.come_back", transaction_id=payment.transaction_id), 303)


@bp.get("/return")
@grants.for_its_payer
def come_back(payment: Payment) -> str:
    """Where both gateways send the browser. The visit proves nothing: the gateway is asked."""
    now = clock.now()
    payment = payments.ask(payment, now)
    standing = subscriptions.standing(payment.user_id, now)
    period = _period(payment, standing)
    return render_template(
        "payment/return.html",
        payment=payment,
        period=period,
        coming=_coming(standing, now) if period else None,
        failure=payments.failure(payment),
        can_go_on=takes_cards(payment, now) or leads_to_yookassa(payment, now),
        is_over=is_over(payment, now),
        other_gateway=_other_gateway(payment),
        page_before=_page_before(payment),
        going_back=refunds.going_back([payment.id]).get(payment.id),
        goes_back=_goes_back(payment),
        not_saved=consents.was_not_saved(payment.id),
        by_link=grants.by_link(),
    )


@bp.get("/status")
@grants.for_its_payer
def status(payment: Payment) -> ResponseReturnValue:
    """The same answer for a program: what the return page polls."""
    return jsonify(as_json(payments.ask(payment, clock.now())))


def takes_cards(payment: Payment, now: datetime) -> bool:
    """Whether the widget may be opened for this order; after a refusal, another card is the same order."""
    return payment.gateway is GatewayName.CLOUDPAYMENTS and _is_payable(
        payment, now, {PaymentStatus.PENDING, PaymentStatus.FAILED}
    )


def leads_to_yookassa(payment: Payment, now: datetime) -> bool:
    """Whether YooKassa's page still waits for the payer; it closes an hour after the order was made."""
    return (
        payment.gateway is GatewayName.YOOKASSA
        and _is_payable(payment, now, {PaymentStatus.PENDING})
        and orders.page_is_alive(payment, now)
        and payment.confirmation_url is not None
        and headers.is_where_payers_go(payment.confirmation_url)
    )


def is_over(payment: Payment, now: datetime) -> bool:
    """Whether the order ended without anybody having tried to pay it, as far as is known."""
    if payment.status is PaymentStatus.FAILED:
        return payment.failure_code in _OVER
    return payment.status is PaymentStatus.PENDING and not _is_payable(payment, now, {payment.status})


def _is_payable(payment: Payment, now: datetime, statuses: set[PaymentStatus]) -> bool:
    return payment.status in statuses and payment.superseded_at is None and now < payment.expires_at


def _widget_page(payment: Payment) -> ResponseReturnValue:
    config = running.config()
    try:
        parameters = checkout.widget(payment, db.session.get_one(User, payment.user_id))
    except GatewayClosed:
        # The shop closed this gateway after the order was made: another one may be open.
        if payment.purpose not in ORDERED or grants.by_link():
            raise
        return redirect(url_for(_page_before(payment), plan_code=payment.plan_code), 303)
    headers.allow_widget()
    return render_template(
        "payment/widget.html",
        payment=payment,
        parameters=parameters,
        widget_url=config.cloudpayments_widget_url,
        failure=payments.failure(payment),
        other_gateway=_other_gateway(payment),
        page_before=_page_before(payment),
    )


def _other_gateway(payment: Payment) -> str | None:
    """The other gateway's name, where it is open and the plan can be bought there."""
    if payment.purpose not in ORDERED or grants.by_link():
        return None
    return next((name.value for name in doors.offered() if name is not payment.gateway), None)


def _page_before(payment: Payment) -> str:
    """The endpoint of the page on which such an order is made, with the plan's code."""
    return "plan_changes.show" if payment.purpose is PaymentPurpose.CHANGE else "checkout.show"


def _goes_back(payment: Payment) -> bool:
    """Whether money that is still to come for it will be returned, because the account was closed since."""
    may_come = payment.status in {PaymentStatus.PENDING, PaymentStatus.AUTHORIZED}
    return may_come and methods.closed_since(db.session(), payment.user_id, payment.created_at)


def _coming(standing: Standing, now: datetime) -> Outlook | None:
    """The charge that follows by itself, where one is planned."""
    found = outlook.of(standing, now)
    return found if found is not None and found.state is State.COMING else None


def _period(payment: Payment, standing: Standing) -> PurchasedPlan | None:
    """The period that this payment gave, while it counts."""
    if payment.status is not PaymentStatus.SUCCEEDED:
        return None
    periods = (*((standing.current,) if standing.current else ()), *standing.upcoming)
    return next((period for period in periods if period.payment_id == payment.id), None)
