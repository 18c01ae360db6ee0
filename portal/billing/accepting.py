"""Money of another sum than was ordered, taken for the order after all: an owner's decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from portal.billing import doors, judging, locks, settlement
from portal.billing.case_verbs import Decision
from portal.billing.settlement import Verdict
from portal.database import db
from portal.errors import InvalidRequest, NotFound
from portal.gateways.base import Outcome, PaymentSnapshot
from portal.models import Case, GatewayName, Payment
from portal.money import to_wire

_payments: Any = Payment.__table__


class DoesNotFit(InvalidRequest):
    """The gateway says now that it is not so."""

    code = "DOES_NOT_FIT"
    message = "Шлюз говорит об этих деньгах уже другое, принять их за оплату заказа нельзя."


def ask(case_id: int) -> PaymentSnapshot | None:
    """What the gateway says now of a case's money; ``None`` when it knows nothing. Raises NotFound and
    GatewayError.
    """
    case = db.session.get(Case, case_id, populate_existing=True)
    if case is None or case.gateway_payment_id is None:
        raise NotFound
    theirs, is_cloudpayments = case.gateway_payment_id, case.gateway is GatewayName.CLOUDPAYMENTS
    return (doors.cloudpayments() if is_cloudpayments else doors.yookassa()).fetch_by_id(theirs)


def accept(session: Session, case: Case, decision: Decision) -> Mapping[str, Any]:
    """Take the case's sum for the order's: from here on that is what was captured and can go back.

    In the caller's transaction. Everything else the gateway says must fit the order. Raises DoesNotFit.
    """
    told = decision.told
    payment = locks.locked(session, payment_id=case.payment_id)
    if payment is None or told is None or told.outcome is not Outcome.SUCCEEDED:
        raise DoesNotFit
    if told.amount != case.amount:
        raise DoesNotFit
    session.execute(update(_payments).where(_payments.c.id == payment.id).values(amount=told.amount))
    agreed = locks.locked(session, payment_id=payment.id)
    assert agreed is not None  # it was locked a moment ago
    fits = judging.mismatch(agreed, told) is None
    if not fits or settlement.settle(session, agreed, told, decision.now).verdict is not Verdict.MOVED:
        raise DoesNotFit
    return {"ordered": to_wire(payment.amount), "accepted": to_wire(told.amount)}
