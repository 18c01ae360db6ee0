"""Links in letters: signed, expiring, good for one use.

The row says for whom, for what and until when; the link is made from the row's id and SECRET_KEY when the
letter is sent, so a copy of the database opens no account. A link dies when its user's address changes; all
but those that confirm it also when the password does.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import ColumnElement, SQLColumnExpression, literal, select, update

from portal.database import db, transaction
from portal.errors import PortalError
from portal.models import AccountLink, LinkPurpose, User
from portal.wording import marked

LASTS = {
    LinkPurpose.CONFIRM_EMAIL: timedelta(hours=48),
    LinkPurpose.RESET_PASSWORD: timedelta(minutes=30),
    LinkPurpose.CHANGE_EMAIL: timedelta(minutes=30),
}

_PATHS = {
    LinkPurpose.CONFIRM_EMAIL: "/email/confirm/",
    LinkPurpose.RESET_PASSWORD: "/password/reset/",
    LinkPurpose.CHANGE_EMAIL: "/email/change/",
}


class LinkDead(PortalError):
    """The link was used, ran out, was replaced, or is no link of ours: the four are told alike."""

    code = "LINK_DEAD"
    status = 410
    message = marked("Этой ссылкой уже воспользовались, или её срок истёк.")


def issue(user: User, purpose: LinkPurpose, now: datetime, address: str | None = None) -> AccountLink:
    """Write down a new link for *user*, to be sent to their address or another. The ones before it go on
    working until they run out, so that a late letter is no dead end.
    """
    with transaction() as session:
        link = AccountLink(
            user_id=user.id,
            purpose=purpose,
            email=address or user.email,
            created_at=now,
            expires_at=now + LASTS[purpose],
        )
        session.add(link)
        session.flush()
    return link


def url(link_id: int, base_url: str) -> str:
    """The whole address to put into the letter of this link."""
    link, user = db.session.execute(
        select(AccountLink, User).join(User, User.id == AccountLink.user_id).where(AccountLink.id == link_id)
    ).one()
    token = _serializer(link.purpose).dumps([link.id, _binding(link.purpose, user)])
    return f"{base_url}{_PATHS[link.purpose]}{token}"


def holder(token: str, purpose: LinkPurpose, now: datetime) -> User:
    """Whose link this is, without using it. Raises :class:`LinkDead`."""
    link_id, binding = _read(token, purpose)
    user = db.session.scalar(
        select(User)
        .join(AccountLink, AccountLink.user_id == User.id)
        .where(
            AccountLink.id == link_id,
            User.disabled_at.is_(None),
            *_alive(purpose, now),
            *_addressed(purpose, User.email),
        )
    )
    if user is None or binding != _binding(purpose, user):
        raise LinkDead
    return user


def use(token: str, purpose: LinkPurpose, now: datetime) -> User:
    """Use the link up and tell whose it was. Of two at the same time one wins, the other raises
    :class:`LinkDead`.

    Call inside the transaction of what the link is used for: if that fails, the link was not used.
    """
    link_id, binding = _read(token, purpose)
    with transaction() as session:
        # The user's row first, as every change of a password takes it: then no two of us wait for each other.
        owner = select(AccountLink.user_id).where(AccountLink.id == link_id).scalar_subquery()
        user = session.scalar(
            select(User).where(User.id == owner).with_for_update().execution_options(populate_existing=True)
        )
        if user is None or not user.is_active or binding != _binding(purpose, user):
            raise LinkDead
        used = update(AccountLink).where(
            AccountLink.id == link_id, AccountLink.user_id == user.id, *_alive(purpose, now)
        )
        used = used.where(*_addressed(purpose, literal(user.email))).values(used_at=now)
        if (
            session.scalar(used.returning(AccountLink.id).execution_options(synchronize_session=False))
            is None
        ):
            raise LinkDead
    return user


def address_of(token: str, purpose: LinkPurpose) -> str:
    """The address that this link was sent to. Raises :class:`LinkDead`."""
    link_id, _binding_of_it = _read(token, purpose)
    found = db.session.scalar(select(AccountLink.email).where(AccountLink.id == link_id))
    if found is None:
        raise LinkDead
    return found


def void_all(user_id: int, now: datetime) -> None:
    """Let no unused link of this user work any more, whatever it is for."""
    for purpose in LinkPurpose:
        void(user_id, purpose, now)


def void(user_id: int, purpose: LinkPurpose, now: datetime) -> None:
    """Let every unused link of this user and purpose work no more."""
    with transaction() as session:
        session.execute(
            update(AccountLink)
            .where(
                AccountLink.user_id == user_id, AccountLink.purpose == purpose, AccountLink.used_at.is_(None)
            )
            .values(used_at=now)
            .execution_options(synchronize_session=False)
        )


def _alive(purpose: LinkPurpose, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (AccountLink.purpose == purpose, AccountLink.used_at.is_(None), AccountLink.expires_at > now)


def _addressed(purpose: LinkPurpose, email: SQLColumnExpression[str]) -> tuple[ColumnElement[bool], ...]:
    """A link goes to the address that its user has, but for one that is to become it."""
    return () if purpose is LinkPurpose.CHANGE_EMAIL else (AccountLink.email == email,)


def _read(token: str, purpose: LinkPurpose) -> tuple[int, str]:
    try:
        link_id, binding = _serializer(purpose).loads(token)
    except (BadData, ValueError, TypeError) as error:
        raise LinkDead from error
    if not isinstance(link_id, int) or not isinstance(binding, str):
        raise LinkDead
    return link_id, binding


def _serializer(purpose: LinkPurpose) -> URLSafeSerializer:
    """One purpose's link is no good for another."""
    key = current_app.secret_key or ""
    return URLSafeSerializer(
        key, salt=f"account-link:{purpose}", signer_kwargs={"digest_method": hashlib.sha256}
    )


def _binding(purpose: LinkPurpose, user: User) -> str:
    """What must not have changed since the letter was written."""
    facts = [user.email] if purpose is LinkPurpose.CONFIRM_EMAIL else [user.email, user.password_hash]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
