"""The widget's side of the browser: the script, and the pages inside its frame.

All pages are plain forms; the scripts only fill in test cards, pass messages to the embedding page and close.
"""

from __future__ import annotations

import re
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    jsonify,
    redirect,
    render_template,
    request,
    send_from_directory,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

from portal.sandbox.cloudpayments import cards, orders, payments, sessions
from portal.sandbox.cloudpayments.binding import BadRequest
from portal.sandbox.cloudpayments.cards import EnteredCard
from portal.sandbox.cloudpayments.presentation import framed, money
from portal.sandbox.cloudpayments.reasons import APPROVED
from portal.sandbox.cloudpayments.transactions import Doc, Status
from portal.sandbox.cloudpayments.widget_intent import (
    SHORTEST,
    auto_close,
    email_behavior,
    intent_of_start,
    may_retry,
    offers,
    public_id_of,
    web_address,
)
from portal.sandbox.world import world

pages = Blueprint("cloudpayments_pages", __name__, url_prefix="/cloudpayments")
pages.after_request(framed)

_CUSTOMER_CANCELLATION = 5017
_WALLETS = {"sbp": payments.SBP, "sberpay": payments.SBER_PAY}
_ORIGIN = re.compile(r"https?://[^/\s?#]+")


@pages.get("/bundles/cloudpayments.js")
@pages.get("/bundles/cloudpayments")
def bundle() -> Response:
    """Give the widget's script, under its present and its old name."""
    return _script("widget.js")


@pages.get("/checkout.js")
def checkout() -> Response:
    """Give the script that makes card cryptograms."""
    return _script("checkout.js")


def _script(name: str) -> Response:
    response = send_from_directory(
        f"{pages.root_path}/../static/cloudpayments", name, mimetype="text/javascript"
    )
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Cache-Control"] = "no-cache"
    return response


@pages.get("/widget/open")
def open_frame() -> str:
    """Begin inside the frame: a page that asks the embedding page (``?origin=``) what is to be paid."""
    origin = request.args.get("origin", "")
    if not _ORIGIN.fullmatch(origin):
        abort(400, "origin is missing")
    return render_template("cloudpayments/open.html", origin=origin)


@pages.post("/widget/sessions")
def create_session() -> tuple[Response, int]:
    """Take what the embedding page asked for; answers the form's address or 400 with what is wrong."""
    body = request.get_json(silent=True)
    start = body.get("start") if isinstance(body, dict) else None
    origin = str(body.get("origin")) if isinstance(body, dict) else ""
    if not isinstance(start, dict) or not _ORIGIN.fullmatch(origin):
        return jsonify(message="start and origin are required"), 400
    try:
        intent_of_start(start, "")
    except BadRequest as error:
        return jsonify(message=error.message), 400
    session = sessions.create(world(), start, origin)
    return jsonify(url=url_for(".form", session_id=session["id"])), 201


@pages.get("/widget/<session_id>")
def form(session_id: str) -> str | AnyResponse:
    """Show the payment form, or where an earlier attempt has come to."""
    session = _session(session_id)
    doc = sessions.transaction(world(), session)
    if doc is not None and sessions.result(doc):
        return _to("result", session)
    return _form(session, {}, {})


@pages.post("/widget/<session_id>/card")
def pay_by_card(session_id: str) -> str | AnyResponse | tuple[str, int]:
    """Pay with what was typed; goes on to 3-D Secure or to the result."""
    session = _session(session_id)
    if _paid(session):
        return _to("result", session)
    card, errors = _entered(session)
    if card is None:
        return _form(session, request.form, errors), 422
    start, email = session["start"], request.form.get("email", "").strip()
    intent = intent_of_start(start, request.remote_addr or "", email)
    doc = payments.pay_by_card(world(), public_id_of(start), intent, card)
    sessions.attach(world(), session, doc["id"])
    return _to("three_ds" if doc["status"] == Status.AWAITING else "result", session)


@pages.post("/widget/<session_id>/wallet/<method>")
def pay_by_wallet(session_id: str, method: str) -> AnyResponse:
    """Open a payment by SBP or SberPay; the payer goes on in the bank's application."""
    session = _session(session_id)
    if method not in _WALLETS:
        abort(404)
    if _paid(session):
        return _to("result", session)
    start = session["start"]
    intent = intent_of_start(start, request.remote_addr or "")
    doc = payments.pay_by_wallet(world(), public_id_of(start), intent, _WALLETS[method])
    sessions.attach(world(), session, doc["id"])
    return _to("three_ds" if doc["status"] == Status.CREATED else "result", session)


