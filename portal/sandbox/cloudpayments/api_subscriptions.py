"""API methods of recurring payments."""

from __future__ import annotations

from typing import Any

from portal.sandbox.clock import iso
from portal.sandbox.cloudpayments import subscriptions, tokens
from portal.sandbox.cloudpayments.api_payments import currency_of
from portal.sandbox.cloudpayments.binding import BadRequest, Params
from portal.sandbox.cloudpayments.door import Envelope, method, success
from portal.sandbox.cloudpayments.transactions import storable
from portal.sandbox.world import world


@method("/subscriptions/create", "subscriptions_create")
def create(public_id: str, params: Params) -> Envelope:
    """Start regular payments by a saved card."""
    account_id, token = params.required("AccountId"), params.required("Token")
    start = params.moment("StartDate")
    if start is None:
        raise BadRequest("StartDate is required")
    if start <= world().clock.now():
        raise BadRequest("StartDate must be in the future")
    params.required("Currency")
    agreement = {
        "public_id": public_id,
        "account_id": account_id,
        "description": params.required("Description"),
        "email": params.text("Email"),
        "amount": str(params.amount()),
        "currency": currency_of(params),
        # Listed as mandatory, but clients that misspell it are served: it binds to false.
        "two_stage": bool(params.flag("RequireConfirmation")),
        "interval": subscriptions.interval(params),
        "period": subscriptions.period(params),
        "max_periods": _max_periods(params),
        "receipt": storable(params.nested("CustomerReceipt").received),
        "culture": params.text("CultureName") or "ru-RU",
    }
    if tokens.find(world().store, token, account_id, public_id) is None:
        raise BadRequest("Token not found")
    return success(subscriptions.model(subscriptions.create(world(), agreement, token, start)))


@method("/subscriptions/get", "subscriptions_get")
def get(public_id: str, params: Params) -> Envelope:
    """Return one subscription."""
    return success(subscriptions.model(subscriptions.load(world(), public_id, params.required("Id"))))


@method("/subscriptions/find", "subscriptions_find")
def find(public_id: str, params: Params) -> Envelope:
    """Return all subscriptions of an account, whatever their status; none is an empty list."""
    account_id = params.required("AccountId")
    found = world().store.find(subscriptions.KIND, account_id=account_id, public_id=public_id)
    return success([subscriptions.model(doc) for doc in found])


@method("/subscriptions/update", "subscriptions_update")
def update(public_id: str, params: Params) -> Envelope:
    """Change what is named; a subscription that has ended becomes Active again."""
    subscription_id = params.required("Id")
    kept = subscriptions.load(world(), public_id, subscription_id)
    return success(
        subscriptions.model(subscriptions.update(world(), public_id, subscription_id, _changes(params, kept)))
    )


@method("/subscriptions/cancel", "subscriptions_cancel")
def cancel(public_id: str, params: Params) -> Envelope:
    """End a subscription."""
    subscriptions.cancel(world(), public_id, params.required("Id"))
    return success()


def _changes(params: Params, kept: dict[str, Any]) -> dict[str, Any]:
    """Return the terms that the request names, checked together with those that stay."""
    start = params.moment("StartDate")
    together = Params(
        {
            "Interval": params.text("Interval") or kept["interval"],
            "Period": params.text("Period") or kept["period"],
        }
    )
    receipt = storable(params.nested("CustomerReceipt").received)
    amount = params.amount_or_none("Amount")
    named = {
        "description": params.text("Description") or None,
        "amount": None if amount is None else str(amount),
        "currency": currency_of(params) if params.text("Currency") else None,
        "two_stage": params.flag("RequireConfirmation"),
        "interval": subscriptions.interval(together),
        "period": subscriptions.period(together),
        "max_periods": _max_periods(params),
        "receipt": receipt or None,
        "culture": params.text("CultureName") or None,
        "start": None if start is None else iso(start),
    }
    return {name: value for name, value in named.items() if value is not None}


def _max_periods(params: Params) -> int | None:
    count = params.integer("MaxPeriods")
    if count is not None and count <= 0:
        raise BadRequest("Invalid MaxPeriods value")
    return count
