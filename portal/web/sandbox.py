"""What the sandbox gateways ask of the portal. Registered only while SANDBOX=1, answers loopback only."""

from __future__ import annotations

import time
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request
from redis.exceptions import RedisError
from rq import Worker
from rq.registry import StartedJobRegistry
from sqlalchemy import select

from portal import clock, jobs
from portal.billing import checkout, due, machinery, sweep
from portal.database import db, release
from portal.errors import InvalidRequest
from portal.models import GatewayName, Payment, User
from portal.web.api import iso

blueprint = Blueprint("sandbox", __name__, url_prefix="/billing/sandbox")

#: How long a step of the clock waits for the workers to finish what they hold.
WORKERS_SECONDS = 20.0


@blueprint.before_request
def loopback_only() -> None:
    """Nobody else may move time. A forwarded address does not count: only who really connected."""
    peer: Any = request.environ.get("werkzeug.proxy_fix.orig", {}).get("REMOTE_ADDR") or request.remote_addr
    if not ip_address(peer or "0.0.0.0").is_loopback:  # noqa: S104 - an address to compare
        abort(404)


@blueprint.get("/widget/<transaction_id>")
def widget(transaction_id: str) -> Response:
    """The parameters that the browser's widget would be started with, for a payer without a browser."""
    payment = db.session.scalar(
        select(Payment).where(
            Payment.transaction_id == transaction_id[:64], Payment.gateway == GatewayName.CLOUDPAYMENTS
        )
    )
    if payment is None:
        abort(404)
    return jsonify(checkout.widget(payment, db.session.get_one(User, payment.user_id)))


@blueprint.post("/clock")
def move_clock() -> Response:
    """Show another time everywhere and do all that fell due; answers when that is done."""
    try:
        moment = datetime.fromisoformat(str((request.get_json(silent=True) or {})["now"]))
    except (KeyError, ValueError):
        raise InvalidRequest('Нужен JSON вида {"now": "2026-12-01T00:00:00Z"}.') from None
    if moment.tzinfo is None:
        raise InvalidRequest("У времени нет часового пояса.")
    clock.set_to(moment)
    following = _do_what_is_due()
    if _waited_for_workers():
        following = _do_what_is_due()
    # This was a sweep as well: the desk need not miss the scheduler's, whose next one is seconds away.
    machinery.ran(machinery.SWEEP, "the clock was moved", clock.now())
    # To the microsecond: a clock that stopped at a moment rounded down would find nothing due there.
    return jsonify({"now": iso(clock.now()), "next_due": following and following.isoformat()})


def _do_what_is_due() -> datetime | None:
    """Sweep until nothing is due; gives the next moment at which something is.

    Time goes on meanwhile: what falls due during a sweep is no step of its own for the sandbox any more.
    """
    while True:
        now = clock.now()
        sweep.sweep_until_quiet(now, without_workers=True)
        following = due.next_due(now)
        if following is None or following > clock.now():
            return following


def _waited_for_workers() -> bool:
    """Let jobs that are under way come to their end; without Redis or workers there is nothing to wait
    for. Tells whether there was.
    """
    release()
    queue = jobs.queue()
    waited = False
    until = time.monotonic() + WORKERS_SECONDS
    while time.monotonic() < until:
        try:
            if not Worker.count(queue=queue) or not (queue.count or StartedJobRegistry(queue=queue).count):
                return waited
        except (RedisError, OSError):
            return waited
        waited = True
        time.sleep(0.05)
    return waited
