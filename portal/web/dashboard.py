"""The customer's own pages: what is left, what was paid, what was told."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from flask import Blueprint, Response, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from portal import clock
from portal.billing import notices, payments, refunds, subscriptions
from portal.models import Notification, Payment, PaymentStatus
from portal.web import filters

bp = Blueprint("dashboard", __name__, url_prefix="/dashboard")

PAGE = 20
_LAST = 5
_CSV_PAGE = 200

# A Russian Excel reads UTF-8 only with the mark, and takes the comma for the point of a decimal.
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
_COLUMNS = ("Дата", "Номер", "Тариф", "Сумма", "Возвращено", "Валюта", "Статус", "Способ оплаты")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Told:
    """One notice as the dashboard shows it."""

    kind: str
    title: str
    text: str
    notification: Notification


@bp.get("/")
@login_required
def show() -> str:
    """Plan and status, what is left, renewal, the saved method, the last payments and notices."""
    now = clock.now()
    last = payments.history(current_user.id, _LAST, None)
    undecided = {PaymentStatus.UNKNOWN, PaymentStatus.AUTHORIZED}
    return render_template(
        "dashboard/show.html",
        standing=subscriptions.standing(current_user.id, now),
        payments=last.payments,
        going_back=refunds.going_back(payment.id for payment in last.payments),
        more_payments=last.next_cursor is not None,
        undecided=next((payment for payment in last.payments if payment.status in undecided), None),
        notices=[told for told in map(_told, notices.recent(current_user.id, 5)) if told],
    )


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
    yield _BOM + _line(_COLUMNS)
    cursor: str | None = None
    while True:
        page = payments.history(user_id, _CSV_PAGE, cursor)
        for payment in page.payments:
            yield _line(_cells(payment))
        cursor = page.next_cursor
        if cursor is None:
            return


def _cells(payment: Payment) -> tuple[str, ...]:
    return (
        filters.moment(payment.created_at).replace(filters.NBSP, " "),
        payment.transaction_id,
        payment.plan_title or payment.description,
        _amount(payment.amount),
        _amount(payment.refunded_amount),
        payment.currency,
        filters.state(payment).text,
        payment.method_title or "",
    )


def _amount(value: object) -> str:
    return f"{value:.2f}".replace(".", ",")


def _line(cells: tuple[str, ...]) -> str:
    """One line of the file. A cell that a spreadsheet would take for a formula is made plain text."""
    line = io.StringIO()
    csv.writer(line, delimiter=";").writerow(plain(cell) for cell in cells)
    return line.getvalue()


def plain(cell: str) -> str:
    """*cell* so that no spreadsheet calculates it (OWASP, CSV Injection)."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _told(notification: Notification) -> Told | None:
    """The words of a notice; what has no words here is a letter's alone."""
    facts = notification.facts
    if notification.kind == "payment_succeeded":
        title = f"Тариф «{facts['plan_title']}» оплачен"
        until = f", действует до {filters.day(facts['ends_at'])}" if facts.get("ends_at") else ""
        return Told("good", title, filters.money(facts["amount"], facts["currency"]) + until, notification)
    if notification.kind == "payment_failed":
        title = f"Платёж {filters.money(facts['amount'], facts['currency'])} не прошёл"
        return Told("bad", title, filters.decline(facts.get("failure_code"), facts["gateway"]), notification)
    if notification.kind == "refunded":
        title = f"Возврат {filters.money(facts['amount'], facts['currency'])}"
        part = "Вся сумма" if facts["whole"] else "Часть суммы"
        plan = "тариф отключён" if facts.get("ended", facts["whole"]) else "тариф действует"
        return Told("info", title, f"«{facts['plan_title']}». {part}; {plan}.", notification)
    if notification.kind == "refund_failed":
        title = f"Возврат {filters.money(facts['amount'], facts['currency'])} задерживается"
        text = f"«{facts['plan_title']}». Платёжная система его не провела, мы разбираемся."
        return Told("bad", title, text, notification)
    if notification.kind == "plan_canceled":
        sums = " и ".join(filters.money(one["amount"], one["currency"]) for one in facts["sums"])
        text = f"Вернём {sums} тем же способом, которым вы платили." if sums else "Списаний больше не будет."
        return Told("info", f"Тариф «{facts['plan_title']}» отменён", text, notification)
    if notification.kind in {"quota_low", "quota_spent"}:
        return _told_of_quota(notification)
    return None


def _told_of_quota(notification: Notification) -> Told:
    """How many e-mails were left then, and when there will be more."""
    facts = notification.facts
    of_plan = f"тариф «{facts['plan_title']}»"
    more = (
        f"{filters.letters(facts['next_emails'])} добавятся {filters.moment(facts['next_starts_at'])}."
        if facts["next_starts_at"]
        else "Новые появятся со следующим оплаченным сроком."
    )
    if notification.kind == "quota_spent":
        return Told("bad", f"Письма закончились: {of_plan}", f"Отправка остановлена. {more}", notification)
    title = f"Использовано {facts['percent']}{filters.NBSP}% писем: {of_plan}"
    left = f"Осталось {filters.letters(facts['emails_left'])} до {filters.day(facts['ends_at'])}."
    return Told("wait", title, f"{left} {more}", notification)
