"""The pages that a payer sees: the form behind ``confirmation_url``, the binding form, and the bank's 3-D
Secure page.
"""

from __future__ import annotations

import re
from decimal import Decimal

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from portal.sandbox.store import Document
from portal.sandbox.world import world
from portal.sandbox.yookassa import methods, payer, payments
from portal.sandbox.yookassa.cards import is_number, offered
from portal.sandbox.yookassa.means import MEANS

blueprint = Blueprint("yookassa_pages", __name__, url_prefix="/yookassa/checkout")

REASONS = {
    "3d_secure_failed": "Банк не подтвердил оплату (3-D Secure).",
    "call_issuer": "Банк отклонил платёж. Позвоните в банк, который выпустил карту.",
    "card_expired": "Срок действия карты истёк.",
    "country_forbidden": "Карты этой страны здесь не принимаются.",
    "fraud_suspected": "Платёж заблокирован из-за подозрения в мошенничестве.",
    "general_decline": "Платёж отклонён без объяснения причины.",
    "insufficient_funds": "На карте не хватает денег.",
    "invalid_card_number": "Номер карты введён неправильно.",
    "invalid_csc": "Код CVC введён неправильно.",
    "issuer_unavailable": "Банк сейчас не отвечает.",
    "payment_method_limit_exceeded": "Исчерпан лимит платежей.",
    "payment_method_restricted": "Карта заблокирована: операции по ней запрещены.",
}
STATES = {
    "succeeded": "Платёж проведён",
    "waiting_for_capture": "Деньги удержаны, магазин ещё не подтвердил платёж",
    "canceled": "Платёж отменён",
    "active": "Карта привязана",
    "inactive": "Карта не привязана: время вышло или банк отказал",
    "pending": "Платёж ждёт ответа банка",
}


def rubles(value: str) -> str:
    """Write a sum for a person: ``1 990,00 ₽`` with unbreakable spaces."""
    return (
        f"{Decimal(value):,.2f}".replace(",", "\N{NO-BREAK SPACE}").replace(".", ",") + "\N{NO-BREAK SPACE}₽"
    )


@blueprint.get("/payments/v2/contract")
def pay_page() -> str:
    """The payment form, or what has become of the payment."""
    return _form(payments.KIND, request.args.get("orderId", ""), request.args.get("method"))


@blueprint.post("/payments/v2/contract")
def pay_by_card() -> Response:
    """The payer has sent the card form."""
    return _take_card(payments.KIND, request.args.get("orderId", ""))


@blueprint.get("/payment-methods/v1/contract")
def bind_page() -> str:
    """The form that binds a card without a payment."""
    return _form(methods.KIND, request.args.get("paymentMethodId", ""), None)


@blueprint.post("/payment-methods/v1/contract")
def bind_card() -> Response:
    """The payer has sent the binding form."""
    return _take_card(methods.KIND, request.args.get("paymentMethodId", ""))


@blueprint.post("/other-means")
def pay_otherwise() -> Response:
    """The payer has answered in the application of SBP, SberPay, T-Pay or YooMoney."""
    key, means = request.form.get("id", ""), request.form.get("method", "")
    kind, doc = _subject(key)
    if means not in _means(kind, doc) or means == "bank_card":
        abort(400)
    accepted, save = request.form.get("answer") == "accept", "save" in request.form
    try:
        payer.try_means(world(), key, means, accepted=accepted, save=save)
    except payer.AlreadyOverError:
        return redirect(_address(kind, key), 303)
    return _onward(key, means)


@blueprint.get("/3ds/<attempt>")
def three_ds_page(attempt: str) -> str:
    """The bank's page that asks for a code."""
    doc = payer.attempt_subject(world(), attempt)
    if doc is None:
        abort(404)
    amount = doc["object"].get("amount")
    return render_template(
        "yookassa/three_ds.html", attempt=attempt, amount=amount and rubles(amount["value"])
    )


