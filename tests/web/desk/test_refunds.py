"""Money given back at the desk: by whom, how much in a day, and once."""

from __future__ import annotations

import re
from typing import Any

import pytest

from portal import clock
from portal.billing import audit, settings
from portal.billing.audit import Subject
from tests.desk import Browser, Desk
from tests.stories import books
from tests.stories.weather import later, paid
from tests.web.desk.forms import act, at_once, form_key, press

REASON = "Клиент просил по телефону"


@pytest.fixture
def payment_id(desk: Desk) -> int:
    """A customer has bought PRO_MONTHLY for 990 roubles."""
    paid(desk, desk.customer().order("cloudpayments"))
    return int(books.rows(desk.app, "SELECT id FROM payments")[0][0])


def page(payment_id: int) -> str:
    return f"/admin/payments/refund/?id={payment_id}"


def refunds(desk: Desk) -> list[tuple[str, ...]]:
    """Sum, state, source and reason of every refund."""
    found = books.rows(desk.app, "SELECT amount, status, source, reason FROM refunds ORDER BY id")
    return [tuple(str(cell) for cell in row) for row in found]


def limit(desk: Desk, roubles: str) -> None:
    with desk.app.app_context():
        settings.put("support_refund_daily_limit", roubles, clock.now())


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.text.replace("\xa0", " "))


def test_a_part_goes_back_and_the_plan_stays(desk: Desk, clerk: Browser, payment_id: int) -> None:
    """The page says what is left, of the payment and of the day; the act is in the gateway and the record."""
    shown = words(clerk.get(page(payment_id)))
    for said in ("990 ₽", "5 000 ₽ из 5 000 ₽", "закончится сразу", "тариф останется"):
        assert said in shown, said

    answer = act(clerk, page(payment_id), how="part", amount="340,50", reason=REASON)

    assert answer.status_code == 303
    desk.settle()
    assert refunds(desk) == [("340.50", "succeeded", "operator", REASON)]
    assert [one["amount"] for one in desk.sandbox.ledger()["refunds"]] == ["340.50"]
    assert "4 659,50 ₽ из 5 000 ₽" in words(clerk.get(page(payment_id)))
    with desk.app.app_context():
        (entry,) = audit.of(Subject("payment", payment_id))
    assert (entry.act, entry.reason, entry.actor) == ("refund", REASON, "support@example.com")
    assert (entry.after["amount"], entry.after["left"]) == ("340.50", "649.50")
    assert not books.rows(desk.app, "SELECT 1 FROM purchased_plans WHERE revoked_at IS NOT NULL")


def test_the_whole_ends_the_plan(desk: Desk, clerk: Browser, payment_id: int) -> None:
    """All that is left goes back, the period counts no more, and nothing is left to give."""
    assert act(clerk, page(payment_id), how="all", reason=REASON).status_code == 303
    desk.settle()
    assert refunds(desk) == [("990.00", "succeeded", "operator", REASON)]
    assert books.rows(desk.app, "SELECT 1 FROM purchased_plans WHERE revoked_because = 'refunded'")
    again = act(clerk, page(payment_id), how="all", reason=REASON)
    assert again.status_code == 400
    assert "возвращать больше нечего" in words(again)


WRONG = (
    {"how": "part", "amount": "990.01", "reason": REASON},
    {"how": "part", "amount": "0", "reason": REASON},
    {"how": "part", "amount": "сто", "reason": REASON},
    {"how": "part", "amount": "1e2", "reason": REASON},
    {"how": "part", "amount": "-1", "reason": REASON},
    {"how": "all", "reason": " . "},
    {"how": "all"},
    {"how": "all", "amount": "100", "reason": REASON},
    {"how": "", "amount": "100", "reason": REASON},
    {"reason": REASON},
)


def test_what_cannot_go_back(desk: Desk, clerk: Browser, payment_id: int) -> None:
    """No sum beyond what is left, no sum that is none, nothing without its reason; and not all of it for a
    form that does not say so, or says two things.
    """
    for fields in WRONG:
        assert act(clerk, page(payment_id), **fields).status_code == 400, fields
    assert refunds(desk) == []


