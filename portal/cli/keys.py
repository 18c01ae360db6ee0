"""Keys of the product's API, and the change of the key that seals secrets."""

from __future__ import annotations

import sys

import click
from flask.cli import with_appcontext

from portal import clock
from portal.billing import api_keys, rotation
from portal.errors import PortalError


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


@click.command("rotate-secrets")
@with_appcontext
def rotate_secrets() -> None:
    """Seal everything anew with the newest of SETTINGS_ENCRYPTION_KEYS; exit code 1 when something cannot be.

    Put a new key in front, restart, run this; take the old key out, restart, run it once more.
    """
    found = rotation.rotate()
    for name, count in found.sealed.items():
        click.echo(f"{name}: {count} sealed anew")
    click.echo(f"fingerprints of methods: {found.fingerprints} made anew")
    for one in found.unreadable:
        click.echo(f"{one} cannot be opened by any of the keys")
    sys.exit(bool(found.unreadable))


COMMANDS = (create_api_key, list_api_keys, revoke_api_key, rotate_secrets)
