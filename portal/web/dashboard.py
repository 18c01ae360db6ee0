"""The customer's own pages: what is left, what was paid, what was told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from flask import Blueprint, Response, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from portal import clock, spreadsheets, written
from portal.billing import (
    daily_use,
    leading,
    notices,
    outlook,
    payments,
    plan_changes,
    plans,
    refunds,
    subscriptions,
)
from portal.billing.daily_use import DailyUse
from portal.billing.subscriptions import Standing
from portal.models import Payment, PaymentStatus
from portal.spreadsheets import Cell
from portal.web import filters, use_chart, words
from portal.wording import marked, say

bp = Blueprint("dashboard", __name__, url_prefix="/dashboard")

PAGE = 20
_LAST = 5
_NOTICES = 5
_CSV_PAGE = 200

_COLUMNS = (
    marked("Дата"),
    marked("Номер"),
    marked("Тариф"),
    marked("Сумма"),
    marked("Возвращено"),
    marked("Валюта"),
    marked("Статус"),
    marked("Способ оплаты"),
)


@bp.get("/")
@login_required
def show() -> str:
    """Plan and status, what is left, renewal, the saved method, the last payments and notices."""
    now = clock.now()
    last = payments.history(current_user.id, _LAST, None)
    undecided = {PaymentStatus.UNKNOWN, PaymentStatus.AUTHORIZED}
    standing = subscriptions.standing(current_user.id, now)
    use = daily_use.of(current_user.id, now)
    return render_template(
        "dashboard/show.html",
        now=now,
        standing=standing,
        outlook=outlook.of(standing, now),
        may_buy_again=standing.current is not None and plans.is_on_sale(standing.current.plan_code),
        coming=plan_changes.coming_after(standing),
        use=use,
        chart=use_chart.drawn(use) if use else None,
        lasts=_lasts(use, standing),
        payments=last.payments,
        going_back=refunds.going_back(payment.id for payment in last.payments),
        more_payments=last.next_cursor is not None,
        lead_to=leading.asked_to(current_user.id),
        undecided=next((payment for payment in last.payments if payment.status in undecided), None),
        notices=[told for told in map(words.told, notices.recent(current_user.id, _NOTICES)) if told],
    )


def _lasts(use: DailyUse | None, standing: Standing) -> date | str:
    """Whether the e-mails last until the end of the period at the present pace ("enough"), or the day on
    which they run out; empty where the pace says nothing.
    """
    current = standing.current
    if use is None or not use.pace or current is None or standing.ends_at is None or not current.emails_left:
        return ""
    return use.runs_out_before(current.emails_left, current.ends_at) or "enough"


@bp.get("/payments", endpoint="payments")
@login_required
def payments_page() -> ResponseReturnValue:
    """The history, newest first, a page at a time; all of it as a file with ``?format=csv``."""
    if request.args.get("format") == "csv":
        return _as_csv(current_user.id)
    cursor = request.args.get("cursor") or None
    page = payments.history(current_user.id, PAGE, cursor)
    return render_template(
        "dashboard/payments.html",
        payments=page.payments,
        going_back=refunds.going_back(payment.id for payment in page.payments),
        next_cursor=page.next_cursor,
        is_first=cursor is None,
    )


def _as_csv(user_id: int) -> Response:
    """The whole history, streamed, so that a long one needs no memory."""
    response = Response(stream_with_context(_lines(user_id)), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="payments.csv"'
    return response


def _lines(user_id: int) -> Iterator[str]:
    yield spreadsheets.MARK + spreadsheets.line([say(column) for column in _COLUMNS])
    cursor: str | None = None
    while True:
        page = payments.history(user_id, _CSV_PAGE, cursor)
        for payment in page.payments:
            yield spreadsheets.line(_cells(payment))
        cursor = page.next_cursor
        if cursor is None:
            return


def _cells(payment: Payment) -> tuple[Cell, ...]:
    return (
        written.moment(payment.created_at).replace(written.NBSP, " "),
        payment.transaction_id,
        filters.bought(payment),
        payment.amount,
        payment.refunded_amount,
        payment.currency,
        filters.state(payment).text,
        filters.means(payment.method_title),
    )