@blueprint.post("/3ds/<attempt>")
def answer_three_ds(attempt: str) -> Response:
    """The payer has entered the code (any digits will do), or has refused."""
    doc = payer.attempt_subject(world(), attempt)
    if doc is None:
        abort(404)
    passed = request.form.get("answer") == "confirm" and request.form.get("code", "").strip().isdigit()
    try:
        payer.answer_three_ds(world(), attempt, passed=passed)
    except payer.AlreadyOverError:
        return redirect(_address(*_kind_and_id(doc)), 303)
    return _onward(doc["id"], "bank_card")


def _subject(key: str) -> tuple[str, Document]:
    return payer.subject(world(), key) or abort(404)


def _kind_and_id(doc: Document) -> tuple[str, str]:
    return (methods.KIND if "origin" in doc else payments.KIND), str(doc["id"])


def _address(kind: str, key: str, method: str | None = None) -> str:
    if kind == payments.KIND:
        return url_for("yookassa_pages.pay_page", orderId=key, method=method)
    return url_for("yookassa_pages.bind_page", paymentMethodId=key)


def _means(kind: str, doc: Document) -> list[str]:
    return list(doc["means"]) if kind == payments.KIND else [doc["object"]["type"]]


def _onward(key: str, means: str) -> Response:
    """Back to the shop, to the unchanged return_url, when it is over; otherwise back to the form."""
    kind, doc = _subject(key)
    if doc["status"] == "pending" or not doc["return_url"]:
        return redirect(_address(kind, key, None if means == "bank_card" else means), 303)
    response = Response(status=303)
    response.headers["Location"] = doc["return_url"]
    response.autocorrect_location_header = False
    return response


def _form(kind: str, key: str, chosen: str | None) -> str:
    found_kind, doc = _subject(key)
    if found_kind != kind:
        abort(404)
    means = _means(kind, doc)
    now = chosen if chosen in means else means[0]
    amount = doc["object"].get("amount")
    waiting_for_bank = doc["object"].get("payment_method", {}).get("saved") is True
    return render_template(
        "yookassa/checkout.html",
        doc=doc,
        binding=kind == methods.KIND,
        action=_address(kind, key),
        amount=rubles(amount["value"]) if amount else None,
        description=doc["object"].get("description"),
        tabs=[(name, MEANS[name].title, _address(kind, key, name)) for name in means],
        now=now,
        title=MEANS[now].title,
        forced=kind == payments.KIND and doc["saving"] == "forced",
        box=kind == payments.KIND and doc["saving"] == "offered" and payer.can_be_saved(doc, now),
        over=None if doc["status"] == "pending" and not waiting_for_bank else STATES[doc["status"]],
        failed=REASONS.get(doc["last_reason"] or "", doc["last_reason"]),
        cards=offered(),
        problem=request.args.get("problem"),
    )


def _take_card(kind: str, key: str) -> Response:
    found_kind, doc = _subject(key)
    if found_kind != kind or "bank_card" not in _means(kind, doc):
        abort(404)
    entry = _entry()
    if entry is None:
        return redirect(f"{_address(kind, key)}&problem=1", 303)
    try:
        attempt = payer.try_card(world(), key, entry)
    except payer.AlreadyOverError:
        return redirect(_address(kind, key), 303)
    if attempt:
        return redirect(url_for("yookassa_pages.three_ds_page", attempt=attempt), 303)
    return _onward(key, "bank_card")


def _entry() -> payer.CardEntry | None:
    """Read the card form; None when the number, the date or the code cannot be what a card bears."""
    number = re.sub(r"[\s-]", "", request.form.get("card_number", ""))
    date = re.fullmatch(
        r"(0[1-9]|1[0-2])\s*/?\s*(?:20)?(\d\d)", request.form.get("expiry", "").strip(), re.ASCII
    )
    code = re.fullmatch(r"\d{3,4}", request.form.get("csc", "").strip(), re.ASCII)
    if not is_number(number) or not date or not code:
        return None
    return payer.CardEntry(number, date[1], f"20{date[2]}", "save" in request.form)
