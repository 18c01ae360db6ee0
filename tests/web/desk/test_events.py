"""The log of notifications at the desk: read, rehearsed, replayed, many at once."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from werkzeug.datastructures import Headers

from portal import clock
from portal.admin.verdict_words import verdict
from portal.billing import audit, inbox, replay, replaying
from portal.billing.audit import Subject
from portal.database import CallInsideTransaction, db, rehearsal, transaction
from portal.models import EventStatus, GatewayName, WebhookEvent
from portal.web import evidence
from tests.desk import Browser, Desk
from tests.stories import books

LOG = "/admin/webhook-events/"


@pytest.fixture
def failed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> int:
    """A paid order whose notification we could not carry out: a fault of ours, kept for the sweep."""
    ira = desk.customer()
    order = ira.order("cloudpayments")["transaction_id"]

    def broken(*_: Any) -> None:
        raise LookupError("a fault of ours")

    with monkeypatch.context() as fault:
        fault.setattr(inbox.cloudpayments_events, "apply", broken)
        desk.sandbox.pay("cloudpayments", order)
        assert desk.sandbox.world.notifier.settle(20)
    (event,) = books.rows(desk.app, "SELECT id, status, last_error FROM webhook_events WHERE kind = 'pay'")
    assert (event.status, event.last_error) == ("received", "LookupError")
    return int(event.id)


def ledger(desk: Desk) -> list[Any]:
    """Everything that a replay may touch."""
    tables = ("payments", "purchased_plans", "subscriptions", "notifications", "cases", "audit_entries")
    found = [(table, books.count(desk.app, table)) for table in tables]
    return [*found, books.rows(desk.app, "SELECT status FROM payments"), books.rows(desk.app, EVENTS)]


EVENTS = "SELECT id, status, verdict, attempts, last_error FROM webhook_events ORDER BY id"


def test_a_rehearsal_shows_everything_and_keeps_nothing(desk: Desk, owner: Browser, failed: int) -> None:
    """The page names the payment's new state, the new period and the letter; the database is as before."""
    before = ledger(desk)

    page = owner.get(f"{LOG}{failed}/replay").text

    for words in ("изменит данные", "Новый оплаченный период", "Новая подписка", "Новое сообщение клиенту"):
        assert words in page
    assert "ждёт оплаты" in page
    assert "оплачен" in page
    assert ledger(desk) == before


def test_a_replay_does_what_its_rehearsal_showed(desk: Desk, owner: Browser, failed: int) -> None:
    """The plan runs, the notification is done, the audit says who and why; again it changes nothing."""
    done = owner.send(f"{LOG}{failed}/replay", reason="ошибка исправлена")

    assert "Применено." in done.text
    assert [row.status for row in books.rows(desk.app, "SELECT status FROM payments")] == ["succeeded"]
    assert books.count(desk.app, "purchased_plans") == 1
    (event,) = books.rows(desk.app, "SELECT status, verdict FROM webhook_events WHERE kind = 'pay'")
    assert tuple(event) == ("handled", "succeeded")
    with desk.app.app_context():
        (entry,) = audit.of(Subject("webhook-event", failed))
    assert (entry.act, entry.actor, entry.reason) == (
        "notification-replayed",
        "owner@example.com",
        "ошибка исправлена",
    )

    again = owner.send(f"{LOG}{failed}/replay", reason="ещё раз")
    assert "ничего нового" in again.text
    assert books.count(desk.app, "purchased_plans") == 1
    assert "ничего нового" in owner.get(f"{LOG}{failed}/replay").text


def test_nobody_replays_without_a_reason_or_a_right(
    desk: Desk, owner: Browser, clerk: Browser, viewer: Browser, failed: int
) -> None:
    """A reason is required; support may rehearse but not apply; a viewer may do neither."""
    before = ledger(desk)
    assert "почему" in owner.send(f"{LOG}{failed}/replay", reason="  ").text
    assert clerk.get(f"{LOG}{failed}/replay").status_code == 200
    assert "Применить может владелец" in clerk.get(f"{LOG}{failed}/replay").text
    assert clerk.send(f"{LOG}{failed}/replay", reason="надо").status_code == 403
    assert viewer.get(f"{LOG}{failed}/replay").status_code == 403
    assert ledger(desk) == before


