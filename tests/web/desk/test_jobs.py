"""The machine room at the desk: failed jobs on a real queue, schedules, and alarms on silence."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from rq import Queue, Worker
from rq.serializers import JSONSerializer
from sqlalchemy.exc import OperationalError

from portal import clock, jobs, worker
from portal.billing import inbox, machinery, notices
from portal.billing.machinery import Alarm
from portal.database import db
from tests.desk import Browser, Desk
from tests.stories import books
from tests.stories.test_metrics import _write_letter

ROOM = "/admin/jobs/"


@pytest.fixture
def failed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> str:
    """A job that ended with an exception whose message quotes a token; its id."""

    def broken(*_: Any) -> None:
        raise LookupError("no customer with tk_0123456789abcdef0123456789abc and 4242 4242 4242 4242")

    with monkeypatch.context() as fault:
        fault.setattr(inbox, "_claim", broken)
        with desk.app.app_context():
            jobs.enqueue(inbox.process, 77)
        desk.work()
    with desk.app.app_context():
        (job_id,) = jobs.failed_ids()
    return job_id


@pytest.fixture
def alive(desk: Desk) -> Any:
    """A worker that has said that it lives, and a scheduler that has just swept."""
    queue = desk.app.extensions["portal_queue"]
    worker = Worker([queue], connection=queue.connection, serializer=JSONSerializer)
    worker.register_birth()
    with desk.app.app_context():
        machinery.ran(machinery.SWEEP, "3", clock.now())
    yield worker
    worker.register_death()


def silent(desk: Desk) -> list[Alarm]:
    with desk.app.app_context():
        return machinery.alarms(clock.now())


def test_a_failed_job_is_shown_without_secrets(desk: Desk, viewer: Browser, failed: str) -> None:
    """Which verb, which row, and the last line of the exception; no token and no card's number."""
    page = viewer.get(ROOM).text
    assert "billing.inbox.process" in page
    assert "77" in page
    assert "LookupError: no customer with •••• and ••••" in page
    assert "tk_" not in page
    assert "Повторить" not in page  # a viewer looks


def test_it_is_tried_again_or_forgotten(desk: Desk, clerk: Browser, viewer: Browser, failed: str) -> None:
    """A retry does it now and it is gone from the list; each act is in the audit."""
    assert viewer.send(f"{ROOM}{failed}/retry").status_code == 403
    assert "Поставлены в очередь ещё раз: 1." in clerk.send(f"{ROOM}{failed}/retry").text
    desk.work()
    with desk.app.app_context():
        assert jobs.failed_ids() == []
    assert clerk.send(f"{ROOM}{failed}/retry").status_code == 404
    acts = books.rows(desk.app, "SELECT act, subject_id FROM audit_entries WHERE act LIKE 'jobs%'")
    assert [tuple(act) for act in acts] == [("jobs-retried", failed)]


def test_one_is_forgotten_and_all_are_retried(desk: Desk, clerk: Browser, failed: str) -> None:
    """Forgotten means gone; retrying none says nothing."""
    assert "Убраны из списка: 1." in clerk.send(f"{ROOM}{failed}/forget").text
    assert "Таких нет" in clerk.get(ROOM).text
    assert "Поставлены" not in clerk.send(f"{ROOM}retry").text
    with desk.app.app_context():
        jobs.retry(failed)  # a job that is gone is left alone
        jobs.forget(failed)


def test_all_are_retried_at_once(desk: Desk, clerk: Browser, failed: str) -> None:
    """One button for what one fault broke."""
    assert "Поставлены в очередь ещё раз: 1." in clerk.send(f"{ROOM}retry").text
    desk.work()
    with desk.app.app_context():
        assert jobs.state().failed == 0


def test_silence_is_an_alarm_on_every_page(desk: Desk, viewer: Browser, alive: Worker) -> None:
    """While all runs there is none; a scheduler that stops, and workers that die, are told of everywhere."""
    assert silent(desk) == []
    banner = "Портал работает не полностью"
    assert banner not in viewer.get("/admin/payments/").text

    clock.set_to(clock.now() + machinery.SWEEP_SILENT + timedelta(seconds=1))
    assert silent(desk) == [Alarm.SCHEDULER]
    for path in ("/admin/payments/", "/admin/", ROOM):
        assert banner in viewer.get(path).text
    assert "молчит" in viewer.get(ROOM).text
    desk.app.extensions.pop("portal_metrics", None)
    numbers = viewer.get("/metrics").text
    assert 'portal_alarm{what="scheduler"} 1.0' in numbers
    assert 'portal_alarm{what="workers"} 0.0' in numbers

    alive.register_death()
    assert silent(desk) == [Alarm.SCHEDULER, Alarm.WORKERS]
    alive.register_birth()
    with desk.app.app_context():
        machinery.ran(machinery.SWEEP, "0", clock.now())
    assert silent(desk) == []


