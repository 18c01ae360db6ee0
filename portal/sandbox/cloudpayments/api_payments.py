"""API methods that move money: charge, auth, 3-D Secure, tokens, confirm, void, refund."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from portal.sandbox.cloudpayments import payments, refunds, tokens
from portal.sandbox.cloudpayments.binding import BadRequest, Params
from portal.sandbox.cloudpayments.cards import EnteredCard
from portal.sandbox.cloudpayments.cryptogram import read_cryptogram
from portal.sandbox.cloudpayments.door import Envelope, method, refusal, success
from portal.sandbox.cloudpayments.transactions import Doc, Intent, Status, model, number
from portal.sandbox.world import world


def intent_of(params: Params, *, two_stage: bool, source: str) -> Intent:
    """Read the parameters that all payment methods share; raises ``BadRequest`` for a missing Amount."""
    return Intent(
        amount=params.amount(),
        currency=currency_of(params),
        two_stage=two_stage,
        invoice_id=params.text("InvoiceId"),
        account_id=params.text("AccountId"),
        email=params.text("Email"),
        description=params.text("Description"),
        data=params.json_text(),
        save_card=bool(params.flag("SaveCard")),
        name=params.text("Name"),
        ip=params.text("IpAddress") or "127.0.0.1",
        culture=params.text("CultureName") or "ru-RU",
        source=source,
        request=params.received,
    )


def currency_of(params: Params) -> str:
    """Return the currency, RUB by default; raises ``BadRequest`` for what is not three letters."""
    currency = params.text("Currency") or "RUB"
    if len(currency) != 3 or not currency.isalpha():
        raise BadRequest("Invalid Currency value")
    return currency.upper()


def outcome(doc: Doc) -> Envelope:
    """Return one of the three answers of a payment call that was understood: 3-D Secure, declined,
    accepted.
    """
    if doc["status"] == Status.AWAITING:
        return refusal(None, three_ds(doc))
    if doc["status"] == Status.DECLINED:
        return refusal(None, model(doc))
    return success(model(doc))


def three_ds(doc: Doc) -> Doc:
    """Return what the payer's browser needs for the issuer's page."""
    asked = {
        "MerchantName": None,
        "FirstSix": doc["first_six"],
        "LastFour": doc["last_four"],
        "Amount": number(doc["amount"]),
        "CurrencyCode": doc["currency"],
        "Date": doc["created_at"],
        "CustomerName": doc["name"] or None,
        "CultureName": doc["culture"],
    }
    return {
        "TransactionId": doc["id"],
        "PaReq": "+/" + base64.b64encode(json.dumps(asked, ensure_ascii=False).encode()).decode(),
        "GoReq": None,
        "AcsUrl": f"{world().public_url()}/cloudpayments/acs",
        "ThreeDsSessionData": None,
        "IFrameIsAllowed": True,
        "FrameWidth": None,
        "FrameHeight": None,
        "ThreeDsCallbackId": doc["three_ds_id"],
        "EscrowAccumulationId": None,
    }


def pa_res(doc: Doc, *, passed: bool) -> str:
    """Return what the issuer's page sends back; only this very challenge's key makes it good."""
    said = {"Key": doc["three_ds_id"], "Status": "Y" if passed else "N"}
    return base64.b64encode(json.dumps(said).encode()).decode()


def says_yes(doc: Doc, text: str) -> bool:
    """Tell whether a PaRes is this challenge's "passed"; anything else counts as failed."""
    try:
        said: Any = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False
    return (
        isinstance(said, dict) and said.get("Status") == "Y" and said.get("Key") == doc["three_ds_id"] != ""
    )


def _by_card(public_id: str, params: Params, *, two_stage: bool) -> Envelope:
    intent = intent_of(params, two_stage=two_stage, source="api")
    params.required("IpAddress")
    card: EnteredCard = read_cryptogram(world().store, params.required("CardCryptogramPacket"))
    return outcome(payments.pay_by_card(world(), public_id, intent, card))


def _by_token(public_id: str, params: Params, *, two_stage: bool) -> Envelope:
    intent = intent_of(params, two_stage=two_stage, source="token")
    account_id, token = params.required("AccountId"), params.required("Token")
    initiator = params.required_integer("TrInitiatorCode")
    if initiator not in {0, 1}:
        raise BadRequest("Invalid TrInitiatorCode value")
    if params.integer("PaymentScheduled") not in {None, 0, 1}:
        raise BadRequest("Invalid PaymentScheduled value")
    saved = tokens.find(world().store, token, account_id, public_id)
    if saved is None:
        raise BadRequest("Token not found")
    doc = payments.pay_by_token(world(), public_id, intent.initiated_by(initiator), saved)
    return outcome(doc)


@method("/payments/cards/charge", "cards_charge")
def cards_charge(public_id: str, params: Params) -> Envelope:
    """One-stage payment by cryptogram."""
    return _by_card(public_id, params, two_stage=False)


@method("/payments/cards/auth", "cards_auth")
def cards_auth(public_id: str, params: Params) -> Envelope:
    """Two-stage payment by cryptogram: only a hold."""
    return _by_card(public_id, params, two_stage=True)


@method("/payments/cards/post3ds", "post3ds")
def post3ds(public_id: str, params: Params) -> Envelope:
    """End of a payment whose payer came back from the issuer's page."""
    transaction_id, text = params.required_integer("TransactionId"), params.required("PaRes")
    doc = payments.load(world(), transaction_id, public_id)
    if doc["status"] != Status.AWAITING:
        raise BadRequest("Transaction is not in the AwaitingAuthentication status")
    return outcome(payments.pass_three_ds(world(), transaction_id, passed=says_yes(doc, text)))


@method("/payments/tokens/charge", "tokens_charge", "charge")
def tokens_charge(public_id: str, params: Params) -> Envelope:
    """One-stage payment by a saved card."""
    return _by_token(public_id, params, two_stage=False)


@method("/payments/tokens/auth", "tokens_auth")
def tokens_auth(public_id: str, params: Params) -> Envelope:
    """Two-stage payment by a saved card."""
    return _by_token(public_id, params, two_stage=True)


@method("/payments/confirm", "confirm")
def confirm(public_id: str, params: Params) -> Envelope:
    """Capture of a hold, wholly or in part."""
    transaction_id, amount = params.required_integer("TransactionId"), params.amount()
    payments.confirm(world(), public_id, transaction_id, amount, params.json_text())
    return success()


@method("/payments/void", "void")
def void(public_id: str, params: Params) -> Envelope:
    """Release of a hold."""
    payments.void(world(), public_id, params.required_integer("TransactionId"))
    return success()


@method("/payments/refund", "refund")
def refund(public_id: str, params: Params) -> Envelope:
    """Refund, whole or in part; the answer names the refund's own transaction."""
    transaction_id, amount = params.required_integer("TransactionId"), params.amount()
    doc = refunds.refund(world(), public_id, transaction_id, amount, params.json_text())
    return success({"TransactionId": doc["id"]})
