"""The page at / : what happened, to a person, and the clock's buttons."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from portal.sandbox import mailbox
from portal.sandbox.clock import iso, parse_duration
from portal.sandbox.control import ledger
from portal.sandbox.guard import require_this_machine
from portal.sandbox.travel import travel
from portal.sandbox.world import world

blueprint = Blueprint("page", __name__)
blueprint.before_request(require_this_machine)

ADVANCES = (("1h", "+1 час"), ("1d", "+1 день"), ("27d", "+27 дней"))
SHOWN = 100
"""How many entries of each kind the page shows, newest first; the control API has them all."""
GATEWAYS = {"cloudpayments": "CloudPayments", "yookassa": "ЮKassa"}
WORDS = {
    "pending": "ждёт",
    "authorized": "удержан",
    "succeeded": "успех",
    "canceled": "отменён",
    "declined": "отказ",
    "active": "действует",
    "inactive": "не действует",
    "delivered": "доставлено",
    "waiting": "ждёт",
    "given_up": "не доставлено",
    "dropped": "потеряно",
    "asked": "спрошено",
}


def lead(offset: timedelta) -> str:
    """Say how far the clock is ahead, in days, hours and minutes; nothing for less than a minute."""
    minutes = round(offset.total_seconds() / 60)
    parts = ((minutes // 1440, "д"), (minutes // 60 % 24, "ч"), (minutes % 60, "мин"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


@blueprint.get("/")
def show() -> str:
    """Ledger, notifications, mailbox and clock."""
    the_world = world()
    books, letters = ledger(the_world), mailbox.letters(the_world)
    return render_template(
        "overview.html",
        books={name: entries[: -SHOWN - 1 : -1] for name, entries in books.items()},
        totals={name: len(entries) for name, entries in books.items()},
        letters=[(m, mailbox.pieces(m["text"] or m["html"])) for m in letters[: -SHOWN - 1 : -1]],
        letters_total=len(letters),
        shown=SHOWN,
        now=iso(the_world.clock.now()),
        lead=lead(the_world.clock.offset),
        advances=ADVANCES,
        portal=the_world.portal.url,
        unusual=the_world.settings.changed(),
        faults=the_world.faults.all(),
        words=WORDS,
        gateways=GATEWAYS,
    )


@blueprint.post("/clock")
def advance() -> Response:
    """Move the clock by the form field ``advance`` and come back to the page."""
    travel(world(), parse_duration(request.form.get("advance", "")))
    return redirect("/#clock", 303)
