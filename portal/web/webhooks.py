"""Where the gateways knock. Authentic or nothing (law 6): the raw bytes are judged before anything is parsed.

CloudPayments is answered ``{"code": 0}`` once what it says is committed; YooKassa an empty 200 once the raw
row is. A forged or unsigned call gets 403 and changes nothing; a database that is down answers 500, so that
the gateway comes again.
"""

from __future__ import annotations

import logging
from ipaddress import ip_address, ip_network

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import NotFound as NoSuchAddress

from portal import clock, running
from portal.billing import cloudpayments_events, inbox, settings
from portal.billing.inbox import Delivery
from portal.database import db
from portal.errors import NotAllowed
from portal.gateways.cloudpayments import notifications as cloudpayments
from portal.gateways.cloudpayments.fields import fields_of
from portal.gateways.cloudpayments.notifications import Kind
from portal.gateways.cloudpayments.signature import is_authentic, verify_signature
from portal.gateways.wire import MalformedNotification
from portal.gateways.yookassa import notifications as yookassa
from portal.web import evidence
from portal.wording import marked, say

log = logging.getLogger(__name__)

blueprint = Blueprint("webhooks", __name__, url_prefix="/billing/webhook")


class Forged(NotAllowed):
    """The call does not prove that a gateway sent it."""

    code = "BAD_SIGNATURE"
    message = marked("Подпись уведомления не сошлась.")


@blueprint.route("/cloudpayments/", methods=["GET", "POST"])
@blueprint.route("/cloudpayments/<kind>/", methods=["GET", "POST"])
def from_cloudpayments(kind: str | None = None) -> Response:
    """Take a notification: any kind on the seed's single address, or each kind on its own.

    The kind is told from the signed fields; the address is only a hint, since the signature does not cover
    it.
    """
    if kind is not None and kind not in set(Kind):
        raise NoSuchAddress
    # CloudPayments can be told to notify by GET; then the query string is what is signed (cloudpayments.md
    # 3.7).
    by_get = request.method == "GET"
    raw = request.query_string if by_get else request.get_data(cache=True)
    content_type = "application/x-www-form-urlencoded" if by_get else request.content_type or ""
    _refuse_strange_networks()
    proof = _refuse_unsigned(raw, content_type)
    now = clock.now()
    kept = evidence.of(request.headers, proof)
    delivery = Delivery(raw, content_type, request.remote_addr or "", kind, kept)
    try:
        told = cloudpayments.read(raw, content_type, kind=kind)
    except MalformedNotification:
        log.warning("A signed CloudPayments notification could not be read; it is kept as a case")
        inbox.keep_unreadable(delivery, now)
        return _code(cloudpayments_events.NOT_ACCEPTED if kind == Kind.CHECK else 0)
    if kind is not None and told.kind.value != kind:
        log.warning(
            "CloudPayments sent %s to the address for %s: check the addresses in its cabinet",
            told.kind.value,
            kind,
        )
    if told.kind is Kind.CHECK:
        return _code(_answer_check(told))
    inbox.receive_cloudpayments(delivery, told, now)
    return _code(0)


@blueprint.post("/yookassa/")
def from_yookassa() -> Response:
    """Take a notification from YooKassa's networks; it is believed only once the object was read."""
    config = running.config()
    networks = config.yookassa_webhook_networks
    if not yookassa.is_from_yookassa(
        request.remote_addr or "", yookassa.DEFAULT_NETWORKS if networks is None else networks
    ):
        log.warning("A YooKassa notification from a strange address was refused: %s", request.remote_addr)
        raise Forged(say("Этот адрес не принадлежит ЮKassa."))
    raw = request.get_data(cache=True)
    kept = evidence.of(request.headers)
    delivery = Delivery(raw, request.content_type or "", request.remote_addr or "", headers=kept)
    try:
        told = yookassa.read(raw)
    except MalformedNotification:
        # It cannot be asked about, and a refusal would only have it repeated for a day.
        log.warning("A YooKassa notification could not be read: %s bytes", len(raw))
        if len(raw) <= yookassa.LARGEST_BODY:
            inbox.keep_meaningless(delivery, clock.now())
        return Response(status=200)
    inbox.receive_yookassa(delivery, told, clock.now())
    return Response(status=200)


def _answer_check(told: cloudpayments.CloudPaymentsNotification) -> int:
    """Say whether a payment may go on."""
    code = cloudpayments_events.check(db.session(), told, clock.now())
    if code:
        log.info("Check refused with %s: %s", code, told.reference)
    return code


def _refuse_strange_networks() -> None:
    """An optional second lock beside the signature; the list is the operator's."""
    config = running.config()
    if not config.cloudpayments_webhook_networks:
        return
    address = ip_address(request.remote_addr or "::")
    mapped = getattr(address, "ipv4_mapped", None) or address
    if not any(mapped in ip_network(network) for network in config.cloudpayments_webhook_networks):
        raise Forged(say("Этот адрес не принадлежит CloudPayments."))


def _refuse_unsigned(raw: bytes, content_type: str) -> str:
    """Compare Content-HMAC over the raw bytes; or, where it is switched on, the seed's relay signature.

    Gives the name of the header that was right.
    """
    shop = settings.current()
    if is_authentic(shop.cloudpayments_api_secret, raw, request.headers.get("Content-HMAC")):
        return "Content-HMAC"
    relayed = request.headers.get("X-Signature")
    if shop.cloudpayments_relay_signature and shop.cloudpayments_api_secret and relayed:
        try:
            fields = fields_of(raw, content_type)
        except MalformedNotification:
            raise Forged from None
        if verify_signature(fields, relayed, shop.cloudpayments_api_secret):
            return "X-Signature"
    log.warning("A CloudPayments notification with a missing or wrong signature was refused")
    raise Forged


def _code(code: int) -> Response:
    return jsonify({"code": code})
