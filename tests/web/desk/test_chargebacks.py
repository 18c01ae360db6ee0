"""Money that a bank took back: found in CloudPayments' list, written down where a gateway is silent."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import requests

from portal import clock
from portal.billing import chargebacks, comparing_runs, lookback, reconciliation
from portal.billing.settlement import Verdict
from portal.gateways.disputes import ChargebackSnapshot, Dispute
from portal.models import GatewayName
from tests.desk import Browser, Desk
from tests.laws import violations
from tests.stories import books
from tests.stories.weather import later, paid, spoil
from tests.web.desk.forms import act, form_key, press

WHY = "Письмо банка от понедельника"
BOOKED = "SELECT amount, status, source FROM refunds ORDER BY id"


def bought(desk: Desk, gateway: str) -> tuple[Any, int]:
    """An order that is paid, and our number of it."""
    order = desk.customer().order(gateway)
    paid(desk, order)
    return order, int(books.rows(desk.app, "SELECT id FROM payments")[0][0])


def disputed(desk: Desk, order: Any, **more: Any) -> None:
    """The payer's bank acts, and a minute passes: the list is told to the second."""
    desk.sandbox.control(
        "chargeback", gateway=order["gateway"], transaction_id=order["transaction_id"], **more
    )
    later(desk, "1m")


def looked(desk: Desk) -> lookback.Findings:
    with desk.app.app_context():
        now = clock.now()
        return lookback.compare(GatewayName.CLOUDPAYMENTS, now - timedelta(days=3), now)


def laws(desk: Desk) -> list[str]:
    with desk.app.app_context():
        return [one.invariant.name for one in violations(clock.now())]


def today(desk: Desk) -> str:
    with desk.app.app_context():
        return f"{clock.now().astimezone(ZoneInfo('Europe/Moscow')):%Y-%m-%d}"


def cases(desk: Desk) -> list[tuple[Any, ...]]:
    told = "SELECT kind, facts->>'what', facts->>'booked', resolution FROM cases ORDER BY id"
    return [tuple(row) for row in books.rows(desk.app, told)]


def test_the_list_tells_of_it(desk: Desk, clerk: Browser, viewer: Browser) -> None:
    """It is booked as money that left and becomes a case, once; nobody can give it back a second time."""
    order, number = bought(desk, "cloudpayments")
    disputed(desk, order)

    assert looked(desk).cases == 1
    assert looked(desk).cases == 0

    assert [tuple(map(str, row)) for row in books.rows(desk.app, BOOKED)] == [("990.00", "succeeded", "bank")]
    assert cases(desk) == [("chargeback", "taken", "990.00", None)]
    assert not books.rows(desk.app, "SELECT 1 FROM purchased_plans WHERE revoked_at IS NOT NULL")
    assert laws(desk) == []
    page = viewer.get(f"/admin/payments/details/?id={number}").text
    assert "Банк клиента забрал 990" in page
    assert "/admin/payments/refund/" not in clerk.get(f"/admin/payments/details/?id={number}").text
    answer = act(clerk, f"/admin/payments/refund/?id={number}", how="all", reason=WHY)
    assert answer.status_code == 400
    assert desk.sandbox.ledger()["refunds"] == []


def test_the_bank_gives_it_back(desk: Desk, viewer: Browser) -> None:
    """A representment undoes the booking, ends the open case and is told as one of its own."""
    order, number = bought(desk, "cloudpayments")
    disputed(desk, order)
    looked(desk)
    disputed(desk, order, operation="fee", amount="300.00")
    disputed(desk, order, operation="representment")
    looked(desk)
    looked(desk)

    assert [tuple(map(str, row)) for row in books.rows(desk.app, BOOKED)] == [("990.00", "failed", "bank")]
    assert cases(desk) == [
        ("chargeback", "taken", "990.00", "itself"),
        ("chargeback", "returned", "990.00", None),
    ]
    assert books.rows(desk.app, "SELECT refunded_amount FROM payments")[0][0] == 0
    assert laws(desk) == []
    assert "Комиссия за спор" in viewer.get("/admin/cases/details/?id=" + _first_case(desk)).text
    assert "вернул магазину" in viewer.get(f"/admin/payments/details/?id={number}").text


