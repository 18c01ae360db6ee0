"""Ending the plan now: the page that says what will happen, to the kopeck, and the click that does it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user, login_required

from portal import clock, written
from portal.billing import cancellation
from portal.billing.cancellation import Preview
from portal.wording import say_many

bp = Blueprint("cancellation", __name__, url_prefix="/dashboard/cancel")


@bp.get("")
@login_required
def show() -> ResponseReturnValue:
    """What ends, what goes back by which rule, and what else could be done instead."""
    seen = cancellation.preview(current_user.id, clock.now())
    if seen is None:
        return _nothing_to_end()
    return render_template("dashboard/cancel.html", seen=seen, sum=_sum(seen))


@bp.post("")
@login_required
def cancel() -> ResponseReturnValue:
    """End the plan now and order the refunds; a second click finds nothing left to end."""
    done = cancellation.cancel(current_user.id, clock.now())
    if done is None:
        return _nothing_to_end()
    flash(_said(done), "good")
    return redirect(url_for("dashboard.show"), 303)


def _said(done: Preview) -> str:
    titles = written.quoted(done.titles)
    if not done.sums:
        return say_many(
            "Тариф %(titles)s отменён. Больше ничего не спишется.",
            "Тарифы %(titles)s отменены. Больше ничего не спишется.",
            len(done.titles),
            titles=titles,
        )
    return say_many(
        "Тариф %(titles)s отменён. Возвращаем %(sum)s: обычно это занимает до трёх рабочих дней.",
        "Тарифы %(titles)s отменены. Возвращаем %(sum)s: обычно это занимает до трёх рабочих дней.",
        len(done.titles),
        titles=titles,
        sum=_sum(done),
    )


def _nothing_to_end() -> ResponseReturnValue:
    flash(_("Сейчас отменять нечего: действующего тарифа нет."), "info")
    return redirect(url_for("dashboard.show"), 303)


def _sum(seen: Preview) -> str:
    """What goes back in all, in words; empty when nothing does."""
    return " + ".join(written.money(amount, currency) for amount, currency in seen.sums)
