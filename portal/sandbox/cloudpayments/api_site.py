"""API methods of the site itself: notification settings, fiscal receipts, the widget's address."""

from __future__ import annotations

from typing import Any

from flask import Response

from portal.sandbox.cloudpayments import hooks, receipts, terminal
from portal.sandbox.cloudpayments.binding import BadRequest, Params
from portal.sandbox.cloudpayments.door import Envelope, answer, api, method, refusal, success
from portal.sandbox.world import world

#: What can be asked and set; Receipt is CloudKassir's and set in the cabinet only.
_TYPES = tuple(kind for kind in hooks.KINDS if kind != "receipt")


@method("/site/notifications/<kind>/get", "notifications_get")
def notifications_get(_public_id: str, _params: Params, kind: str) -> Envelope:
    """Return how one type of notification is delivered."""
    return success(hooks.setting(world(), _type(kind)))


@method("/site/notifications/<kind>/update", "notifications_update")
def notifications_update(_public_id: str, params: Params, kind: str) -> Envelope:
    """Set all five fields at once; what is left out falls back to the documented (dangerous) defaults.

    Only the format CloudPayments is delivered, the fields of QIWI and RT are not published.
    """
    name = _type(kind)
    if name == "check":
        raise BadRequest("Check notification can be configured in the cabinet only")
    enabled, address = bool(params.flag("IsEnabled")), params.text("Address")
    if enabled and not address.startswith(("http://", "https://")):
        raise BadRequest("Invalid Address value" if address else "Address is required")
    how = {
        "HttpMethod": _one_of(params, "HttpMethod", "GET", "POST"),
        "Encoding": _one_of(params, "Encoding", "UTF8", "Windows1251"),
        "Format": _one_of(params, "Format", "CloudPayments"),
    }
    the_world = world()
    with the_world.store.transaction():
        given = the_world.settings["cloudpayments_notify"]
        if isinstance(given, str):
            given = {other: the_world.notification_url("cloudpayments", other) for other in hooks.KINDS}
        the_world.settings.merge(
            {"cloudpayments_notify": {**(given or {}), name: address if enabled else None}}
        )
        the_world.store.put(hooks.SETTING_KIND, name, how)
    return success()


@method("/kkt/receipt", "kkt_receipt")
def kkt_receipt(public_id: str, params: Params) -> Envelope:
    """Take a receipt that belongs to no payment; Receipt tells when it is fiscalized."""
    inn, type_name = params.required("Inn"), params.required("Type")
    if type_name not in receipts.TYPES:
        raise BadRequest("Invalid Type value")
    receipt = params.nested("CustomerReceipt").received
    if not receipt:
        raise BadRequest("CustomerReceipt is required")
    about = {
        "public_id": public_id,
        "invoice_id": params.text("InvoiceId"),
        "account_id": params.text("AccountId"),
    }
    doc = receipts.accept(world(), type_name, receipt, inn, about)
    return {"Model": {"Id": doc["id"], "ErrorCode": 0}, "Success": True, "Message": "Queued"}


@method("/kkt/receipt/get", "kkt_receipt_get")
def kkt_receipt_get(public_id: str, params: Params) -> Envelope:
    """Return what was sent in as a receipt."""
    doc = _receipt(public_id, params)
    return refusal("Not found") if doc is None else success(doc["receipt"])


@method("/kkt/receipt/status/get", "kkt_receipt_status")
def kkt_receipt_status(public_id: str, params: Params) -> Envelope:
    """Return Queued, Processed, Error or NotFound."""
    doc = _receipt(public_id, params)
    return success("NotFound" if doc is None else doc["state"])


@api.get("/merchant/configuration/<public_id>")
def configuration(public_id: str) -> Response:
    """Tell a shop's plugin where the widget is; no authentication, as seen in the official OpenCart
    plugin.
    """
    if not terminal.known(public_id):
        return answer(refusal("Not found"))
    return answer(success({"PublicId": public_id, "WidgetUrl": f"{world().public_url()}/cloudpayments/"}))


def _receipt(public_id: str, params: Params) -> dict[str, Any] | None:
    doc = world().store.get(receipts.KIND, params.required("Id"))
    return doc if doc is not None and doc["public_id"] == public_id else None


def _type(kind: str) -> str:
    if kind.lower() not in _TYPES:
        raise BadRequest("Unknown notification type")
    return kind.lower()


def _one_of(params: Params, name: str, default: str, *others: str) -> str:
    given = params.text(name) or default
    for value in (default, *others):
        if value.lower() == given.lower():
            return value
    raise BadRequest(f"Invalid {name} value")
