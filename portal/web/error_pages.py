"""What a person is told about an error: what happened, what it means for the money, and what to do next.

The page of a failure of our own asks for nothing that may have failed: no session, no settings, no database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask import current_app, g, has_request_context, render_template, request, url_for
from flask_login import current_user

from portal import written
from portal.accounts.wall_clock import wall_now
from portal.billing.plans import PlanNotFound
from portal.gateways.base import GatewayForbidden
from portal.web import guards
from portal.wording import marked, say


@dataclass(frozen=True, slots=True)
class Fault:
    """What is told about one error, in whichever form."""

    status: int
    code: str
    message: str
    #: Seconds until it is worth trying again, where that is known.
    wait: int = 0


@dataclass(frozen=True, slots=True)
class Way:
    """A step that the page offers; the first one is the button that catches the eye."""

    label: str
    href: str


_NOTHING = marked("Ничего не изменилось, деньги не списаны.")
_UNTOUCHED = marked("На оплату и тариф это не влияет.")
_UNSURE = marked(
    "Если вы платили, второй раз не платите, пока не увидите итог в платежах. "
    "Мы сами сверяемся с платёжной системой, деньги не потеряются."
)

_TITLES = {
    400: marked("Так не получится"),
    401: marked("Нужно войти"),
    403: marked("Сюда нельзя"),
    404: marked("Ничего не нашлось"),
    405: marked("Так не получится"),
    413: marked("Слишком много данных"),
    429: marked("Слишком часто"),
    500: marked("Что-то сломалось"),
    502: marked("Платёжная система не ответила"),
    503: marked("Мы ненадолго закрыты"),
    "CSRF_FAILED": marked("Страница устарела"),
    GatewayForbidden.code: marked("Так заплатить не получится"),
}
_MONEY = {
    400: _NOTHING,
    404: _UNTOUCHED,
    405: _UNTOUCHED,
    500: _UNSURE,
    502: marked(
        "Если оплата уже началась, второй раз платить не нужно: спросим платёжную систему сами и напишем, "
        "чем всё кончилось."
    ),
    503: marked("Пока мы закрыты, ничего не списывается."),
    GatewayForbidden.code: marked(
        "Деньги не списаны. Можно оплатить другим способом: тариф никуда не денется."
    ),
}


def page(fault: Fault) -> str:
    """The page of *fault* for whoever asked."""
    bare = fault.status == 500
    facts = {
        "fault": fault,
        "title": say(_TITLES.get(fault.code) or _TITLES.get(fault.status) or _TITLES[_kind(fault)]),
        "money": say(_MONEY.get(fault.code) or _MONEY.get(fault.status) or _MONEY[_kind(fault)]),
        "again_at": _again_at(fault),
        "ways": _ways(fault, bare=bare),
        "number": g.get("error_number"),
    }
    if not bare:
        return render_template("errors/page.html", **facts)
    # Whatever broke may be what a page asks for (the session, the seller's name): without Flask's
    # context processors, this one asks for nothing.
    return current_app.jinja_env.get_template("errors/page.html").render(bare=True, **facts)


def _kind(fault: Fault) -> int:
    """The status whose words serve for one without words of its own."""
    return 400 if fault.status < 500 else 500


def _again_at(fault: Fault) -> str:
    """When to try again, if that is not within the minute."""
    return written.moment(wall_now() + timedelta(seconds=fault.wait)) if fault.wait > 60 else ""


def _way_in(*, at_the_desk: bool) -> Way:
    """Where whoever is signed in began."""
    if at_the_desk:
        return Way(say("Управление"), url_for("admin.index"))
    return Way(say("В кабинет"), url_for("dashboard.show"))


def _ways(fault: Fault, *, bare: bool) -> list[Way]:
    here = guards.page_to_return_to()
    if fault.code in {GatewayForbidden.code, PlanNotFound.code}:
        # Only a form that was sent has another way to pay on it.
        form = here if fault.code == GatewayForbidden.code and request.method == "POST" else None
        again = [Way(say("Выбрать другой способ оплаты"), form)] if form else []
        return [*again, Way(say("К тарифам"), url_for("plans.index"))]
    ways = []
    if here and fault.status in {400, 429, 500, 502, 503}:
        was_sent = request.method not in {"GET", "HEAD"}
        ways.append(Way(say("Вернуться и повторить") if was_sent else say("Попробовать ещё раз"), here))
    if fault.status >= 500:
        ways.append(Way(say("Посмотреть платежи"), url_for("dashboard.payments")))
    elif not bare and has_request_context() and current_user.is_authenticated:
        at_the_desk = current_user.is_admin and request.path.startswith(url_for("admin.index"))
        ways.append(_way_in(at_the_desk=at_the_desk))
    if len(ways) < 2:
        ways.append(Way(say("На главную"), url_for("plans.home")))
    return ways
