"""Reconciling with the gateways' own lists when one of them fails, or lists what is another's."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from portal import clock
from portal.billing import comparing, lookback, reconciliation
from portal.billing.drift_book import Totals
from portal.database import db
from portal.gateways.base import GatewayUnknown, Outcome, PaymentSnapshot
from portal.models import Case, CaseKind, GatewayName
from tests.desk import Desk


@pytest.mark.parametrize("broken", tuple(GatewayName))
def test_one_gateway_s_failure_does_not_hide_the_other_s_list(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, broken: GatewayName
) -> None:
    """The other list is compared all the same, and the operator is told of the failure afterwards."""
    compared = []

    def walk(self: comparing.Comparison) -> Totals:
        compared.append(self.gateway)
        if self.gateway is broken:
            raise GatewayUnknown(detail="no list today")
        return Totals(there_count=1)

    monkeypatch.setattr(comparing.Comparison, "walk", walk)
    now = clock.now()
    with desk.app.app_context(), pytest.raises(GatewayUnknown, match=GatewayUnknown().message):
        reconciliation.reconcile(now, now - timedelta(days=1))
    assert sorted(compared) == sorted([*GatewayName] * 2)  # yesterday and today


def test_money_for_an_order_of_the_other_gateway_says_so(desk: Desk) -> None:
    """The case names our order and that it is at the wrong gateway, as the notification's case would."""
    order = desk.customer().order("cloudpayments")["transaction_id"]
    told = PaymentSnapshot("22e18a2f", Outcome.SUCCEEDED, Decimal("990.00"), "RUB", order, test=True)
    with desk.app.app_context():
        lookback.hear(GatewayName.YOOKASSA, told, clock.now())
        case = db.session.scalars(select(Case)).one()
        assert (case.kind, case.payment_id is None) == (CaseKind.GATEWAY_MISMATCH, False)
