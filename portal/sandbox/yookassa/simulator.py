"""YooKassa as the sandbox's core sees it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Response, render_template, request

from portal.sandbox.errors import ControlError
from portal.sandbox.registry import LedgerPart
from portal.sandbox.settings import Setting
from portal.sandbox.store import Document
from portal.sandbox.world import World
from portal.sandbox.yookassa import api, methods, pages, payer, payments, receipts, refunds
from portal.sandbox.yookassa.agenda import Agenda
from portal.sandbox.yookassa.checks import check_amount
from portal.sandbox.yookassa.means import MEANS
from portal.sandbox.yookassa.parts import money
from portal.sandbox.yookassa.refusals import RefusalError
from portal.sandbox.yookassa.settings import SETTINGS

_LEDGER_STATUS = {"waiting_for_capture": "authorized"}
_WORK = {
    "expire": payments.expire_pending,
    "hold": payments.expire_hold,
    "settle": payments.settle,
    "refund": refunds.settle,
    "unbind": methods.expire,
    "register": receipts.register,
}


class YookassaSimulator:
    """Implements ``registry.Simulator``."""

    name = "yookassa"
    settings: tuple[Setting, ...] = SETTINGS
    blueprints = (api.blueprint, pages.blueprint)

    def __init__(self, world: World) -> None:
        self._world = world
        self._agenda = Agenda(world.store)

    def pay(self, reference: str, card: str, details: Mapping[str, Any]) -> Document:
        """Pay or bind with a card number, or with the name of another means such as ``sbp``.

        ``save`` in the request ticks the box; ``expiry`` is ``MM/YY``, by default three years ahead. Whoever
        is declined gives up, which ends the payment, unless ``stay`` says that another try follows.
        """
        key = self._waiting_id(reference)
        save = bool(details.get("save", False))
        try:
            if card in MEANS and card != "bank_card":
                payer.try_means(self._world, key, card, accepted=True, save=save)
            elif not card.isdigit():
                raise ControlError(400, "BAD_CARD", "card is a card number, or the name of another means.")
            else:
                attempt = payer.try_card(self._world, key, self._entry(card, details, save=save))
                if attempt:
                    payer.answer_three_ds(self._world, attempt, passed=True)
        except payer.AlreadyOverError as error:
            raise ControlError(409, "NOT_WAITING", "This payment does not wait for its payer.") from error
        found = payer.subject(self._world, key)
        if found is None:
            raise ControlError(404, "UNKNOWN_PAYMENT", "The sandbox was reset meanwhile.")
        kind, doc = found
        if kind != payments.KIND:
            return self._method_entry(doc)
        return self._payment_entry(doc if details.get("stay") else payments.give_up(self._world, key))

    def refund(self, reference: str, details: Mapping[str, Any]) -> Document:
        """Refund as the shop's staff does in the merchant profile; the shop learns it from
        ``refund.succeeded``.
        """
        with self._world.store.transaction():
            payment = self._find(reference)
            if payment is None:
                raise ControlError(404, "UNKNOWN_PAYMENT", f"YooKassa knows no payment {reference!r}.")
            left = refunds.remainder(self._world, payment)
            given = details.get("amount")
            value = given.get("value") if isinstance(given, dict) else given
            wanted = money(left) if value is None else {"value": str(value), "currency": "RUB"}
            try:
                amount = check_amount({"amount": wanted})
            except RefusalError as error:
                raise ControlError(400, "BAD_AMOUNT", f"{value or left} cannot be refunded.") from error
            if payment["status"] != "succeeded" or amount > left:
                raise ControlError(
                    409, "NOT_REFUNDABLE", f"{payment['status']}; {left:.2f} are left to refund."
                )
            key = refunds.make(self._world, payment, amount, {"by": "merchant profile"})
            return self._refund_entry(refunds.fetch(self._world, key))

    def chargeback(self, reference: str, details: Mapping[str, Any]) -> Document:  # noqa: ARG002 - the core asks both gateways alike
        """YooKassa's API has no word for it: whatever a bank takes back, the shop reads in a letter."""
        raise ControlError(409, "NOT_TOLD", "YooKassa tells of no chargeback by its API.")

    def knows_method(self, token: str) -> bool:
        """Whether a payment or a binding has saved this id."""
        return self._world.store.get(methods.KIND, token) is not None

    def program(self, token: str, outcome: str, times: int | None) -> Document:
        """Decide how the next charges of a saved method end."""
        return methods.program(self._world, token, outcome, times)

    def ledger(self) -> LedgerPart:
        """Return the books."""
        store = self._world.store
        return {
            "payments": [self._payment_entry(doc) for doc in store.all(payments.KIND)],
            "refunds": [self._refund_entry(doc) for doc in store.all(refunds.KIND)],
            "methods": [self._method_entry(doc) for doc in store.all(methods.KIND)],
        }

    def next_due(self) -> datetime | None:
        """When something expires, settles or is registered."""
        return self._agenda.next_due()

    def run_due(self, now: datetime) -> None:
        """Expire, settle and register what is due."""
        with self._world.store.transaction():
            for entry in self._agenda.take_due(now):
                _WORK[entry["what"]](self._world, entry["id"])

    def fault_answer(self, status: int) -> Response:
        """The error object of 429 and 500, and the older "processing" object of 202."""
        if status == 202:
            text = "Request accepted, but not processed yet. Retry again with the same Idempotence-Key"
            return api.answer({"type": "processing", "description": text, "retry_after": 1800}, 202)
        text = "Too many requests. Try again later" if status == 429 else "Internal server error"
        return api.refusal_answer(RefusalError(status, text))

    def routing_error(self, status: int) -> Response:
        """In the API 405 has an empty body and 404 an error object; a payer sees a page."""
        if not request.path.startswith("/yookassa/v3"):
            return Response(render_template("yookassa/missing.html"), status)
        if status == 405:
            return Response(status=405)
        return api.refusal_answer(RefusalError(404, "There is no such address"))

    def _entry(self, card: str, details: Mapping[str, Any], *, save: bool) -> payer.CardEntry:
        expiry = details.get("expiry") or f"12/{(self._world.clock.now().year + 3) % 100:02d}"
        month, _, year = str(expiry).partition("/")
        if not (month.isdigit() and year.isdigit()):
            raise ControlError(400, "BAD_EXPIRY", "expiry is MM/YY.")
        return payer.CardEntry(card, f"{int(month):02d}", f"20{int(year) % 100:02d}", save)

    def _find(self, reference: str) -> Document | None:
        """A payment by its own id, else the newest one with this reference, else with it anywhere in
        metadata.
        """
        store = self._world.store
        doc = store.get(payments.KIND, reference)
        if doc:
            return doc
        found = store.find(payments.KIND, reference=reference) or [
            doc for doc in store.all(payments.KIND) if reference in doc["object"]["metadata"].values()
        ]
        return next((d for d in reversed(found) if d["status"] == "pending"), found[-1] if found else None)

    def _waiting_id(self, reference: str) -> str:
        doc = self._find(reference)
        if doc is None:
            store = self._world.store
            own = store.get(methods.KIND, reference)
            bound = [own] if own else store.find(methods.KIND, reference=reference, status="pending")
            doc = bound[-1] if bound else None
        if doc is None:
            raise ControlError(404, "UNKNOWN_PAYMENT", f"YooKassa knows no payment {reference!r}.")
        return str(doc["id"])

    def _payment_entry(self, doc: Document) -> Document:
        obj = doc["object"]
        method = obj.get("payment_method", {})
        return {
            "gateway": self.name,
            "id": doc["id"],
            "transaction_id": doc["reference"],
            "status": _LEDGER_STATUS.get(doc["status"], doc["status"]),
            "amount": f"{Decimal(doc['authorized']):.2f}",
            "currency": "RUB",
            "captured": f"{Decimal(doc['captured']):.2f}",
            "refunded": obj.get("refunded_amount", {}).get("value", "0.00"),
            "test": obj["test"],
            "reason": obj.get("cancellation_details", {}).get("reason") or doc["last_reason"],
            "method": (method["id"] if method.get("saved") else method.get("title") or method.get("type")),
            "created_at": doc["created_at"],
            "request": doc["request"],
        }

    def _refund_entry(self, doc: Document) -> Document:
        payment = self._world.store.get(payments.KIND, doc["payment_id"])
        return {
            "gateway": self.name,
            "id": doc["id"],
            "payment_id": doc["payment_id"],
            "transaction_id": payment["reference"] if payment else None,
            "amount": doc["object"]["amount"]["value"],
            "status": doc["status"],
            "reason": doc["object"].get("cancellation_details", {}).get("reason"),
            "created_at": doc["created_at"],
            "request": doc["request"],
        }

    def _method_entry(self, doc: Document) -> Document:
        return {
            "gateway": self.name,
            "id": doc["id"],
            "account": doc["account"],
            "mask": doc["object"].get("title"),
            "active": doc["status"] == "active",
            "status": doc["status"],
            "origin": doc["origin"],
            "program": doc["program"],
            "created_at": doc["created_at"],
        }
