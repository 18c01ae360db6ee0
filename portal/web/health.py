"""For the machine room: alive, ready, and numbers for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache
from typing import Any

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Blueprint, Response, current_app, jsonify
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from portal import clock, jobs
from portal.billing import machinery, notices
from portal.billing.machinery import Alarm
from portal.database import glance
from portal.models import Case, EventStatus, Notification, Payment, Subscription, WebhookEvent

blueprint = Blueprint("health", __name__)

#: How long one process answers with the same numbers.
KEEP_SECONDS = 5.0
_KEPT = "portal_metrics"


@blueprint.get("/healthz")
def healthz() -> Response:
    """This process answers."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Database, Redis and migrations are in order; otherwise 503 and which is not."""
    state = {"database": _database(), "redis": _redis()}
    ready = all(value == "ok" for value in state.values())
    return jsonify({"status": "ok" if ready else "not ready", **state}), 200 if ready else 503


@blueprint.get("/metrics")
def metrics() -> Response:
    """Numbers read from the database, the same whichever process answers.

    Nobody has to sign in for them, so that a crowd which asks at once counts the rows once in some seconds.
    """
    kept: tuple[float, bytes] | None = current_app.extensions.get(_KEPT)
    if kept is None or time.monotonic() >= kept[0] + KEEP_SECONDS:
        registry = CollectorRegistry()
        registry.register(_Numbers())
        kept = (time.monotonic(), generate_latest(registry))
        current_app.extensions[_KEPT] = kept
    return Response(kept[1], content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _database() -> str:
    """Reachable, and at the newest migration?"""
    try:
        with glance() as connection:
            found = MigrationContext.configure(connection).get_current_heads()
    except SQLAlchemyError as error:
        return type(error).__name__
    wanted = _wanted(str(current_app.extensions["migrate"].directory))
    return (
        "ok"
        if set(found) == set(wanted)
        else "migrations are not up to date: run flask --app wsgi db upgrade"
    )


@cache
def _wanted(directory: str) -> tuple[str, ...]:
    """The newest migrations that came with this code; a process has one code as long as it lives."""
    return tuple(ScriptDirectory(directory).get_heads())


def _redis() -> str:
    try:
        jobs.queue().connection.ping()
    except (RedisError, OSError) as error:
        return type(error).__name__
    return "ok"


class _Numbers:
    """What an operator wants an alarm on."""

    def collect(self) -> Iterator[Metric]:
        """Count rows, grouped where that helps."""
        with glance() as connection:
            for name, words, columns in _GROUPED:
                labels = [column.key for column in columns]
                family = GaugeMetricFamily(name, words, labels=labels)
                for *values, count in connection.execute(select(*columns, func.count()).group_by(*columns)):
                    family.add_metric([value.value for value in values], count)
                yield family
            for name, words, query in (*_COUNTED, _letters()):
                yield GaugeMetricFamily(name, words, value=connection.execute(query).scalar_one())
        silent = machinery.alarms(clock.now())
        alarms = GaugeMetricFamily("portal_alarm", "What is silent that should not be.", labels=["what"])
        for alarm in Alarm:
            alarms.add_metric([alarm.value], alarm in silent)
        yield alarms


_GROUPED: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
    ("portal_payments", "Payments.", (Payment.gateway, Payment.status)),
    ("portal_webhook_events", "Notifications kept.", (WebhookEvent.gateway, WebhookEvent.status)),
    ("portal_subscriptions", "Subscriptions.", (Subscription.status,)),
)
_COUNTED = (
    (
        "portal_cases_open",
        "Cases that wait for a person.",
        select(func.count()).select_from(Case).where(Case.resolved_at.is_(None)),
    ),
    (
        "portal_webhook_events_waiting",
        "Notifications that could not be carried out yet.",
        select(func.count()).select_from(WebhookEvent).where(WebhookEvent.status == EventStatus.RECEIVED),
    ),
)


def _letters() -> tuple[str, str, Any]:
    """What is counted changes with the time: nobody tries to send a letter that was given up."""
    waiting = select(func.count()).where(Notification.sent_at.is_(None), notices.not_given_up(clock.now()))
    return "portal_letters_waiting", "Letters not yet sent.", waiting
