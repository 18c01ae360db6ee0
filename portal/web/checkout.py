"""Checkout: what is bought, for how much and how long, and the way to the gateway."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal import clock
from portal.billing import checkout, plans
from portal.billing.checkout import Order, Preview
from portal.database import db
from portal.gateways.base import GatewayError, GatewayForbidden, GatewayUnknown
from portal.models import PaymentStatus, Plan, User
from portal.web import headers
from portal.web.api import client_info, take_turn
from portal.web.forms import CheckoutForm

log = logging.getLogger(__name__)

bp = Blueprint("checkout", __name__)


@bp.get("/checkout/<plan_code>")
def show(plan_code: str) -> ResponseReturnValue:
    """What the customer is about to buy. A visitor makes an account first and comes back to this plan."""
    plan = plans.on_sale_by_code(plan_code)
    if not current_user.is_authenticated:
        return _register_first(plan)
    seen = checkout.preview(current_user.id, plan, clock.now())
    form = CheckoutForm.offering(
        seen.gateways, recurring=seen.recurring_offered, preferred=request.args.get("gateway")
    )
    return _page(seen, form)


@bp.post("/checkout/<plan_code>")
def order(plan_code: str) -> ResponseReturnValue:
    """Make the order, or find the open one, and lead to the gateway."""
    plan = plans.on_sale_by_code(plan_code)
    if not current_user.is_authenticated:
        return _register_first(plan)
    seen = checkout.preview(current_user.id, plan, clock.now())
    form = CheckoutForm.offering(seen.gateways, recurring=seen.recurring_offered)
    if not form.validate():
        return _page(seen, form), 400
    try:
        made = _start(plan, form)
    except GatewayForbidden:
        raise  # the whole shop lacks a right: a page of its own says so
    except GatewayUnknown:
        # Nobody knows what became of the order: the return page asks, and tells.
        left = checkout.preview(current_user.id, plan, clock.now()).open_payment
        if left is None:
            raise
        return redirect(url_for("payment.come_back", transaction_id=left.transaction_id), 303)
    except GatewayError as error:
        return _page(checkout.preview(current_user.id, plan, clock.now()), form, trouble=error), error.status
    return lead(made)


def _start(plan: Plan, form: Any) -> Order:
    take_turn(current_user.id)
    return checkout.start(
        db.session.get_one(User, current_user.id),
        plan.code,
        form.gateway.data,
        accept_recurring=bool("accept_recurring" in form and form.accept_recurring.data),
        client=client_info(),
        now=clock.now(),
    )


def lead(made: Order) -> ResponseReturnValue:
    """To YooKassa's page, if it is theirs; otherwise to ours."""
    if made.confirmation_url and headers.is_where_payers_go(made.confirmation_url):
        headers.allow_payment_page()
        return redirect(made.confirmation_url, 303)
    if made.confirmation_url:
        log.error("Payment %s: its payment page is on a strange host", made.payment.transaction_id)
    return redirect(url_for("payment.show", transaction_id=made.payment.transaction_id), 303)


def _page(seen: Preview, form: Any, trouble: GatewayError | None = None) -> str:
    headers.allow_payment_page()
    left = seen.open_payment
    # After a refusal that did nothing, the same click again goes on with the same order.
    waits = (
        left is not None and left.status in {PaymentStatus.UNKNOWN, PaymentStatus.AUTHORIZED} and not trouble
    )
    return render_template(
        "checkout/show.html",
        seen=seen,
        plan=seen.plan,
        form=form,
        trouble=trouble,
        undecided=left if waits else None,
    )


def _register_first(plan: Plan) -> ResponseReturnValue:
    return redirect(url_for("accounts.register", next=url_for("checkout.show", plan_code=plan.code)), 303)