def test_a_form_of_nobody(desk: Desk, clerk: Browser, payment_id: int) -> None:
    """A form without the key that the page carries is not ours."""
    assert press(clerk, page(payment_id), "", how="all", reason=REASON).status_code == 400
    assert refunds(desk) == []


def test_a_double_click_is_one_refund(desk: Desk, clerk: Browser, payment_id: int) -> None:
    """The same form sent four times at once, and later once more, gives back once."""
    key = form_key(clerk.get(page(payment_id)).text)
    fields = {"how": "part", "amount": "100", "reason": REASON}
    token = clerk.token()

    def click() -> int:
        form = {"csrf_token": token, "form_key": key, **fields}
        answer = clerk.session.post(
            clerk.base + page(payment_id), data=form, timeout=60, allow_redirects=False
        )
        return answer.status_code

    assert at_once(click, click, click, click) == [303] * 4
    assert click() == 303
    desk.settle()
    assert refunds(desk) == [("100.00", "succeeded", "operator", REASON)]
    assert len(desk.sandbox.ledger()["refunds"]) == 1
    with desk.app.app_context():
        assert len(audit.of(Subject("payment", payment_id))) == 1


def test_two_forms_at_once_stay_within_the_payment(desk: Desk, owner: Browser, payment_id: int) -> None:
    """Two tabs that each give back more than half: one does, the other is told what is left (law 4)."""
    keys = [form_key(owner.get(page(payment_id)).text) for _ in range(2)]
    fields = {"how": "part", "amount": "600", "reason": REASON}
    answers = at_once(*(lambda key=key: press(owner, page(payment_id), key, **fields) for key in keys))
    assert sorted(answer.status_code for answer in answers) == [303, 400]
    assert any("390 ₽" in words(answer) for answer in answers)
    desk.settle()
    assert refunds(desk) == [("600.00", "succeeded", "operator", REASON)]


def test_a_clerk_s_day(desk: Desk, clerk: Browser, owner: Browser, payment_id: int) -> None:
    """Beyond the day's sum a clerk is sent to an owner, who has none; the next day begins anew."""
    limit(desk, "500")
    assert act(clerk, page(payment_id), how="part", amount="450", reason=REASON).status_code == 303
    beyond = act(clerk, page(payment_id), how="part", amount="50.01", reason=REASON)
    assert beyond.status_code == 403
    assert "вернуть ещё 50 ₽" in words(beyond)
    assert act(owner, page(payment_id), how="part", amount="300", reason=REASON).status_code == 303
    assert [sum_ for sum_, *_ in refunds(desk)] == ["450.00", "300.00"]
    desk.settle()
    later(desk, "24h")
    assert act(clerk, page(payment_id), how="part", amount="200", reason=REASON).status_code == 303


def test_two_tabs_cannot_pass_the_day_s_sum(desk: Desk, clerk: Browser, payment_id: int) -> None:
    """Two customers' payments given back at the same moment: the second waits and is refused."""
    vera = desk.customer("vera@example.com")
    paid(desk, vera.order("yookassa"))
    other = int(books.rows(desk.app, "SELECT max(id) FROM payments")[0][0])
    limit(desk, "500")
    forms = [(one, form_key(clerk.get(page(one)).text)) for one in (payment_id, other)]
    fields = {"how": "part", "amount": "300", "reason": REASON}
    answers = at_once(
        *(lambda one=one, key=key: press(clerk, page(one), key, **fields) for one, key in forms)
    )
    assert sorted(answer.status_code for answer in answers) == [303, 403]
    assert len(refunds(desk)) == 1


def test_who_may(desk: Desk, viewer: Browser, payment_id: int) -> None:
    """A viewer sees the story and no button; the page of the act refuses."""
    shown = viewer.get(f"/admin/payments/details/?id={payment_id}").text
    assert "Что было с платежом" in shown
    assert "/admin/payments/refund/" not in shown
    assert viewer.get(page(payment_id), allow_redirects=False).status_code == 403
