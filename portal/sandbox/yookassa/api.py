"""The API under ``/yookassa/v3``: what every request must bring, and the routes."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, Response, request

from portal.sandbox.faults import operation
from portal.sandbox.store import Document
from portal.sandbox.world import world
from portal.sandbox.yookassa import account, creation, methods, payments, receipts, refunds
from portal.sandbox.yookassa.idempotency import once
from portal.sandbox.yookassa.lists import page
from portal.sandbox.yookassa.refusals import (
    WRONG_CREDENTIALS,
    WRONG_KEY_FORMAT,
    WRONG_LOGIN_FORMAT,
    RefusalError,
    invalid,
)
from portal.sandbox.yookassa.settings import OAUTH_TOKEN, SECRET_KEY, SHOP_ID

blueprint = Blueprint("yookassa_api", __name__, url_prefix="/yookassa/v3")
NAME = "yookassa"
_SHOW: dict[str, Callable[[Document], Document]] = {
    payments.KIND: payments.show,
    refunds.KIND: refunds.show,
    methods.KIND: methods.show,
    receipts.KIND: receipts.show,
    account.WEBHOOK: account.show_webhook,
}


def answer(document: Document, status: int = 200) -> Response:
    """Write a JSON answer; success is always 200."""
    return Response(json.dumps(document, ensure_ascii=False), status, mimetype="application/json")


def refusal_answer(error: RefusalError) -> Response:
    """Write the error object of a refusal."""
    return answer(error.body, error.status)


def _speaks(view: Callable[..., Document]) -> Callable[..., Response]:
    """Let a view return an object, or raise RefusalError, in YooKassa's manner."""

    @wraps(view)
    def speaking(*args: Any, **kwargs: Any) -> Response:
        try:
            return answer(view(*args, **kwargs))
        except RefusalError as error:
            return refusal_answer(error)

    return speaking


@blueprint.before_request
def check_request() -> Response | None:
    """Refuse wrong credentials (401) and, before anything is read, another content type than JSON (415,
    empty).
    """
    try:
        _check_credentials()
    except RefusalError as error:
        return refusal_answer(error)
    if request.method == "POST" and request.content_length and not request.is_json:
        return Response(status=415)
    return None


def _check_credentials() -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip() == OAUTH_TOKEN:
        return
    try:
        text = base64.b64decode(token.strip(), validate=True).decode() if scheme.lower() == "basic" else ":"
    except (binascii.Error, UnicodeDecodeError):
        text = ":"
    shop, _, key = text.partition(":")
    if shop and not re.fullmatch(r"\d+", shop, re.ASCII):
        raise RefusalError(401, WRONG_LOGIN_FORMAT, "Authorization")
    if key and not re.fullmatch(r"(test|live)_[\w-]+", key, re.ASCII):
        raise RefusalError(401, WRONG_KEY_FORMAT, "Authorization")
    if (shop, key) != (SHOP_ID, SECRET_KEY):
        raise RefusalError(401, WRONG_CREDENTIALS, "Authorization")


def _body() -> Document:
    """The JSON object of a POST; an empty body is an empty object."""
    if not request.get_data():
        return {}
    try:
        body = json.loads(request.get_data())
    except ValueError as error:
        raise RefusalError(400, "Request body isn't valid JSON") from error
    if not isinstance(body, dict):
        raise RefusalError(400, "Request body must be a JSON object")
    return body


def _do(work: Callable[[Document], tuple[str, str]]) -> Document:
    """Do a POST's work once for its idempotence key and show the object as it is now."""
    the_world, body = world(), _body()
    kind, key = once(the_world, body, lambda: work(body))
    return _SHOW[kind](the_world.store.get(kind, key) or {})


def _list(kind: str, **options: Any) -> Document:
    the_world = world()
    listing = page(the_world.store.all(kind), request.args, the_world.clock.now(), **options)
    listing["items"] = [_SHOW[kind](doc) for doc in listing["items"]]
    return listing


@blueprint.post("/payments")
@operation(NAME, "create_payment", "payments", "payments_create", "post_payments", "create", "charge")
@_speaks
def create_payment() -> Document:
    """Make a payment, or charge a saved method."""
    return _do(lambda body: creation.create(world(), body, world().public_url()))


@blueprint.get("/payments")
@operation(NAME, "list_payments", "get_payments_list", "payments_list")
@_speaks
def list_payments() -> Document:
    """List payments, newest first."""
    return _list(
        payments.KIND,
        equals={
            "status": lambda doc: doc["status"],
            "payment_method": lambda doc: doc["object"].get("payment_method", {}).get("type"),
        },
        moments=("created_at", "captured_at"),
    )


