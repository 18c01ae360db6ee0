"""Pages that need no script of the merchant's: an invoice, an SBP link, and the issuer's 3-D Secure page."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal.sandbox.cloudpayments import orders, payments, sbp, sessions
from portal.sandbox.cloudpayments.api_payments import pa_res
from portal.sandbox.cloudpayments.binding import BadRequest
from portal.sandbox.cloudpayments.presentation import content_policy, money
from portal.sandbox.cloudpayments.transactions import Doc, Status
from portal.sandbox.cloudpayments.widget import pages
from portal.sandbox.world import world


@pages.get("/d/<order_id>")
def order(order_id: str) -> str:
    """Show an invoice to the payer."""
    doc = _order(order_id)
    return render_template("cloudpayments/order.html", order=doc, sum=money(doc))


@pages.post("/d/<order_id>/pay")
def pay_order(order_id: str) -> AnyResponse:
    """Go on to the payment form of an invoice that waits for payment."""
    doc = _order(order_id)
    if doc["status"] != "Created":
        return redirect(url_for(".order", order_id=order_id), 303)
    session = sessions.create(world(), orders.start_of(doc), "", order_id=order_id)
    return redirect(url_for(".form", session_id=session["id"]), 303)


@pages.get("/sbp/<qr_id>")
def sbp_link(qr_id: str) -> str:
    """Show what the bank's application shows after scanning: a sum, and a button."""
    doc = _qr(qr_id)
    return render_template("cloudpayments/sbp.html", qr=doc, sum=money(doc), paid=request.args.get("paid"))


@pages.post("/sbp/<qr_id>")
def pay_sbp(qr_id: str) -> AnyResponse:
    """Pay an SBP link; as documented it can be paid any number of times while it lives."""
    doc = _qr(qr_id)
    payment = sbp.pay(world(), doc)
    if payment is None:
        return redirect(url_for(".sbp_link", qr_id=qr_id, paid="no"), 303)
    return redirect(doc["success_url"] or url_for(".sbp_link", qr_id=qr_id, paid=payment["id"]), 303)


@pages.post("/acs")
def acs() -> Response:
    """Be the issuer's page for a merchant with a form of its own: takes MD, PaReq, TermUrl, these names
    exactly.
    """
    number, back = request.form.get("MD", ""), request.form.get("TermUrl", "")
    if (
        not number.isdecimal()
        or not request.form.get("PaReq")
        or urlsplit(back).scheme not in {"http", "https"}
    ):
        abort(400, "MD, PaReq and TermUrl are required")
    try:
        doc = payments.load(world(), int(number))
    except BadRequest:
        abort(404)
    if doc["status"] != Status.AWAITING:
        abort(409, "The transaction does not wait for 3-D Secure")
    answers = {"confirm": pa_res(doc, passed=True), "decline": pa_res(doc, passed=False)}
    response = make_response(
        render_template("cloudpayments/acs.html", doc=doc, sum=money(doc), back=back, answers=answers)
    )
    response.headers["Content-Security-Policy"] = content_policy("http: https:")
    return response


def _order(order_id: str) -> Doc:
    doc = world().store.get(orders.KIND, order_id)
    if doc is None:
        abort(404)
    return doc


def _qr(qr_id: str) -> Doc:
    doc = world().store.get(sbp.KIND, qr_id)
    if doc is None:
        abort(404)
    return doc
