"""Writing down a call to a gateway that did not end well: refused for certain, or nobody knows."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import update

from portal.billing import calls, moves, payments, settlement
from portal.database import transaction
from portal.gateways.base import GatewayClosed, GatewayError, GatewayRejected
from portal.models import Operation, Payment, PaymentPurpose, PaymentStatus

log = logging.getLogger(__name__)


def note(payment: Payment, error: GatewayError, now: datetime) -> None:
    """Write down what a failed call means for its payment; an unknown outcome keeps its key and is asked
    about.
    """
    # A key that was used before with other bytes says nothing about what became of the first request.
    refused = isinstance(error, GatewayRejected) and error.parameter != "Idempotence-Key"
    tell(f"{payment.transaction_id} at {payment.gateway.value}", error)
    with transaction() as session:
        row = settlement.locked(session, payment_id=payment.id)
        operation = Operation.CHARGE if payment.purpose is PaymentPurpose.RENEWAL else Operation.START
        calls.note(session, operation, error.code, now, payment_id=payment.id, detail=error.detail)
        if row is None or row.status not in {PaymentStatus.PENDING, PaymentStatus.UNKNOWN}:
            return
        if refused:
            settlement.close(session, row, _code(error), now)
        elif isinstance(error, GatewayClosed) and row.purpose is PaymentPurpose.RENEWAL:
            # Called once or never, so this one never reached it.
            settlement.close(session, row, "not_created", now)
        else:
            asked_at = now + timedelta(seconds=payments.ANSWER_LIMIT)
            if row.status is PaymentStatus.PENDING:
                moves.move(session, row, PaymentStatus.UNKNOWN, now, next_check_at=asked_at)
            else:
                session.execute(
                    update(Payment)
                    .where(Payment.id == row.id)
                    .values(next_check_at=asked_at)
                    .execution_options(synchronize_session=False)
                )


def tell(what: str, error: GatewayError) -> None:
    """One line for the runbook (contract, section 7); a traceback would only show our own call."""
    log.error("Create payment error: %s: %s %s", what, error.code, error.detail)


def _code(error: GatewayError) -> str:
    """A saved method that the gateway does not know any more is the card's end, not the shop's fault."""
    return "method_gone" if error.parameter == "payment_method_id" else error.code
