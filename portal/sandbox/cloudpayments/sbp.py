"""Payments by SBP link: made by the API, paid on a page that stands for the bank's application."""

from __future__ import annotations

import secrets
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

from portal.sandbox.clock import iso, parse_iso
from portal.sandbox.cloudpayments import payments
from portal.sandbox.cloudpayments.api_payments import intent_of
from portal.sandbox.cloudpayments.binding import BadRequest, Params
from portal.sandbox.cloudpayments.door import Envelope, method, refusal, success
from portal.sandbox.cloudpayments.reasons import APPROVED
from portal.sandbox.cloudpayments.transactions import Doc, Intent, Status, model, number
from portal.sandbox.world import World, world

KIND = "cloudpayments_qr"
DEFAULT_TTL = 72 * 60
LONGEST_TTL = 129_600
LONGEST_URL = 1024


@method("/payments/qr/sbp/link", "sbp_link", public=True)
def link(public_id: str, params: Params) -> Envelope:
    """Make a payment link; Check is asked before it is given out."""
    params.required("Currency")
    if params.required("Scheme").lower() != "charge":
        raise BadRequest("Invalid Scheme value")
    minutes = params.integer("TtlMinutes")
    minutes = DEFAULT_TTL if minutes is None else minutes
    if not 1 <= minutes <= LONGEST_TTL:
        raise BadRequest("Invalid TtlMinutes value")
    back = _redirect(params)
    intent = intent_of(params, two_stage=False, source="sbp")
    if intent.currency != "RUB":
        raise BadRequest("Invalid Currency value")
    doc = payments.pay_by_wallet(world(), public_id, intent, payments.SBP)
    if doc["status"] == Status.DECLINED:
        return refusal(None, model(doc))
    qr = {
        "id": secrets.token_hex(16).upper(),
        "transaction_id": doc["id"],
        "amount": doc["amount"],
        "currency": doc["currency"],
        "description": doc["description"],
        "reference": doc["invoice_id"],
        "success_url": back,
        "expires_at": iso(world().clock.now() + timedelta(minutes=minutes)),
        "status": "Created",
    }
    world().store.put(KIND, qr["id"], qr)
    return success(
        {
            "QrUrl": f"{world().public_url()}/cloudpayments/sbp/{qr['id']}",
            "QrImage": None,
            "TransactionId": doc["id"],
            "MerchantOrderId": doc["invoice_id"] or None,
            "ProviderQrId": qr["id"],
            "Amount": number(doc["amount"]),
            "Message": "Created",
            "IsTest": bool(params.flag("IsTest")),
        }
    )


@method("/payments/qr/sbp/image", "sbp_image", public=True)
def image(_public_id: str, _params: Params) -> Envelope:
    """Refuse plainly: the sandbox draws no QR code, its links are for browsers."""
    return refusal("The sandbox makes SBP links only: use /payments/qr/sbp/link")


def pay(the_world: World, qr: Doc) -> Doc | None:
    """Pay a link once: the first time its own transaction, later a new one; ``None`` when it has expired."""
    if parse_iso(qr["expires_at"]) <= the_world.clock.now():
        return None
    first = payments.load(the_world, qr["transaction_id"])
    if first["status"] == Status.CREATED:
        return payments.settle(the_world, first["id"], APPROVED)
    again = payments.open_payment(
        the_world, first["public_id"], _same_intent(first), {"method": payments.SBP}
    )
    return payments.settle(the_world, again["id"], APPROVED)


def _same_intent(doc: Doc) -> Intent:
    same = (
        "currency",
        "invoice_id",
        "account_id",
        "email",
        "description",
        "data",
        "save_card",
        "ip",
        "request",
    )
    return Intent(amount=Decimal(doc["amount"]), source="sbp", **{name: doc[name] for name in same})


def _redirect(params: Params) -> str:
    url = params.text("SuccessRedirectUrl")
    if url and (len(url) > LONGEST_URL or not url.isascii() or urlsplit(url).scheme not in {"http", "https"}):
        raise BadRequest("Invalid SuccessRedirectUrl value")
    return url
