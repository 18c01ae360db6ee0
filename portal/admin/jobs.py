"""What runs by itself: the queue, the jobs that failed, the schedules, and what is silent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from flask import abort, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from redis.exceptions import RedisError

from portal import clock, jobs
from portal.accounts import present
from portal.admin.access import Room, needs
from portal.admin.words import cell
from portal.billing import machinery
from portal.billing.audit import Actor
from portal.billing.machinery import Alarm
from portal.models import Role

_SHOWN = 50

ALARMS = {
    Alarm.SCHEDULER: "Планировщик молчит: по времени ничего не делается — ни списания, ни письма.",
    Alarm.WORKERS: "Нет ни одного рабочего процесса: списания по подпискам не выполняются.",
    Alarm.QUEUE: "Redis не отвечает: задачи не выполняются сразу, их подбирает планировщик.",
    Alarm.RENEWALS: "Есть продления, до которых давно никто не дошёл.",
    Alarm.LETTERS: "Есть письма, которые давно не могут уйти.",
    Alarm.LISTS: "Список шлюза давно не удаётся получить.",
    Alarm.RECONCILIATION: "Ежедневная сверка давно не начиналась.",
}
SCHEDULES = {
    machinery.SWEEP: "Планировщик: всё, что подошло по времени",
    "list cloudpayments": "Список CloudPayments, каждый час",
    "list yookassa": "Список ЮKassa, каждый час",
    "reconciliation": "Сверка, каждое утро",
}

#: What a job does, by the verb that a worker runs.
VERBS = {
    "billing.comparing_runs.carry_on": "сверить дни со шлюзами",
    "billing.inbox.process": "применить уведомление",
    "billing.notices.deliver": "отправить письмо",
    "billing.renewals.renew": "списать продление",
    "billing.replaying.carry_on": "применить много уведомлений ещё раз",
    "billing.sending_back.carry_on": "отправить возврат",
}


def alarms_in_words() -> list[str]:
    """For the banner on every page of the desk."""
    return [ALARMS[alarm] for alarm in machinery.alarms(clock.now())]


class Jobs(Room):
    """The queue and the schedules; failed jobs may be tried again or forgotten."""

    what = (
        "Задачи несут только номера строк: потерянную планировщик найдёт по самой строке, а повторная "
        "ничего не сделает дважды."
    )

    @expose("/")
    def index_view(self) -> str:
        """Everything at once, read anew each time."""
        now = clock.now()
        try:
            state, failed = jobs.state(), jobs.failures(_SHOWN)
        except (RedisError, OSError):
            state, failed = None, []
        page: str = self.render(
            "admin/jobs.html",
            state=state,
            failed=failed,
            schedules=machinery.schedules(now),
            names=SCHEDULES,
            verbs=VERBS,
            renewals=machinery.renewals_left(now),
            letters=machinery.letters_left(now),
            cell=cell,
        )
        return page

    @expose("/retry", methods=("POST",))
    @needs(Role.SUPPORT)
    def retry_all(self) -> ResponseReturnValue:
        """Queue every failed job again."""
        return _do(machinery.retry, jobs.failed_ids, "Поставлены в очередь ещё раз: {}.")

    @expose("/<job_id>/retry", methods=("POST",))
    @needs(Role.SUPPORT)
    def retry(self, job_id: str) -> ResponseReturnValue:
        """Queue one again."""
        return _do(machinery.retry, lambda: _one(job_id), "Поставлены в очередь ещё раз: {}.")

    @expose("/<job_id>/forget", methods=("POST",))
    @needs(Role.SUPPORT)
    def forget(self, job_id: str) -> ResponseReturnValue:
        """Take one off the list."""
        return _do(machinery.forget, lambda: _one(job_id), "Убраны из списка: {}.")


def _one(job_id: str) -> list[str]:
    """That job, if it is a failed one of ours."""
    return [job_id] if job_id in jobs.failed_ids() else abort(404)


def _do(
    verb: Callable[[Sequence[str], Actor, datetime], None], which: Callable[[], list[str]], told: str
) -> ResponseReturnValue:
    try:
        ids = which()
        if ids:
            verb(ids, present.actor(), clock.now())
            flash(told.format(len(ids)), "good")
    except (RedisError, OSError):
        flash("Redis не отвечает.", "bad")
    return redirect(url_for(".index_view"), 303)
