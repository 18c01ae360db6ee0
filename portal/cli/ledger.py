"""What a shop's machine does to the money by the clock, and checks: plans, renewals, letters, books."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta

import click
from flask.cli import with_appcontext

from portal import clock
from portal.billing import figures, invariants, plans, reconciliation, recount, renewals, sweep, tending
from portal.errors import PortalError
from portal.models import FigureFamily


@click.command("create-extended-plans")
@click.option("--force", is_flag=True, help="Set existing standard plans back to their standard terms.")
@with_appcontext
def create_extended_plans(*, force: bool) -> None:
    """Create the five standard plans; existing ones are left alone."""
    created, reset = plans.create_extended(clock.now(), force=force)
    click.echo(f"Plans created: {created}, set back: {reset}.")


@click.command("check-invariants")
@with_appcontext
def check_invariants() -> None:
    """Look for rows that break a law of the design; exit code 1 and the rows when there are any."""
    found = invariants.violations(clock.now())
    for violation in found:
        facts = ", ".join(f"{name}={value}" for name, value in violation.row.items())
        click.echo(f"{violation.invariant.name}: {violation.invariant.promise} {facts}")
    click.echo(f"{len(invariants.INVARIANTS)} invariants, {len(found)} violations.")
    sys.exit(1 if found else 0)


@click.command("reconcile")
@click.option("--since", help="Also compare the gateways' lists from this moment on: 2026-11-01, 7d or 12h.")
@with_appcontext
def reconcile(*, since: str | None) -> None:
    """Ask the gateways about everything that is open and carry on what was left behind."""
    now = clock.now()
    try:
        report = reconciliation.reconcile(now, _since(since, now) if since else None)
    except PortalError as error:
        raise click.ClickException(f"{error.code}: {error.message}") from error
    click.echo(
        f"Asked about {report.asked} payments ({report.unanswered} without an answer); "
        f"listed {report.listed}, moved {report.moved}, cases {report.cases}."
    )


@click.command("expire")
@with_appcontext
def expire() -> None:
    """Say of subscriptions whose paid time is over that it is over."""
    click.echo(f"Subscriptions expired: {tending.expire(clock.now())}.")


@click.command("renew-due")
@with_appcontext
def renew_due() -> None:
    """Hand every renewal that is due to the workers, and say how many."""
    now, handed_out = clock.now(), 0
    while some := renewals.hand_out(now):
        handed_out += len(some)
    click.echo(f"Renewals handed out: {handed_out}.")


@click.command("send-notices")
@with_appcontext
def send_notices() -> None:
    """Send every letter that is due."""
    click.echo(f"Letters sent: {sweep.send_letters(clock.now())}.")


@click.command("update-email-counts")
@with_appcontext
def update_email_counts() -> None:
    """Count the e-mails used of every period anew from the usage records; report and mend what differs."""
    found = recount.recount()
    for drift in found.drifts:
        click.echo(
            f"Period {drift.period_id} of customer {drift.user_id}: counted {drift.counted}, "
            f"should be {drift.recorded}; set to {drift.mended}."
        )
    mended = sum(drift.mended != drift.counted for drift in found.drifts)
    click.echo(
        f"Periods: {found.periods}, e-mails used: {found.recorded}, "
        f"drifts: {len(found.drifts)}, mended: {mended}."
    )


@click.command("close-days")
@with_appcontext
def close_days() -> None:
    """Add up every day that is over for the statistics; the scheduler does it too, some days at a time."""
    closed = figures.close_all(clock.now())
    click.echo(
        f"Days added up, each counted once for each of {len(FigureFamily)} kinds of figures: {closed}."
    )


def _since(words: str, now: datetime) -> datetime:
    """A date, a moment, or so many days or hours ago."""
    if days := re.fullmatch(r"(\d{1,4})d", words):
        return now - timedelta(days=int(days[1]))
    if hours := re.fullmatch(r"(\d{1,5})h", words):
        return now - timedelta(hours=int(hours[1]))
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        raise click.BadParameter("write a date (2026-11-01), so many days (7d) or hours (12h)") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


COMMANDS = (
    create_extended_plans,
    check_invariants,
    reconcile,
    expire,
    renew_due,
    send_notices,
    update_email_counts,
    close_days,
)