def test_the_daily_comparison_finds_it_too(desk: Desk) -> None:
    """And is not confused by it: both ledgers are told as equal."""
    order, _ = bought(desk, "cloudpayments")
    disputed(desk, order)
    with desk.app.app_context():
        now = clock.now()
        reconciliation.reconcile(now, now - timedelta(days=1))
    assert cases(desk) == [("chargeback", "taken", "990.00", None)]
    assert not books.rows(desk.app, "SELECT 1 FROM reconciliation_lines")


def test_a_word_of_no_handbook_is_for_a_person(desk: Desk, viewer: Browser) -> None:
    """It moves no money here and keeps no other line from being heard: somebody looks into the cabinet."""
    bought(desk, "cloudpayments")
    theirs = books.rows(desk.app, "SELECT gateway_payment_id FROM payments")[0][0]
    with desk.app.app_context():
        told = ChargebackSnapshot("70009", theirs, Dispute.OTHER, Decimal("990.00"), "RUB", clock.now())
        verdicts = list(chargebacks.hear_all(GatewayName.CLOUDPAYMENTS, iter([told, told]), clock.now()))

    assert [str(one) for one in verdicts] == [Verdict.CASE.value, Verdict.NOTHING_NEW.value]
    assert cases(desk) == [("chargeback", "other", None, None)]
    assert books.rows(desk.app, BOOKED) == []
    page = viewer.get("/admin/cases/details/?id=" + _first_case(desk)).text
    assert "нет в справочнике" in page
    assert "отозвал деньги у магазина" not in page
    assert laws(desk) == []


def test_a_list_that_cannot_be_had_is_asked_again(desk: Desk) -> None:
    """What a gateway could not answer is found by the next look."""
    order, _ = bought(desk, "cloudpayments")
    disputed(desk, order)
    spoil(desk, "cloudpayments", "chargebacks_list", "http_500")
    with desk.app.app_context():
        run = comparing_runs.begin(clock.now() - timedelta(hours=1), clock.now())
        failed = [comparing_runs.compare(day) for day in comparing_runs.pending(run)]
        assert any(failed)
    assert cases(desk) == []
    assert looked(desk).cases == 1


def test_a_part_beside_a_refund(desk: Desk, clerk: Browser) -> None:
    """The bank takes all of what had gone back in part: only the rest is booked; the case says all."""
    order, number = bought(desk, "cloudpayments")
    gone = act(clerk, f"/admin/payments/refund/?id={number}", how="part", amount="300", reason=WHY)
    assert gone.status_code == 303
    later(desk, "1m")
    disputed(desk, order)
    looked(desk)

    assert cases(desk) == [("chargeback", "taken", "690.00", None)]
    assert str(books.rows(desk.app, "SELECT amount FROM cases")[0][0]) == "990.00"
    assert laws(desk) == []


def test_a_letter_is_written_down_once(desk: Desk, clerk: Browser, owner: Browser) -> None:
    """Where the gateway is silent the operator says how much, when and by which number; the plan waits."""
    _, number = bought(desk, "yookassa")
    where = f"/admin/payments/chargeback/?id={number}"
    page = clerk.get(where).text
    assert "через API о чарджбэках не сообщает" in page
    assert "Закончить «" not in page
    assert "Закончить «" in owner.get(where).text
    said = {"amount": "990,00", "day": today(desk), "number": "ARN 74", "plan": "leave", "reason": WHY}
    key = form_key(page)
    for _ in range(2):
        assert press(clerk, where, key, **said).status_code == 303

    assert [tuple(map(str, row)) for row in books.rows(desk.app, BOOKED)] == [("990.00", "succeeded", "bank")]
    assert cases(desk) == [("chargeback", "taken", "990.00", None)]
    register = owner.get("/admin/refunds/").text
    assert "банк клиента (чарджбэк)" in register
    case = owner.get(f"/admin/cases/details/?id={_first_case(desk)}").text
    assert "ARN 74" in case
    assert "990.00" not in case
    assert laws(desk) == []