@pages.get("/widget/<session_id>/3ds")
def three_ds(session_id: str) -> str | AnyResponse:
    """Show the issuer's page (or the bank's application): confirm or decline."""
    session = _session(session_id)
    doc = sessions.transaction(world(), session)
    if doc is None or doc["status"] not in {Status.AWAITING, Status.CREATED}:
        return _to("form", session)
    return render_template("cloudpayments/bank.html", session=session, doc=doc, sum=money(doc))


@pages.post("/widget/<session_id>/3ds")
def answer_three_ds(session_id: str) -> AnyResponse:
    """Take the payer's answer to the bank."""
    session = _session(session_id)
    doc = sessions.transaction(world(), session)
    if doc is None:
        return _to("form", session)
    passed = request.form.get("answer") == "confirm"
    if doc["method"]:
        payments.settle(world(), doc["id"], APPROVED if passed else _CUSTOMER_CANCELLATION)
    else:
        payments.pass_three_ds(world(), doc["id"], passed=passed)
    return _to("result", session)


@pages.get("/widget/<session_id>/result")
def result(session_id: str) -> str | AnyResponse:
    """Show the end of an attempt and tell the embedding page."""
    session = _session(session_id)
    doc = sessions.transaction(world(), session)
    outcome = sessions.result(doc) if doc is not None else None
    if doc is None or outcome is None:
        return _to("form", session)
    paid = outcome["status"] == "success"
    if paid:
        orders.note_payment(world(), session, doc)
    start = session["start"]
    back = web_address(start, "successRedirectUrl" if paid else "failRedirectUrl")
    return render_template(
        "cloudpayments/result.html",
        session=session,
        doc=doc,
        sum=money(doc),
        paid=paid,
        outcome=outcome,
        message=sessions.message(doc),
        retry=not paid and may_retry(start),
        final=paid or not may_retry(start),
        back=back,
        # A merchant who gave an address to return to need not ask for autoClose as well.
        seconds=auto_close(start) or (SHORTEST if back else None),
        resolves=world().settings["cloudpayments_widget_resolves"],
    )


@pages.post("/widget/<session_id>/retry")
def retry(session_id: str) -> AnyResponse:
    """Begin a new attempt after a failed one."""
    session = _session(session_id)
    if not _paid(session):
        sessions.attach(world(), session, None)
    return _to("form", session)


def _session(session_id: str) -> Doc:
    session = world().store.get(sessions.KIND, session_id)
    if session is None:
        abort(404)
    return session


def _paid(session: Doc) -> bool:
    doc = sessions.transaction(world(), session)
    outcome = sessions.result(doc) if doc is not None else None
    return outcome is not None and outcome["status"] == "success"


def _to(view: str, session: Doc) -> AnyResponse:
    return redirect(url_for(f".{view}", session_id=session["id"]), 303)


def _form(session: Doc, typed: Any, errors: dict[str, str]) -> str:
    start = session["start"]
    intent = intent_of_start(start, "")
    return render_template(
        "cloudpayments/form.html",
        session=session,
        intent=intent,
        sum=money({"amount": str(intent.amount), "currency": intent.currency}),
        typed=typed,
        errors=errors,
        email=email_behavior(start),
        card=offers(start, "Card"),
        wallets=[name for name, method in _WALLETS.items() if offers(start, method)],
        table=cards.groups(),
    )


def _entered(session: Doc) -> tuple[EnteredCard | None, dict[str, str]]:
    """Read the card form; what is wrong with a field is told in Russian under the field's name."""
    errors: dict[str, str] = {}
    number = request.form.get("card_number", "")
    if not cards.acceptable(number):
        errors["card_number"] = "Проверьте номер карты"
    match = re.fullmatch(r"\s*(\d{1,2})\s*/?\s*(?:20)?(\d{2})\s*", request.form.get("expiry", ""))
    month, year = (int(match[1]), 2000 + int(match[2])) if match else (0, 0)
    if not 1 <= month <= 12:
        errors["expiry"] = "Укажите срок как ММ/ГГ"
    if not re.fullmatch(r"\d{3,4}", request.form.get("csc", "")):
        errors["csc"] = "Укажите три цифры"
    email = request.form.get("email", "").strip()
    if (not email and email_behavior(session["start"]) == "required") or (email and "@" not in email):
        errors["email"] = "Укажите e-mail для чека"
    return (None if errors else EnteredCard(number, month, year)), errors
