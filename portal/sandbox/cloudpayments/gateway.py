"""The CloudPayments side as the sandbox's core sees it: the control API's orders, the ledger, the time."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from werkzeug.wrappers import Response

from portal.sandbox.cloudpayments import chargebacks, orders, payments, refunds, schedule, sessions, tokens
from portal.sandbox.cloudpayments.binding import BadRequest, Params
from portal.sandbox.cloudpayments.cards import EnteredCard, digits_of
from portal.sandbox.cloudpayments.door import answer, api, fault_answer, refusal
from portal.sandbox.cloudpayments.ledger import payment_entry, refund_entry, shown
from portal.sandbox.cloudpayments.reasons import APPROVED
from portal.sandbox.cloudpayments.settings import SETTINGS
from portal.sandbox.cloudpayments.terminal import PUBLIC_ID
from portal.sandbox.cloudpayments.transactions import KIND, Doc, Status
from portal.sandbox.cloudpayments.widget import pages
from portal.sandbox.cloudpayments.widget_intent import intent_of_start, public_id_of
from portal.sandbox.errors import ControlError
from portal.sandbox.registry import LedgerPart
from portal.sandbox.world import World

_WALLETS = {"sbp": payments.SBP, "sberpay": payments.SBER_PAY}
_HOW_TO_PAY = (
    "The sandbox does not know what is to be paid. Start it with --portal, or pass widget (the parameters"
    " of start()), or amount with currency, account_id, email, tokenize, description, two_stage."
)


class CloudPayments:
    """Implements ``portal.sandbox.registry.Simulator``; its state is in the world's store."""

    name = "cloudpayments"
    settings = SETTINGS
    blueprints = (api, pages)

    def __init__(self, world: World) -> None:
        self._world = world
        self._working = threading.Lock()

    def pay(self, reference: str, card: str, details: Mapping[str, Any]) -> Doc:
        """Pay as the payer would in the widget, 3-D Secure passed unless ``three_ds`` is ``decline``.

        ``reference`` is an InvoiceId, an order's id, or a transaction that waits for its payer.
        """
        passed = details.get("three_ds") != "decline"
        waiting = self._waiting(reference)
        if waiting is not None:
            return payment_entry(self._answer_bank(waiting, passed=passed))
        start = self._start(reference, details)
        try:
            intent = intent_of_start(start, "127.0.0.1", str(details.get("email") or ""))
            if card.lower() in _WALLETS:
                doc = payments.pay_by_wallet(self._world, public_id_of(start), intent, _WALLETS[card.lower()])
            else:
                doc = payments.pay_by_card(self._world, public_id_of(start), intent, _card(card, details))
        except BadRequest as error:
            raise ControlError(400, "BAD_VALUE", error.message) from error
        if doc["status"] in {Status.AWAITING, Status.CREATED}:
            doc = self._answer_bank(doc, passed=passed)
        order = self._order(reference)
        if order is not None and doc["status"] != Status.DECLINED:
            orders.note_payment(self._world, {"order_id": order["id"]}, doc)
        return payment_entry(doc)

    def refund(self, reference: str, details: Mapping[str, Any]) -> Doc:
        """Refund as an operator does in the cabinet: ``amount`` or all that is left."""
        doc = self._captured(reference)
        try:
            amount = Params(details).amount_or_none("amount") or refunds.left(doc)
            return refund_entry(refunds.refund(self._world, doc["public_id"], doc["id"], amount), doc)
        except BadRequest as error:
            raise ControlError(409, "REFUND_REFUSED", error.message) from error

    def chargeback(self, reference: str, details: Mapping[str, Any]) -> Doc:
        """Let the payer's bank take the money back: ``amount`` or all of it, by ``operation``."""
        doc = self._captured(reference)
        what = str(details.get("operation") or "presentment")
        try:
            amount = Params(details).amount_or_none("amount") or Decimal(doc["captured"])
            return chargebacks.model(chargebacks.dispute(self._world, doc, amount, what))
        except BadRequest as error:
            raise ControlError(409, "CHARGEBACK_REFUSED", error.message) from error

    def knows_method(self, token: str) -> bool:
        """Whether this gateway has saved such a card."""
        return self._world.store.get(tokens.KIND, token) is not None

    def program(self, token: str, outcome: str, times: int | None) -> Doc:
        """Decide how charges by the token end: a ReasonCode, its name, or ``success``."""
        try:
            why = tokens.program(self._world.store, token, outcome, times)
        except ValueError as error:
            raise ControlError(400, "UNKNOWN_OUTCOME", str(error)) from error
        return {"gateway": self.name, "token": token, "outcome": why.name, "code": why.code, "times": times}

    def ledger(self) -> LedgerPart:
        """Return payments, refunds and saved cards, oldest first."""
        return shown(self._world)

    def next_due(self) -> datetime | None:
        """When a charge, a hold, a receipt or an SBP refund falls due."""
        return schedule.next_due(self._world)

    def run_due(self, now: datetime) -> None:
        """Do what has fallen due; a second caller waits for the first, so that nothing is charged twice."""
        with self._working:
            schedule.run_due(self._world, now)

    def fault_answer(self, status: int) -> Response:
        """Answer 202, 429 or 500 as this gateway might."""
        return fault_answer(status)

    def routing_error(self, status: int) -> Response:
        """Answer an unknown path or method with an empty envelope and the status."""
        response = answer(refusal("Not found" if status == 404 else "Method not allowed"))
        response.status_code = status
        return response

    def _waiting(self, reference: str) -> Doc | None:
        """Return the transaction that the gateway's own id names and whose payer is being asked."""
        doc = self._world.store.get(KIND, reference)
        unasked = doc is None or doc["original_id"] is not None or doc["settle_at"] is not None
        return doc if not unasked and doc and doc["status"] in {Status.AWAITING, Status.CREATED} else None

    def _answer_bank(self, doc: Doc, *, passed: bool) -> Doc:
        if doc["status"] == Status.AWAITING:
            return payments.pass_three_ds(self._world, doc["id"], passed=passed)
        return payments.settle(self._world, doc["id"], APPROVED if passed else 5017)

    def _start(self, reference: str, details: Mapping[str, Any]) -> Doc:
        """Find out what is to be paid: from the order given, the invoice, the portal, or an earlier
        opening.
        """
        widget = details.get("widget")
        if isinstance(widget, Mapping):
            return {
                "paymentSchema": "Single",
                "publicTerminalId": PUBLIC_ID,
                "externalId": reference,
                **widget,
            }
        if details.get("amount") is not None:
            return _start_from(reference, details)
        order = self._order(reference)
        if order is not None:
            return orders.start_of(order)
        asked = self._world.portal.widget_parameters(reference)
        if asked is not None:
            return asked
        opened = self._world.store.find(sessions.KIND, reference=reference)
        if opened:
            return dict(opened[-1]["start"])
        raise ControlError(404, "UNKNOWN_PAYMENT", _HOW_TO_PAY)

    def _order(self, reference: str) -> Doc | None:
        by_id = self._world.store.get(orders.KIND, reference)
        found = (
            self._world.store.find(orders.KIND, reference=reference, status="Created") if reference else []
        )
        return by_id or (found[-1] if found else None)

    def _captured(self, reference: str) -> Doc:
        doc = self._world.store.get(KIND, reference)
        if doc is not None:
            return doc
        found = [d for d in self._world.store.find(KIND, reference=reference) if not d["original_id"]]
        captured = [d for d in found if Decimal(d["captured"]) > 0]
        if not found:
            raise ControlError(404, "UNKNOWN_PAYMENT", f"There is no payment {reference!r}.")
        return captured[-1] if captured else found[-1]


def _card(number: str, details: Mapping[str, Any]) -> EnteredCard:
    if not digits_of(number):
        raise ControlError(400, "BAD_VALUE", "card is a card number, or sbp, or sberpay.")
    month, _, year = str(details.get("expiry") or "12/99").partition("/")
    if not (month.isdecimal() and year.isdecimal() and 1 <= int(month) <= 12):
        raise ControlError(400, "BAD_VALUE", "expiry is written MM/YY.")
    return EnteredCard(number, int(month), int(year) % 100 + 2000)


def _start_from(reference: str, details: Mapping[str, Any]) -> Doc:
    start = {
        "publicTerminalId": PUBLIC_ID,
        "paymentSchema": "Dual" if details.get("two_stage") else "Single",
        "externalId": reference,
        "amount": details["amount"],
        "currency": details.get("currency") or "RUB",
        "description": str(details.get("description") or ""),
        "tokenize": bool(details.get("tokenize") or details.get("save")),
    }
    if details.get("account_id"):
        start["userInfo"] = {"accountId": str(details["account_id"])}
    return start