def test_the_plan_ends_with_it(desk: Desk, clerk: Browser, owner: Browser) -> None:
    """The owner may end the plan at once, a clerk may not; later the money may be the shop's again."""
    _, number = bought(desk, "yookassa")
    where = f"/admin/payments/chargeback/?id={number}"
    said = {"amount": "990", "day": today(desk), "number": "", "plan": "end", "reason": WHY}
    assert act(clerk, where, **said).status_code == 403
    assert books.rows(desk.app, BOOKED) == []

    assert act(owner, where, **said).status_code == 303
    assert cases(desk) == [("chargeback", "taken", "990.00", "end_plan")]
    assert books.rows(desk.app, "SELECT 1 FROM purchased_plans WHERE revoked_at IS NOT NULL")
    later(desk, "1m")
    letter = letters(desk)[-1]
    assert "Ваш банк вернул вам деньги за этот тариф" in letter
    assert "Вы отменили" not in letter
    assert "Возврата не будет" not in letter
    back = f"/admin/payments/chargeback-won/?id={number}"
    assert clerk.get(back).status_code == 403
    assert act(owner, back, reason=WHY).status_code == 303
    assert owner.get(back).status_code == 404
    assert books.rows(desk.app, "SELECT refunded_amount FROM payments")[0][0] == 0
    assert laws(desk) == []


def test_the_customer_may_still_end_the_plan(desk: Desk, recurring: None) -> None:
    """Before anybody decided: the page says that nothing goes back, and the click sends nothing back."""
    ira = desk.customer()
    order = ira.order("cloudpayments", recurring=True)
    paid(desk, order)
    disputed(desk, order)
    looked(desk)
    for path in ("/dashboard/cancel", "/account/close"):
        page = ira.get(path)
        assert page.status_code == 200
        assert "Деньги за него вам уже вернули" in page.text
        assert "Деньги не вернутся" not in page.text
        assert "он прошёл" not in page.text
    assert ira.send("/dashboard/cancel").ok
    desk.settle()
    later(desk, "1m")
    assert "Деньги за него вам уже вернули" in letters(desk)[-1]
    assert len(books.rows(desk.app, BOOKED)) == 1
    assert desk.sandbox.ledger()["refunds"] == []
    assert books.rows(desk.app, "SELECT 1 FROM purchased_plans WHERE revoked_at IS NOT NULL")


def test_a_form_undoes_the_booking_that_it_shows(desk: Desk, clerk: Browser, owner: Browser) -> None:
    """Pressed twice it gives one of two bookings back to the shop, not both."""
    _, number = bought(desk, "yookassa")
    for amount in ("300", "200"):
        said = {"amount": amount, "day": today(desk), "number": "", "plan": "leave", "reason": WHY}
        assert act(clerk, f"/admin/payments/chargeback/?id={number}", **said).status_code == 303
    back = f"/admin/payments/chargeback-won/?id={number}"
    key = form_key(owner.get(back).text)
    assert [press(owner, back, key, reason=WHY).status_code for _ in range(2)] == [303, 303]

    assert [tuple(map(str, row)) for row in books.rows(desk.app, BOOKED)] == [
        ("300.00", "succeeded", "bank"),
        ("200.00", "failed", "bank"),
    ]
    assert len(books.rows(desk.app, "SELECT 1 FROM audit_entries WHERE act = 'chargeback-won'")) == 1
    assert "300" in owner.get(back).text
    assert laws(desk) == []


WRONG = (
    {"amount": "990,01"},
    {"amount": "0"},
    {"amount": "=1+1"},
    {"day": "2020-01-01"},
    {"day": "2126-01-01"},
    {"day": "вчера"},
    {"reason": " "},
)


def test_what_a_letter_cannot_say(desk: Desk, clerk: Browser) -> None:
    """A sum that was never paid, a day before it was paid or to come, no reason: nothing is written."""
    _, number = bought(desk, "yookassa")
    for wrong in WRONG:
        said = {"amount": "990", "day": today(desk), "number": "1", "plan": "leave", "reason": WHY} | wrong
        answer = act(clerk, f"/admin/payments/chargeback/?id={number}", **said)
        assert (answer.status_code, "Ничего не сделано" in answer.text) == (400, True), wrong
    assert books.rows(desk.app, BOOKED) == []
    assert cases(desk) == []


def letters(desk: Desk) -> list[str]:
    """What the customer read, oldest first."""
    mailbox = requests.get(
        f"{desk.sandbox.url}/control/mailbox", params={"to": "ira@example.com"}, timeout=10
    )
    return [str(letter["text"]) for letter in mailbox.json()["letters"]]


def _first_case(desk: Desk) -> str:
    return str(books.rows(desk.app, "SELECT min(id) FROM cases")[0][0])
