"""What the sandbox's core asks of a gateway's simulator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol, TypedDict

from flask import Blueprint
from werkzeug.wrappers import Response

from portal.sandbox.settings import Setting
from portal.sandbox.store import Document


class LedgerPart(TypedDict):
    """One gateway's books. Every entry carries ``created_at`` (``clock.iso``); the core merges and sorts."""

    payments: list[Document]
    refunds: list[Document]
    methods: list[Document]


class Simulator(Protocol):
    """One gateway. It keeps all its state in the world's store, so that clearing the store resets it.

    ``portal/sandbox/<gateway>/__init__.py`` offers ``simulator(world) -> Simulator``.
    Methods that the control API calls raise ``errors.ControlError`` for what cannot be done.
    """

    @property
    def name(self) -> str:
        """The gateway's word in the control API; its addresses begin with ``/<name>``."""

    @property
    def settings(self) -> Iterable[Setting]:
        """The settings that belong to this gateway alone."""

    @property
    def blueprints(self) -> Iterable[Blueprint]:
        """What answers under ``/<name>``."""

    def pay(self, reference: str, card: str, details: Mapping[str, Any]) -> Document:
        """Do what the payer does on the gateway's page, 3-D Secure included, and return the ledger's payment.

        ``reference`` is the merchant's or the gateway's own id, ``details`` the whole control request.
        """

    def refund(self, reference: str, details: Mapping[str, Any]) -> Document:
        """Refund ``details["amount"]`` or all that is left, as from the cabinet; return the ledger's
        refund.
        """

    def chargeback(self, reference: str, details: Mapping[str, Any]) -> Document:
        """Let the payer's bank take a payment's money back; refuse where the gateway tells nobody of it."""

    def knows_method(self, token: str) -> bool:
        """Whether a saved method (token or id) belongs to this gateway."""

    def program(self, token: str, outcome: str, times: int | None) -> Document:
        """Decide how the next ``times`` charges of a saved method end (None: all); return what was set."""

    def ledger(self) -> LedgerPart:
        """Return the books as of now, oldest first."""

    def next_due(self) -> datetime | None:
        """When this gateway will next do something by itself (expire, settle), or None."""

    def run_due(self, now: datetime) -> None:
        """Do everything that has fallen due by ``now``; calling it again changes nothing."""

    def fault_answer(self, status: int) -> Response:
        """The gateway's own way to answer 202, 429 or 500."""

    def routing_error(self, status: int) -> Response:
        """The gateway's own way to answer an unknown path (404) or a wrong method (405)."""