def test_yookassa_is_asked_before_the_transaction_opens(
    desk: Desk, owner: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object is read back, since the body proves nothing, and not inside a transaction (law 1)."""
    ira = desk.customer()
    order = ira.order("yookassa")["transaction_id"]
    desk.sandbox.pay("yookassa", order)
    assert desk.sandbox.world.notifier.settle(20)  # kept, and no worker was there
    (event,) = books.rows(desk.app, "SELECT id FROM webhook_events WHERE kind = 'payment.succeeded'")
    before = ledger(desk)

    assert "Новый оплаченный период" in owner.get(f"{LOG}{event.id}/replay").text
    assert ledger(desk) == before
    assert "Применено." in owner.send(f"{LOG}{event.id}/replay", reason="рабочий не запущен").text
    assert ira.status(order, "yookassa")["status"] == "succeeded"

    desk.sandbox.control("faults", gateway="yookassa", operation="get_payment", fault="http_500", times=9)
    assert "Платёжная система" in owner.get(f"{LOG}{event.id}/replay").text


def test_a_rehearsal_inside_a_transaction_is_refused(desk: Desk, failed: int) -> None:
    """It could not be rolled back alone."""
    with desk.app.app_context():
        with transaction(), pytest.raises((CallInsideTransaction, RuntimeError)):
            replay.rehearse(failed, clock.now())
        with transaction(), pytest.raises(RuntimeError, match="rehearsal"), rehearsal():
            pass


def test_what_was_never_received_cannot_enter(desk: Desk, owner: Browser) -> None:
    """Only a stored row has an address; a body sent along is not looked at."""
    assert owner.get(f"{LOG}999/replay").status_code == 404
    assert owner.send(f"{LOG}999/replay", reason="x", raw_payload="TransactionId=1").status_code == 404
    assert owner.get(f"{LOG}{2**70}/replay").status_code == 404


def test_what_cannot_be_read_says_so(desk: Desk, owner: Browser) -> None:
    """An unreadable body is no server's failure."""
    with desk.app.app_context():
        inbox.keep_unreadable(inbox.Delivery(b"Token=%ff", "text/plain", "127.0.0.1"), clock.now())
        (event_id,) = db.session.scalars(db.select(WebhookEvent.id))
    page = owner.get(f"{LOG}{event_id}/replay")
    assert "не читается" in page.text
    assert "%ff" not in page.text


def test_a_range_is_rehearsed_and_then_done_by_a_worker(
    desk: Desk, owner: Browser, failed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted and shown first; then a job does all of it once, however often the job runs."""
    vera = desk.customer("vera@example.com")
    desk.sandbox.pay("yookassa", vera.order("yookassa")["transaction_id"])
    assert desk.sandbox.world.notifier.settle(20)
    desk.door.wait_until_quiet()
    desk.app.extensions["portal_queue"].empty()
    before = ledger(desk)

    shown = owner.get(f"{LOG}replay", params={"flt0_status": "received"}).text
    assert "Проба. Уведомлений: 2" in shown
    assert shown.count("изменит данные") == 2
    assert ledger(desk) == before

    ordered = owner.send(f"{LOG}replay", flt0_status="received", reason="после сбоя")
    assert "0 из 2" in ordered.text
    number = int(ordered.url.rpartition("/")[2])
    with desk.app.app_context():
        assert replaying.waiting(clock.now()) == [number]
    monkeypatch.setattr(replaying, "AT_A_TIME", -1.0)  # a job that has no time left does none
    with desk.app.app_context():
        replaying.carry_on(number)
    monkeypatch.undo()
    desk.work()
    with desk.app.app_context():
        assert not replaying.carry_on(number)

    page = owner.get(f"{LOG}replays/{number}").text
    assert "2 из 2" in page
    assert "закончен" in page
    (row,) = books.rows(desk.app, "SELECT done, moved, cases, failed FROM replays")
    assert tuple(row) == (2, 2, 0, 0)
    assert books.count(desk.app, "purchased_plans") == 2
    acts = books.rows(desk.app, "SELECT act, reason FROM audit_entries WHERE act LIKE 'notif%' ORDER BY id")
    assert [act.act for act in acts] == ["notifications-replayed", *["notification-replayed"] * 2]
    assert {act.reason for act in acts} == {"после сбоя"}


def test_one_broken_notification_stops_no_range(
    desk: Desk, owner: Browser, failed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted as failed; the next one is done. A range without a condition is not begun."""
    with desk.app.app_context():
        inbox.keep_unreadable(inbox.Delivery(b"Token=%ff", "text/plain", "127.0.0.1"), clock.now())
    assert "хотя бы одно условие" in owner.send(f"{LOG}replay", reason="всё").text
    refused = owner.send(f"{LOG}replay", flt0_gateway="yookassa", reason="ошибка")
    assert "не попало ни одно" in refused.text

    real = replay.again

    def breaks(event_id: int, *more: Any, **words: Any) -> Any:
        if event_id == failed:
            raise LookupError
        return real(event_id, *more, **words)

    monkeypatch.setattr(replay, "again", breaks)
    owner.send(f"{LOG}replay", flt0_gateway="cloudpayments", reason="после сбоя")
    desk.work()
    (row,) = books.rows(desk.app, "SELECT done, failed, finished_at FROM replays")
    assert (row.done, row.failed) == (2, 2)
    assert row.finished_at


def test_two_workers_count_each_notification_once(desk: Desk, failed: int) -> None:
    """A job that ran long and one that took its range up do nothing twice."""
    with desk.app.app_context():
        asked = replaying.Range(GatewayName.CLOUDPAYMENTS, EventStatus.RECEIVED)
        number = replaying.order(asked, audit.COMMAND_LINE, "проба", clock.now())
        one = replaying._claim(number, clock.now())
        assert one is not None
        assert replaying._claim(number, clock.now()) is None
        replaying._do(one, failed)
        replaying._do(one, failed)
    (row,) = books.rows(desk.app, "SELECT done, moved FROM replays")
    assert tuple(row) == (1, 1)
    assert books.count(desk.app, "purchased_plans") == 1


def test_who_called_and_by_what_it_was_proved(desk: Desk, viewer: Browser) -> None:
    """Kept for a dispute: the caller's address and words, and which signature was right, by its beginning."""
    order = desk.customer().order("cloudpayments")
    desk.sandbox.pay("cloudpayments", order["transaction_id"])
    desk.settle()
    event = books.rows(desk.app, "SELECT id, headers FROM webhook_events WHERE kind = 'pay'")[0]
    sent = next(one for one in desk.sandbox.ledger()["notifications"] if one["kind"] == "pay")
    signature = sent["headers"]["Content-HMAC"]

    assert event.headers["proved by"] == "Content-HMAC"
    assert event.headers["Content-HMAC"] == f"{signature[:8]}…"
    page = viewer.get(f"{LOG}details/?id={event.id}").text
    assert "подпись Content-HMAC сошлась" in page
    assert event.headers["User-Agent"] in page
    assert signature not in page
    assert signature not in viewer.get(f"{LOG}export/csv/").text


def test_headers_are_kept_as_text() -> None:
    """Of a header that is too long, or holds what no database takes, the readable part is kept."""
    given = Headers({"User-Agent": "a\x00b" + "c" * 400, "Cookie": "s=1", "Authorization": "Basic x"})
    assert evidence.of(given) == {"User-Agent": "a?b" + "c" * 197}
    assert evidence.of(Headers({"X-Signature": "f" * 64}), "X-Signature") == {
        "X-Signature": "ffffffff…",
        "proved by": "X-Signature",
    }


def test_every_verdict_is_told_in_words() -> None:
    """Whatever the code says of a notification is read at the desk in Russian, its states too."""
    said = {"refund booked", "refund already booked", "refund above the captured sum"}
    for file in (Path(__file__).parents[3] / "portal" / "billing").glob("*.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("Settlement"):
                said |= {found.value for found in call.args[1:2] if isinstance(found, ast.Constant)}
    assert len(said) > 25
    latin = {text: verdict(text) for text in said if not re.search("[а-я]", verdict(text))}
    assert not latin
    for text, told in (
        ("already failed", "уже отклонён"),
        ("a refusal after it succeeded", "отказ, когда платёж уже оплачен"),
        ("event deal.closed is not ours", "событие «deal.closed» нас не касается"),
        ("second_capture", "вторая оплата заказа"),
        ("what nobody has written yet", "what nobody has written yet"),
    ):
        assert verdict(text) == told
