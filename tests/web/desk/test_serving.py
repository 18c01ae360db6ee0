"""A clerk serves a customer: days given, renewal stopped, account closed and opened, a letter sent again."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from portal import clock
from portal.billing import settings
from portal.models import Role
from tests.desk import PASSWORD, Browser, Desk
from tests.stories import books
from tests.stories.renewing import subscribed, subscription
from tests.stories.weather import later, subjects
from tests.web.desk.forms import act, form_key, press

REASON = "Просили по телефону"


@pytest.fixture
def ira(desk: Desk, recurring: None) -> Browser:
    """A customer whose plan renews by itself."""
    return subscribed(desk, "cloudpayments")


def page(desk: Desk, what: str, email: str = "ira@example.com") -> str:
    (number,) = [one[0] for one in books.rows(desk.app, "SELECT id, email FROM users") if one[1] == email]
    return f"/admin/users/{what}/?id={number}"


def acts(desk: Desk) -> list[tuple[str, str]]:
    """Acts with their reasons, oldest first, but the making of operators."""
    found = books.rows(
        desk.app, "SELECT act, reason FROM audit_entries WHERE act <> 'create-admin' ORDER BY id"
    )
    return [(str(one[0]), str(one[1])) for one in found]


def test_days_are_given_once_a_form(desk: Desk, ira: Browser, clerk: Browser) -> None:
    """The end and the charge move, the customer is told; a second press of the same form gives no more."""
    before = subscription(desk)
    where = page(desk, "extend")
    key = form_key(clerk.get(where).text)
    for _ in range(2):
        assert press(clerk, where, key, days="7", reason=REASON).status_code == 303
    after = subscription(desk)
    assert (after.current_period_end - before.current_period_end).days == 7
    assert (after.charge_due_at - before.charge_due_at).days == 7
    desk.settle()
    assert [one[1] for one in acts(desk)] == [REASON]
    later(desk, "1m")
    assert len([one for one in subjects(desk) if "действует до" in one]) == 1


@pytest.mark.parametrize("days", ("0", "-1", "x", "", "1000000", "1,5"))
def test_days_that_cannot_be_are_refused(desk: Desk, ira: Browser, clerk: Browser, days: str) -> None:
    """Nothing moves, and the form says why."""
    before = subscription(desk).current_period_end
    assert act(clerk, page(desk, "extend"), days=days, reason=REASON).status_code == 400
    assert act(clerk, page(desk, "extend"), days="7", reason=" ").status_code == 400
    assert subscription(desk).current_period_end == before
    assert acts(desk) == []


def test_a_clerk_s_days_are_bounded_by_the_day(
    desk: Desk, ira: Browser, clerk: Browser, owner: Browser
) -> None:
    """The form says how many are left today; more of them are the owner's, whose own are not counted."""
    with desk.app.app_context():
        settings.put("support_days_daily_limit", "10", clock.now())
    before = subscription(desk).current_period_end
    where = page(desk, "extend")
    assert "10 из 10" in clerk.get(where).text

    assert act(clerk, where, days="7", reason=REASON).status_code == 303
    assert "3 из 10" in clerk.get(where).text
    refused = act(clerk, where, days="4", reason=REASON)
    assert refused.status_code == 403
    assert "ещё дней: 3" in refused.text
    assert "из 10" not in owner.get(where).text
    assert act(owner, where, days="40", reason=REASON).status_code == 303
    assert act(clerk, where, days="3", reason=REASON).status_code == 303

    assert (subscription(desk).current_period_end - before).days == 50
    later(desk, "1d")
    assert "10 из 10" in clerk.get(where).text


def test_renewal_is_stopped_for_the_customer(desk: Desk, ira: Browser, clerk: Browser) -> None:
    """No charge follows; the customer reads who did it and can switch it on again."""
    assert act(clerk, page(desk, "stop"), reason=REASON).status_code == 303
    assert not subscription(desk).auto_renew
    later(desk, "40d")
    assert books.rows(desk.app, "SELECT count(*) FROM payments") == [(1,)]
    assert [one[1] for one in acts(desk)] == [REASON]


def test_an_account_is_closed_and_opened(desk: Desk, ira: Browser, clerk: Browser) -> None:
    """Signed out at once and kept out; opened, the password works again."""
    assert act(clerk, page(desk, "disable"), reason=REASON).status_code == 303
    assert "/login" in ira.get("/dashboard/").url
    refused = ira.send("/login", email="ira@example.com", password=PASSWORD)
    assert refused.status_code == 401
    assert act(clerk, page(desk, "enable"), reason=REASON).status_code == 303
    assert ira.send("/login", email="ira@example.com", password=PASSWORD).ok
    assert [one[0] for one in acts(desk)] == ["disable", "enable"]


def test_a_clerk_closes_no_operator(desk: Desk, enter: Callable[[Role], Browser], clerk: Browser) -> None:
    """Nor an owner: operators are the owners' business."""
    enter(Role.OWNER)
    assert act(clerk, page(desk, "disable", "owner@example.com"), reason=REASON).status_code in {400, 403}
    assert acts(desk) == []


def test_a_letter_is_sent_again_as_a_new_one(desk: Desk, ira: Browser, clerk: Browser) -> None:
    """The customer has it twice, the old row stays as it was; a second press sends no third."""
    asked = (
        "SELECT id, sent_at FROM notifications"
        " WHERE kind = 'payment_succeeded' AND channel = 'email' ORDER BY id"
    )
    ((number, sent_at),) = books.rows(desk.app, asked)
    where = f"/admin/notifications/resend/?id={number}"
    key = form_key(clerk.get(where).text)
    for _ in range(2):
        assert press(clerk, where, key, reason=REASON).status_code == 303
    desk.settle()
    desk.sweep()
    rows = books.rows(desk.app, asked)
    assert len(rows) == 2
    assert rows[0] == (number, sent_at)
    assert rows[1][1] is not None


def test_the_agreements_leave_as_a_file(desk: Desk, ira: Browser, viewer: Browser) -> None:
    """What was agreed, when, from where; nothing secret."""
    answer = viewer.get(page(desk, "consents"))
    assert answer.headers["Content-Disposition"].startswith("attachment")
    told = json.loads(answer.text)
    assert told["email"] == "ira@example.com"
    assert len(told["agreements"]) == 1
    assert "990" in answer.text
    assert viewer.get("/admin/users/consents/?id=9999999").status_code == 404
