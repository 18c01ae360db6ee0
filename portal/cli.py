"""Commands: ``flask --app wsgi …``. Each is safe to run twice and at the same time as itself."""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from config import ConfigError
from portal import clock, running, worker
from portal.accounts import demo, registration
from portal.billing import api_keys, invariants, plans, reconciliation, recount, renewals, sweep, tending
from portal.errors import PortalError


def init_app(app: Flask) -> None:
    """Give *app* its commands."""
    for command in (
        create_extended_plans,
        check_invariants,
        reconcile,
        expire,
        renew_due,
        send_notices,
        work,
        scheduler,
        sandbox,
        create_admin,
        demo_accounts,
        move_clock,
        update_email_counts,
        create_api_key,
        list_api_keys,
        revoke_api_key,
    ):
        app.cli.add_command(command)


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
@click.option("--since", help="Also compare the gateways' lists from this moment on: 2026-11-01, or 7d.")
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


@click.command("worker")
@click.option("--burst", is_flag=True, help="Stop when the queue is empty.")
@with_appcontext
def work(*, burst: bool) -> None:
    """Run an RQ worker."""
    _refuse_demo_accounts()
    worker.work(_app(), burst=burst)


@click.command("scheduler")
@with_appcontext
def scheduler() -> None:
    """Run the scheduler; a second one waits for the first to end."""
    _refuse_demo_accounts()
    worker.schedule(_app())


@click.command("sandbox", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sandbox(arguments: tuple[str, ...]) -> None:
    """Run the sandbox gateways (python -m portal.sandbox; --help shows its options)."""
    # Another program altogether, so it takes this process's place rather than growing inside it.
    words = [sys.executable, "-m", "portal.sandbox", *arguments]
    os.execv(sys.executable, words)  # noqa: S606 - our own module


@click.command("create-admin")
@click.argument("email")
@click.password_option()
@with_appcontext
def create_admin(email: str, password: str) -> None:
    """Make EMAIL an operator; the password is asked for."""
    try:
        user = registration.create_admin(email, password, clock.now())
    except PortalError as error:
        raise click.ClickException(error.message) from error
    click.echo(f"Admin ready: {user.email}.")


@click.command("demo-accounts")
@with_appcontext
def demo_accounts() -> None:
    """Make the two demo accounts; only while the sandbox is on."""
    registration.ensure_demo(clock.now())
    click.echo("Demo accounts ready.")


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


@click.command("create-api-key")
@click.argument("name")
@with_appcontext
def create_api_key(name: str) -> None:
    """Make a key for the product's API, called NAME; it is shown now and never again."""
    try:
        key = api_keys.create(name, clock.now())
    except PortalError as error:
        raise click.ClickException(error.message) from error
    click.echo(f"Key for {name.strip()}; keep it, it is not shown again:")
    click.echo(key)


@click.command("list-api-keys")
@with_appcontext
def list_api_keys() -> None:
    """List the keys of the product's API by their first characters."""
    for key in api_keys.listed():
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "valid"
        click.echo(f"{key.id}  {key.prefix}…  {key.created_at:%Y-%m-%d %H:%M}  {state}  {key.name}")


@click.command("revoke-api-key")
@click.argument("key_id", type=click.IntRange(1, 2**63 - 1))
@with_appcontext
def revoke_api_key(key_id: int) -> None:
    """Refuse the key with this number (list-api-keys) from now on."""
    try:
        was_valid = api_keys.revoke(key_id, clock.now())
    except PortalError as error:
        raise click.ClickException(error.message) from error
    click.echo("Key revoked." if was_valid else "The key was revoked before.")


@click.group("clock")
def move_clock() -> None:
    """Show or move the time of portal and sandbox together (sandbox only)."""


@move_clock.command("show")
@with_appcontext
def clock_show() -> None:
    """Print the portal's time."""
    click.echo(clock.now().isoformat(timespec="seconds"))


@move_clock.command("advance")
@click.argument("step")
@with_appcontext
def clock_advance(step: str) -> None:
    """Move both clocks by STEP (27d, 3h, 90s) and wait until all that fell due is done."""
    _tell_sandbox({"advance": step})
    click.echo(clock.now().isoformat(timespec="seconds"))


@move_clock.command("reset")
@with_appcontext
def clock_reset() -> None:
    """Go back to the system's time."""
    _tell_sandbox({"reset": True})
    clock.reset()
    click.echo(clock.now().isoformat(timespec="seconds"))


def _app() -> Flask:
    """The application itself, not the stand-in that follows the context: a worker outlives it."""
    # Flask documents the method, its types do not.
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - as said
    return app


def _refuse_demo_accounts() -> None:
    try:
        demo.refuse_in_production()
    except ConfigError as error:
        raise click.ClickException(f"The portal does not start: {error}") from error


def _sandbox_url() -> str:
    config = running.config()
    if not (config.sandbox and config.sandbox_url and clock.is_movable()):
        raise click.ClickException(
            "The clock can be moved only under the sandbox (SANDBOX=1, SANDBOX_URL, CLOCK_FILE)."
        )
    return config.sandbox_url


def _tell_sandbox(words: dict[str, object]) -> None:
    """Let the sandbox move time: it steps from one due moment to the next and takes the portal along."""
    request = urllib.request.Request(  # noqa: S310 - config.py lets only loopback through
        f"{_sandbox_url()}/control/clock", json.dumps(words).encode(), {"Content-Type": "application/json"}
    )
    try:
        urllib.request.urlopen(request, timeout=900).close()  # noqa: S310 - as above
    except urllib.error.HTTPError as error:
        raise click.ClickException(
            f"The sandbox refused: {error.read(300).decode(errors='replace')}"
        ) from error
    except OSError as error:
        raise click.ClickException(f"The sandbox cannot be reached: {type(error).__name__}.") from error


def _since(words: str, now: datetime) -> datetime:
    """A date, a moment, or so many days ago."""
    if days := re.fullmatch(r"(\d{1,4})d", words):
        return now - timedelta(days=int(days[1]))
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        raise click.BadParameter("write a date (2026-11-01) or a number of days (7d)") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
