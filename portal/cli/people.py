"""Operators, their second factor, the record of what they did, and the demonstration's accounts."""

from __future__ import annotations

import sys

import click
from flask.cli import with_appcontext

from portal import clock
from portal.accounts import operators, registration
from portal.billing import audit
from portal.errors import PortalError
from portal.models import Role


@click.command("create-admin")
@click.argument("email")
@click.password_option()
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.OWNER.value)
@with_appcontext
def create_admin(email: str, password: str, role: str) -> None:
    """Make EMAIL an operator; the password is asked for."""
    try:
        user = operators.create(email, password, Role(role), audit.COMMAND_LINE, clock.now())
    except PortalError as error:
        raise click.ClickException(error.message) from error
    click.echo(f"Admin ready: {user.email}.")


@click.group("audit")
def audit_log() -> None:
    """Look after the record of operators' acts."""


@audit_log.command("verify")
@click.option("--head", help="A seal noted before: say whether it is still one of the chain's.")
@with_appcontext
def audit_verify(head: str | None) -> None:
    """Seal every entry anew; exit code 1 when one was changed, taken out or cut off."""
    found = audit.verify(head)
    if found.broken_at is not None:
        click.echo(f"Entry {found.broken_at} was changed, or one before it was taken out.")
    elif not found.has_head:
        click.echo(f"{found.entries} entries fit, but the seal {head} is none of theirs: some were cut off.")
    else:
        click.echo(f"{found.entries} entries, all as they were written. Last seal: {found.head}")
    sys.exit(found.broken_at is not None or not found.has_head)


@click.command("reset-two-factor")
@click.argument("email")
@with_appcontext
def reset_two_factor(email: str) -> None:
    """Forget the phone of the operator EMAIL, who lost it and the recovery codes too."""
    try:
        operators.reset_two_factor(email, audit.COMMAND_LINE, clock.now())
    except PortalError as error:
        raise click.ClickException(error.message) from error
    click.echo("Forgotten; the next sign-in sets up a new one.")


@click.command("demo-accounts")
@with_appcontext
def demo_accounts() -> None:
    """Make the two demo accounts; only while the sandbox is on."""
    registration.ensure_demo(clock.now())
    click.echo("Demo accounts ready.")


COMMANDS = (create_admin, audit_log, reset_two_factor, demo_accounts)
