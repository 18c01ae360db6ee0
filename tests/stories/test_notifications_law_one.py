"""The watchman of law 1 is awake: what he is to catch is done here on purpose."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
import requests
from sqlalchemy import select

from portal.billing import doors
from portal.database import CallInsideTransaction, db, transaction
from portal.gateways.base import GatewayError
from tests.desk import Desk
from tests.stories.till import Till

Tills = Callable[..., Till]


def test_a_call_inside_a_transaction_is_seen(desk: Desk, no_call_inside_a_transaction: list[str]) -> None:
    """With any transaction open in the calling thread a call to either gateway is noted; without one, not."""
    gateways = ("/yookassa/v3/me", "/cloudpayments/test")
    with desk.app.app_context():
        for path in gateways:
            requests.get(desk.sandbox.url + path, timeout=10)
        assert no_call_inside_a_transaction == []
        with db.engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
            for path in gateways:
                requests.get(desk.sandbox.url + path, timeout=10)
        assert len(no_call_inside_a_transaction) == 2
    no_call_inside_a_transaction.clear()


@pytest.mark.parametrize("name", ("cloudpayments", "yookassa"))
def test_the_gateways_own_sessions_are_watched(
    desk: Desk, till: Tills, no_call_inside_a_transaction: list[str], name: str
) -> None:
    """A gateway that was obtained before and is called inside a transaction is seen, through the SDK, too."""
    with desk.app.app_context():
        gateway = doors.cloudpayments() if name == "cloudpayments" else doors.yookassa()
        with transaction() as session:
            session.execute(select(1))
            with pytest.raises(CallInsideTransaction):
                doors.cloudpayments()
            with suppress(GatewayError):
                gateway.fetch_by_id("22e18a2f-000f-5000-a000-1db6312b7767" if name == "yookassa" else "1")
    assert no_call_inside_a_transaction
    no_call_inside_a_transaction.clear()
