"""A customer closes the account: the money comes back over the gateway, and none leaves ever again."""

from __future__ import annotations

import pytest

from portal import clock
from portal.billing import entitlement, settings
from tests.desk import PASSWORD, Desk
from tests.stories import books
from tests.stories.renewing import GATEWAYS, payments, subscribed
from tests.stories.weather import later, subjects


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_closed_within_the_window(desk: Desk, recurring: None, gateway: str) -> None:
    """Refunded in full at the gateway, card unlinked, `disabled` for the product, and past the day of the
    renewal nothing was charged.
    """
    ira = subscribed(desk, gateway)
    with desk.app.app_context():
        settings.put("refund_policy", "full", clock.now())

    answer = ira.send("/account/close", current=PASSWORD)

    assert answer.url == f"{desk.url}/login"
    assert "Аккаунт закрыт" in answer.text
    desk.settle()
    later(desk, "1m")
    (refund,) = books.rows(desk.app, "SELECT amount, status FROM refunds")
    assert (str(refund.amount), refund.status) == ("990.00", "succeeded")
    (card,) = books.rows(desk.app, "SELECT token, detached_at FROM payment_methods")
    assert card.token is None
    assert card.detached_at is not None
    with desk.app.app_context():
        assert entitlement.of("ira@example.com", clock.now()).status == "disabled"
    later(desk, "40d")
    assert [one[1:3] for one in payments(desk)] == [("purchase", "succeeded")]
    assert "Аккаунт закрыт" in subjects(desk)
    assert not books.disagreements(desk.app, desk.sandbox.ledger())