@blueprint.get("/payments/<key>")
@operation(NAME, "get_payment", "payments_get", "find_payment", "payments_find_one")
@_speaks
def get_payment(key: str) -> Document:
    """Show one payment."""
    return payments.show(payments.fetch(world(), key))


@blueprint.post("/payments/<key>/capture")
@operation(NAME, "capture_payment", "payments_capture", "capture", "post_payments_capture")
@_speaks
def capture_payment(key: str) -> Document:
    """Take a held payment, whole or in part."""
    return _do(lambda body: payments.capture(world(), key, body))


@blueprint.post("/payments/<key>/cancel")
@operation(NAME, "cancel_payment", "payments_cancel", "cancel", "post_payments_cancel")
@_speaks
def cancel_payment(key: str) -> Document:
    """Give a held payment back."""
    return _do(lambda _body: payments.cancel(world(), key))


@blueprint.post("/refunds")
@operation(NAME, "create_refund", "refund", "refunds_create", "post_refunds", "payments_refund")
@_speaks
def create_refund() -> Document:
    """Refund a payment, whole or in part."""
    return _do(lambda body: refunds.create(world(), body))


@blueprint.get("/refunds")
@operation(NAME, "list_refunds", "get_refunds_list", "refunds_list")
@_speaks
def list_refunds() -> Document:
    """List refunds, newest first."""
    return _list(
        refunds.KIND,
        equals={"status": lambda doc: doc["status"], "payment_id": lambda doc: doc["payment_id"]},
    )


@blueprint.get("/refunds/<key>")
@operation(NAME, "get_refund", "refunds_get", "find_refund", "refunds_find_one")
@_speaks
def get_refund(key: str) -> Document:
    """Show one refund."""
    return refunds.show(refunds.fetch(world(), key))


@blueprint.post("/payment_methods")
@operation(NAME, "create_payment_method", "payment_methods", "bind_card", "post_payment_methods")
@_speaks
def create_payment_method() -> Document:
    """Begin a binding without a payment."""

    def bind(body: Document) -> tuple[str, str]:
        if world().settings["yookassa_recurring_blocks_saved"]:
            creation.require_recurring(world())
        return methods.bind(world(), body, world().public_url())

    return _do(bind)


@blueprint.get("/payment_methods/<key>")
@operation(NAME, "get_payment_method", "payment_methods_get", "find_payment_method")
@_speaks
def get_payment_method(key: str) -> Document:
    """Show one binding."""
    return methods.show(methods.fetch_binding(world(), key))


@blueprint.post("/receipts")
@operation(NAME, "create_receipt", "receipts", "receipts_create", "post_receipts")
@_speaks
def create_receipt() -> Document:
    """Make a separate receipt."""
    return _do(lambda body: receipts.create(world(), body))


@blueprint.get("/receipts")
@operation(NAME, "list_receipts", "get_receipts_list", "receipts_list")
@_speaks
def list_receipts() -> Document:
    """List receipts, newest first."""
    names = ("status", "payment_id", "refund_id")
    return _list(receipts.KIND, equals={n: lambda doc, n=n: doc["object"].get(n) for n in names})


@blueprint.get("/receipts/<key>")
@operation(NAME, "get_receipt", "receipts_get", "find_receipt", "receipts_find_one")
@_speaks
def get_receipt(key: str) -> Document:
    """Show one receipt."""
    return receipts.show(receipts.fetch(world(), key))


@blueprint.get("/me")
@operation(NAME, "get_me", "me", "settings", "account")
@_speaks
def get_me() -> Document:
    """Show the shop."""
    return account.me(world())


@blueprint.get("/webhooks")
@operation(NAME, "list_webhooks", "get_webhooks")
@_speaks
def list_webhooks() -> Document:
    """List the webhooks that were registered by API."""
    return {"type": "list", "items": [account.show_webhook(d) for d in world().store.all(account.WEBHOOK)]}


@blueprint.post("/webhooks")
@operation(NAME, "create_webhook", "webhooks", "webhooks_create", "post_webhooks")
@_speaks
def create_webhook() -> Document:
    """Register an address for one event."""
    return _do(lambda body: account.add_webhook(world(), body))


@blueprint.delete("/webhooks/<key>")
@operation(NAME, "delete_webhook", "webhooks_delete")
@_speaks
def delete_webhook(key: str) -> Document:
    """Take a registered address away."""
    if world().store.get(account.WEBHOOK, key) is None:
        raise invalid("webhook_id")
    world().store.delete(account.WEBHOOK, key)
    return {}
