"""The customer's saved methods: which is charged, another one, and none any more."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user, login_required

from portal import clock
from portal.billing import (
    agreements,
    binding_payments,
    bindings,
    checkout,
    doors,
    methods,
    outlook,
    subscriptions,
)
from portal.billing.outlook import Outlook
from portal.database import db
from portal.gateways import declines
from portal.gateways.base import GatewayError
from portal.models import BindingStatus, GatewayName, PaymentMethod, User
from portal.web import filters, headers
from portal.web.api import take_turn

log = logging.getLogger(__name__)

bp = Blueprint("methods", __name__)


@dataclass(frozen=True, slots=True)
class Line:
    """One saved method as the page shows it."""

    method: PaymentMethod
    is_charged: bool
    is_usable: bool
    why_not: str  # a sentence, where it cannot be charged any more


@bp.get("/dashboard/payment-methods")
@login_required
def index() -> str:
    """What is saved, which of it is charged, and how to add another."""
    headers.allow_payment_page()
    now = clock.now()
    return render_template(
        "methods/index.html",
        lines=_lines(current_user.id, now),
        outlook=_outlook(now),
        gateways=doors.offered() if checkout.recurring_offered() else (),
        small_sum=binding_payments.AMOUNT,
    )


@bp.get("/dashboard/payment-methods/<int:method_id>/unlink")
@login_required
def ask(method_id: int) -> ResponseReturnValue:
    """What unlinking this method will mean."""
    method = methods.owned(current_user.id, method_id)
    if method.detached_at is not None:
        return redirect(url_for("methods.index"), 303)
    now = clock.now()
    seen = _outlook(now)
    is_charged = bool(seen and seen.method and seen.method.id == method.id and _renews(seen))
    return render_template("methods/unlink.html", method=method, outlook=seen, is_charged=is_charged, now=now)


@bp.post("/dashboard/payment-methods/<int:method_id>/unlink")
@login_required
def unlink(method_id: int) -> ResponseReturnValue:
    """Unlink it: always, at once."""
    method = methods.owned(current_user.id, method_id)
    methods.unlink(current_user.id, method_id, clock.now())
    title = filters.means(method.title)
    flash(_("%(title)s: отвязали. Отсюда больше ничего не спишется.", title=title), "good")
    return redirect(url_for("methods.index"), 303)


@bp.post("/dashboard/payment-methods/<int:method_id>/default")
@login_required
def make_default(method_id: int) -> ResponseReturnValue:
    """Let renewals charge this one from now on."""
    at_once = agreements.make_default(current_user.id, method_id, clock.now())
    title = filters.means(methods.owned(current_user.id, method_id).title)
    if at_once:
        flash(_("Продлеваем прямо сейчас: %(title)s. Обычно это до минуты.", title=title), "wait")
        return redirect(url_for("dashboard.show"), 303)
    flash(_("Теперь продление списывается отсюда: %(title)s.", title=title), "good")
    return redirect(url_for("methods.index"), 303)


@bp.post("/dashboard/payment-methods/add")
@login_required
def add() -> ResponseReturnValue:
    """Begin saving another method at the chosen gateway."""
    take_turn(current_user.id)
    user, now = db.session.get_one(User, current_user.id), clock.now()
    name = checkout.gateway_name(request.form.get("gateway", ""))
    if name is GatewayName.CLOUDPAYMENTS:
        payment = binding_payments.start(user, now)
        return redirect(url_for("payment.show", transaction_id=payment.transaction_id), 303)
    binding = bindings.start(user, now)
    if binding.confirmation_url and headers.is_where_payers_go(binding.confirmation_url):
        headers.allow_payment_page()
        return redirect(binding.confirmation_url, 303)
    return redirect(url_for("methods.bound", key=binding.key), 303)


@bp.get("/billing/binding/<key>/return")
@login_required
def bound(key: str) -> str:
    """Where YooKassa sends the browser back. The visit proves nothing: the gateway is asked."""
    binding, now = bindings.owned(current_user.id, key), clock.now()
    if binding.status is BindingStatus.PENDING:
        try:
            bindings.refresh(binding.id, now)
        except GatewayError as error:
            log.warning("Could not ask about binding %s: %s", binding.key, error.code)
        binding = bindings.owned(current_user.id, key)
    page = binding.confirmation_url
    return render_template(
        "methods/bound.html",
        status=binding.status.value,
        method=db.session.get(PaymentMethod, binding.payment_method_id or 0),
        outlook=_outlook(now),
        page=page if page and headers.is_where_payers_go(page) else None,
    )


def _outlook(now: datetime) -> Outlook | None:
    return outlook.of(subscriptions.standing(current_user.id, now), now)


def _renews(seen: Outlook) -> bool:
    return seen.state is not outlook.State.OFF


def _lines(user_id: int, now: datetime) -> list[Line]:
    seen = _outlook(now)
    charged = seen.method.id if seen and seen.method and _renews(seen) else None
    return [
        Line(method, method.id == charged, methods.is_usable(method, now), _why_not(method))
        for method in methods.of(user_id)
    ]


def _why_not(method: PaymentMethod) -> str:
    """The sentence for a refusal that forbids any other try; the template knows what a past month means."""
    if method.stopped_at is None:
        return ""
    return declines.explain(method.gateway.value, method.stop_code).message
