"""The second factor of operators: a code of the phone (TOTP, RFC 6238), or a recovery code when it is lost.

A code counts once, and half a minute before and after its own: clocks differ (RFC 6238, 5.2; ASVS 5.0.0,
V6.5.1). Failures count as failed sign-ins do.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import datetime
from typing import Any

import pyotp
from sqlalchemy import delete, func, insert, select, update

from portal.accounts import throttle
from portal.billing import audit
from portal.billing.audit import Actor, Subject
from portal.database import changed, db, transaction
from portal.errors import PortalError
from portal.models import RecoveryCode, User
from portal.wording import marked, say

_SECONDS = 30
_DIGITS = 6
_SECRET_BYTES = 20  # RFC 4226, 4: 160 bits are recommended
RECOVERY_CODES = 10
_RECOVERY_BYTES = 10
_OFTEN = "5 per 5 minutes"

_codes: Any = RecoveryCode.__table__


class WrongCode(PortalError):
    """Not the code of this half minute, or one that was used."""

    code = "WRONG_CODE"
    status = 400
    message = marked("Код не подошёл. Проверьте, что время на телефоне точное, и введите следующий код.")


def is_on(user: User) -> bool:
    """Whether the phone is known and proved itself."""
    return user.totp_since is not None


def begin(user: User) -> str:
    """A new secret for the phone, in the form that it takes; it counts once :func:`enrol` saw a code of it.

    Asked again before that, it is the same secret: a page that was reloaded still fits the phone.
    """
    if is_on(user):
        raise PortalError(say("Второй фактор уже включён."), code="ALREADY_ON")
    if user.totp_secret is None:
        with transaction():
            user.totp_secret = secrets.token_bytes(_SECRET_BYTES)
    assert user.totp_secret is not None
    return _written(user.totp_secret)


def address_of(user: User, secret: str, shop: str) -> str:
    """The ``otpauth://`` address that the phone reads from the picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=shop)


def enrol(user: User, code: str, actor: Actor, now: datetime, shown_at: datetime) -> list[str]:
    """Turn it on with a first code and give the recovery codes, for the only time. Raises :class:`WrongCode`.

    *now* is the clock of the person's phone, *shown_at* the portal's.
    """
    with transaction():
        _accept_phone(user, code, now)
        user.totp_since = shown_at
        codes = _new_codes(user, shown_at)
        audit.note(actor, "two-factor-on", Subject("user", user.id), shown_at)
    return codes


def new_recovery_codes(user: User, actor: Actor, now: datetime) -> list[str]:
    """Ten new codes; the old ones are void."""
    with transaction():
        codes = _new_codes(user, now)
        audit.note(actor, "recovery-codes", Subject("user", user.id), now)
    return codes


def turn_off(user: User, actor: Actor, now: datetime, reason: str = "") -> None:
    """Forget the phone and the recovery codes."""
    with transaction():
        forget(user)
        audit.note(actor, "two-factor-off", Subject("user", user.id), now, reason=reason)


def forget(user: User) -> None:
    """Forget the phone and the recovery codes, in the caller's transaction."""
    user.totp_secret = user.totp_since = user.totp_last_step = None
    db.session.execute(delete(_codes).where(_codes.c.user_id == user.id))


def verify(user: User, code: str, address: str, now: datetime) -> None:
    """Accept a code of the phone or a recovery code, once.

    Raises :class:`WrongCode`, and ``TooOften`` after too many failures.
    """
    limits = throttle.requests_of("second-factor", str(user.id), _OFTEN)
    limits += throttle.requests_of("second-factor", address, "30 per 15 minutes")
    throttle.check(limits)
    try:
        with transaction():
            _accept(user, code, now)
    except WrongCode:
        throttle.count(limits)
        raise


def codes_left(user: User) -> int:
    """How many recovery codes are unused."""
    unused = select(func.count()).where(RecoveryCode.user_id == user.id, RecoveryCode.used_at.is_(None))
    return db.session.execute(unused).scalar_one()


def _accept(user: User, code: str, now: datetime) -> None:
    written = "".join(code.split()).replace("-", "")
    if written.isascii() and written.isdigit() and len(written) == _DIGITS:
        _accept_phone(user, written, now)
        return
    used = (
        update(_codes)
        .where(
            _codes.c.user_id == user.id,
            _codes.c.code_hash == _hash(written.upper()),
            _codes.c.used_at.is_(None),
        )
        .values(used_at=now)
    )
    if not is_on(user) or not changed(db.session.execute(used)):
        raise WrongCode


def _accept_phone(user: User, code: str, now: datetime) -> None:
    """The row is locked: of two browsers with one code one is let in."""
    db.session.refresh(user, with_for_update=True)
    if user.totp_secret is None:
        raise WrongCode
    written = "".join(code.split())
    generator = pyotp.TOTP(_written(user.totp_secret))
    present = int(now.timestamp()) // _SECONDS
    for step in (present - 1, present, present + 1):
        is_used = user.totp_last_step is not None and step <= user.totp_last_step
        if not is_used and pyotp.utils.strings_equal(generator.generate_otp(step), written):
            user.totp_last_step = step
            return
    raise WrongCode


def _new_codes(user: User, now: datetime) -> list[str]:
    db.session.execute(delete(_codes).where(_codes.c.user_id == user.id))
    codes = [_written(secrets.token_bytes(_RECOVERY_BYTES)) for _ in range(RECOVERY_CODES)]
    rows = [{"user_id": user.id, "code_hash": _hash(code), "created_at": now} for code in codes]
    db.session.execute(insert(_codes), rows)
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


def _written(secret: bytes) -> str:
    return base64.b32encode(secret).decode()


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