def test_a_moved_clock_is_no_silence(desk: Desk, alive: Worker) -> None:
    """Days that passed in a moment, with all their work done, raise no alarm."""
    later = (clock.now() + timedelta(days=3)).isoformat()
    assert desk.app.test_client().post("/billing/sandbox/clock", json={"now": later}).status_code == 200
    assert clock.now().isoformat() >= later
    assert silent(desk) == []


def test_a_worker_without_redis_ends_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Not with a traceback in the log: whoever watches it starts another one."""
    away = Queue("away", connection=Redis("127.0.0.1", 1, retry=None), serializer=JSONSerializer)
    app = Flask("away")
    app.extensions["portal_queue"] = away
    with pytest.raises(SystemExit):
        worker.work(app, burst=True)
    assert "The worker lost Redis: ConnectionError" in caplog.messages


def test_what_is_left_behind_is_an_alarm(desk: Desk, alive: Worker) -> None:
    """A letter, or a renewal, that nobody comes to: the scheduler may run and do nothing."""
    desk.customer()
    assert Alarm.LETTERS not in silent(desk)
    _write_letter(desk, "stuck", machinery.LEFT_BEHIND + timedelta(minutes=1))
    assert silent(desk) == [Alarm.LETTERS]


def test_a_letter_that_was_given_up_is_no_alarm_for_ever(desk: Desk, alive: Worker) -> None:
    """An address that no server accepts would otherwise leave the banner on every page for good."""
    desk.customer()
    _write_letter(desk, "dead", notices.GIVE_UP_AFTER + timedelta(minutes=1))
    assert silent(desk) == []


def test_a_redis_that_is_away_is_said(desk: Desk, viewer: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page opens and says so."""

    def away(*_: Any, **__: Any) -> Any:
        raise ConnectionError

    monkeypatch.setattr(jobs.Worker, "all", away)
    page = viewer.get(ROOM)
    assert page.status_code == 200
    assert "Redis не отвечает" in page.text
    assert Alarm.QUEUE in silent(desk)


def test_a_list_that_cannot_be_had_for_hours_is_an_alarm(desk: Desk, alive: Worker) -> None:
    """The mark of the last good look grows old."""
    with desk.app.app_context(), db.engine.begin() as connection:
        old = clock.now() - machinery.LISTS_SILENT - timedelta(minutes=1)
        mark = "INSERT INTO settings (name, value, updated_at) VALUES ('listed until: yookassa', :old, now())"
        connection.execute(db.text(mark), {"old": old.isoformat()})
    assert silent(desk) == [Alarm.LISTS]


def test_a_failed_sweep_is_noted(desk: Desk, viewer: Browser, alive: Worker) -> None:
    """Beside its last good run."""
    with desk.app.app_context():
        machinery.failed(machinery.SWEEP, "OperationalError", clock.now())
    page = viewer.get(ROOM).text
    assert "OperationalError" in page
    assert "работает" in page


def test_the_scheduler_says_that_it_lives(desk: Desk, alive: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sweep leaves its mark, and one that is cut short leaves the reason."""
    stop = threading.Event()
    stop.set()  # nobody waits between two sweeps
    clock.set_to(clock.now() + machinery.SWEEP_SILENT * 2)
    assert silent(desk) == [Alarm.SCHEDULER]

    def once() -> Any:
        return iter((True, False)).__next__

    with desk.app.app_context():
        worker._sweep_while(once(), stop)
        assert silent(desk) == []

        def cut_short(_now: object) -> int:
            raise OperationalError("x", None, Exception())

        monkeypatch.setattr(worker.sweep, "sweep", cut_short)
        worker._sweep_while(once(), stop)
        (sweep, *_) = machinery.schedules(clock.now())
    assert (sweep.error, sweep.failed_at is None, sweep.is_silent) == ("OperationalError", False, False)
