"""Hosted invoices: ``orders/create``, its page for the payer, ``orders/cancel``."""

from __future__ import annotations

import secrets
from decimal import Decimal
from typing import Any

from portal.sandbox.clock import iso
from portal.sandbox.cloudpayments.api_payments import currency_of
from portal.sandbox.cloudpayments.binding import BadRequest, Params
from portal.sandbox.cloudpayments.dates import pair
from portal.sandbox.cloudpayments.door import Envelope, method, success
from portal.sandbox.cloudpayments.transactions import Doc, number
from portal.sandbox.world import World, world

KIND = "cloudpayments_order"
FIRST_NUMBER = 2130
_BEHAVIORS = {"createweekly": "Week", "createmonthly": "Month"}

#: Created = 0 is documented; the others are the sandbox's own.
_STATUS_CODES = {"Created": 0, "Paid": 1, "Cancelled": 2}


@method("/orders/create", "orders_create")
def create(public_id: str, params: Params) -> Envelope:
    """Make an invoice with a page of its own; nothing is sent to the payer."""
    behavior = params.text("SubscriptionBehavior").lower()
    if behavior and behavior not in _BEHAVIORS:
        raise BadRequest("Invalid SubscriptionBehavior value")
    if behavior and not params.text("AccountId"):
        raise BadRequest("AccountId is required")
    count = world().store.number("cloudpayments_order", FIRST_NUMBER)
    doc: Doc = {
        "id": secrets.token_hex(8),
        "number": count,
        "public_id": public_id,
        "amount": str(params.amount()),
        "currency": currency_of(params),
        "description": params.required("Description"),
        "email": params.text("Email"),
        "phone": params.text("Phone"),
        "two_stage": bool(params.flag("RequireConfirmation")),
        "invoice_id": params.text("InvoiceId"),
        "account_id": params.text("AccountId"),
        "culture": params.text("CultureName") or "ru-RU",
        "data": params.json_text(),
        "interval": _BEHAVIORS.get(behavior, ""),
        "success_url": params.text("SuccessRedirectUrl"),
        "fail_url": params.text("FailRedirectUrl"),
        "status": "Created",
        "created_at": iso(world().clock.now()),
        "paid_at": None,
        "reference": params.text("InvoiceId"),
    }
    world().store.put(KIND, doc["id"], doc)
    return success(model(doc))


@method("/orders/cancel", "orders_cancel")
def cancel(public_id: str, params: Params) -> Envelope:
    """Withdraw an invoice that was not paid."""
    with world().store.transaction():
        doc = world().store.get(KIND, params.required("Id"))
        if doc is None or doc["public_id"] != public_id:
            raise BadRequest("Order not found")
        if doc["status"] == "Paid":
            raise BadRequest("Order is already paid")
        world().store.put(KIND, doc["id"], {**doc, "status": "Cancelled"})
    return success()


def model(doc: Doc) -> Doc:
    """Return an invoice as the API shows it."""
    return {
        "Id": doc["id"],
        "Number": doc["number"],
        "Amount": number(doc["amount"]),
        "Currency": doc["currency"],
        "CurrencyCode": 0,
        "Email": doc["email"] or None,
        "Phone": doc["phone"] or None,
        "Description": doc["description"],
        "RequireConfirmation": doc["two_stage"],
        "Url": f"{world().public_url()}/cloudpayments/d/{doc['id']}",
        "CultureName": doc["culture"],
        **pair("CreatedDate", doc["created_at"]),
        **pair("PaymentDate", doc["paid_at"]),
        "StatusCode": _STATUS_CODES[doc["status"]],
        "Status": doc["status"],
        "InternalId": doc["number"],
    }


def start_of(doc: Doc) -> Doc:
    """Return the invoice as parameters of the widget's ``start()``."""
    start: dict[str, Any] = {
        "publicTerminalId": doc["public_id"],
        "amount": float(Decimal(doc["amount"])),
        "currency": doc["currency"],
        "paymentSchema": "Dual" if doc["two_stage"] else "Single",
        "culture": doc["culture"],
        "description": doc["description"],
        "externalId": doc["invoice_id"],
        "receiptEmail": doc["email"],
        "metadata": doc["data"],
        "userInfo": {"accountId": doc["account_id"], "phone": doc["phone"]},
        "successRedirectUrl": doc["success_url"],
        "failRedirectUrl": doc["fail_url"],
    }
    if doc["interval"]:
        start["recurrent"] = {"interval": doc["interval"], "period": 1}
    return start


def note_payment(the_world: World, session: Doc, payment: Doc) -> None:
    """Turn the invoice of a payment form into a paid one."""
    with the_world.store.transaction():
        doc = the_world.store.get(KIND, session.get("order_id", ""))
        if doc is not None and doc["status"] == "Created":
            the_world.store.put(KIND, doc["id"], {**doc, "status": "Paid", "paid_at": payment["auth_at"]})
