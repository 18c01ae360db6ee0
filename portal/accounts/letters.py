"""What the portal writes to people about their accounts: outbox rows in the transaction of what they tell
about.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from portal.accounts import links
from portal.billing import cancellation, notices
from portal.billing.cancellation import Preview
from portal.database import transaction
from portal.models import AccountLink, User


def init() -> None:
    """Let letters get their links when they are sent: a link never lies in the outbox."""
    notices.made_at_sending("link_id", _link)


def with_link(link: AccountLink, now: datetime) -> None:
    """Send *link* to the address it was made for."""
    with transaction() as session:
        notices.post(session, link.user_id, str(link.purpose), f"link:{link.id}", {"link_id": link.id}, now)


def password_changed(user: User, now: datetime) -> None:
    """Tell the owner that the password is another one now, so that a thief cannot change it unnoticed (ASVS
    5.0.0, V6.3.7).
    """
    moment = now.isoformat()
    with transaction() as session:
        notices.post(
            session, user.id, "password_changed", f"password_changed:{user.id}:{moment}", {"at": moment}, now
        )


def already_registered(user: User, now: datetime) -> None:
    """Tell the owner that somebody tried to register this address again; once a day, however often it is
    tried.
    """
    key = f"already_registered:{user.id}:{now.date()}"
    with transaction() as session:
        notices.post(session, user.id, "already_registered", key, {}, now)


def change_asked(user: User, link: AccountLink, now: datetime) -> None:
    """Tell the owner, at the address that is still theirs, that the account is to get another one."""
    facts = {"email": user.email, "wanted": link.email, "at": now.isoformat()}
    with transaction() as session:
        notices.post(
            session, user.id, "change_email_asked", f"change_asked:{link.id}", facts, now, address=user.email
        )


def change_link(user: User, link: AccountLink, now: datetime) -> None:
    """Send *link* to the address that is to become this account's.

    The present one is not named: a slip of the pen sends this to a stranger.
    """
    facts = {"wanted": link.email, "link_id": link.id}
    with transaction() as session:
        notices.post(session, user.id, "change_email", f"link:{link.id}", facts, now, address=link.email)


def email_changed(user: User, before: str, now: datetime) -> None:
    """Tell whoever reads the address *before* that the account has another one now (ASVS 5.0.0, V6.3.7)."""
    moment = now.isoformat()
    facts = {"email": before, "wanted": user.email, "at": moment}
    with transaction() as session:
        notices.post(
            session, user.id, "email_changed", f"email_changed:{user.id}:{moment}", facts, now, address=before
        )


def email_wanted(owner: User, now: datetime) -> None:
    """Tell the owner of an address that another account wanted it; once a day, however often it is tried."""
    with transaction() as session:
        notices.post(session, owner.id, "email_wanted", f"email_wanted:{owner.id}:{now.date()}", {}, now)


def account_closed(user: User, ended: Preview | None, now: datetime) -> None:
    """Tell the owner that the account is closed, and what goes back."""
    moment = now.isoformat()
    facts = {"at": moment, **(cancellation.facts(ended) if ended else {"plan_titles": [], "refunds": []})}
    with transaction() as session:
        notices.post(session, user.id, "account_closed", f"account_closed:{user.id}:{moment}", facts, now)


def _link(link_id: Any, base_url: str) -> dict[str, Any]:
    return {"link": links.url(int(link_id), base_url)}
