"""What waits to be sent."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import select

from portal.accounts import links
from portal.database import db
from portal.models import AccountLink, LinkPurpose, Notification


def link_path(app: Flask, purpose: LinkPurpose) -> str:
    """The path of the newest letter's link."""
    with app.app_context():
        newest = select(AccountLink.id).where(AccountLink.purpose == purpose).order_by(AccountLink.id.desc())
        return links.url(db.session.scalars(newest).first(), "")


def letter_kinds(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(Notification.kind).order_by(Notification.id)))
