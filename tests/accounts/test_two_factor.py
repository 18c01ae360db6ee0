"""The second factor: a code counts once and about its half minute; recovery codes work once each."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pyotp
import pytest
from flask import Flask

from portal.accounts import operators, two_factor
from portal.accounts.throttle import TooOften
from portal.accounts.two_factor import WrongCode
from portal.billing import audit
from portal.billing.audit import COMMAND_LINE, Actor, Subject
from portal.database import db
from portal.models import Role, User
from tests.accounts.conftest import HOME, PASSWORD

HALF_MINUTE = timedelta(seconds=30)


@pytest.fixture
def boss(context: Flask, now: datetime) -> User:
    return operators.create("boss@example.com", PASSWORD, Role.OWNER, COMMAND_LINE, now)


def code(secret: str, at: datetime) -> str:
    return pyotp.TOTP(secret).at(at)


def on(user: User, now: datetime) -> tuple[str, list[str]]:
    """Turn it on an hour ago: the phone's secret and the recovery codes."""
    secret = two_factor.begin(user)
    earlier = now - timedelta(hours=1)
    actor = Actor(user.id, user.email)
    return secret, two_factor.enrol(user, code(secret, earlier), actor, earlier, earlier)


def test_it_counts_once_a_code_proved_the_phone(boss: User, now: datetime) -> None:
    """A secret that was only shown protects nothing; a page that is reloaded shows the same one."""
    secret = two_factor.begin(boss)
    assert two_factor.begin(boss) == secret
    assert not two_factor.is_on(boss)
    with pytest.raises(WrongCode):
        two_factor.enrol(boss, "000000", Actor(boss.id, boss.email), now, now)
    assert not two_factor.is_on(boss)

    codes = two_factor.enrol(boss, code(secret, now), Actor(boss.id, boss.email), now, now)

    assert two_factor.is_on(boss)
    assert len(set(codes)) == two_factor.codes_left(boss) == 10
    assert [entry.act for entry in audit.of(Subject("user", boss.id))] == ["create-admin", "two-factor-on"]


@pytest.mark.parametrize("late", (-2, -1, 0, 1, 2))
def test_clocks_may_differ_by_half_a_minute(boss: User, now: datetime, late: int) -> None:
    """The code of the half minute before or after counts, one further away does not."""
    secret, _ = on(boss, now)
    given = code(secret, now + late * HALF_MINUTE)
    if abs(late) <= 1:
        two_factor.verify(boss, given, HOME, now)
    else:
        with pytest.raises(WrongCode):
            two_factor.verify(boss, given, HOME, now)


def test_a_code_counts_once(boss: User, now: datetime) -> None:
    """Neither the same code nor an older one counts after it."""
    secret, _ = on(boss, now)
    two_factor.verify(boss, code(secret, now), HOME, now)
    for again in (now, now - HALF_MINUTE):
        with pytest.raises(WrongCode):
            two_factor.verify(boss, code(secret, again), HOME, now)
    two_factor.verify(boss, code(secret, now + HALF_MINUTE), HOME, now)


def test_a_code_counts_once_at_two_browsers_at_once(boss: User, app: Flask, now: datetime) -> None:
    """Of two browsers with one code at one moment exactly one is let in."""
    secret, _ = on(boss, now)
    number, given = boss.id, code(secret, now)
    db.session.remove()
    let_in: list[bool] = []
    start = threading.Barrier(2)

    def enter() -> None:
        with app.app_context():
            user = db.session.get_one(User, number)
            db.session.commit()
            start.wait(10)
            try:
                two_factor.verify(user, given, HOME, now)
                let_in.append(True)
            except WrongCode:
                let_in.append(False)
            finally:
                db.session.remove()

    both = [threading.Thread(target=enter) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(20)
    assert sorted(let_in) == [False, True]


def test_a_recovery_code_works_once(boss: User, now: datetime) -> None:
    """Written as it was shown or without its dashes, in small letters too; a second time it is none."""
    _, codes = on(boss, now)
    two_factor.verify(boss, codes[0], HOME, now)
    two_factor.verify(boss, codes[1].replace("-", "").lower(), HOME, now)
    assert two_factor.codes_left(boss) == 8
    with pytest.raises(WrongCode):
        two_factor.verify(boss, codes[0], HOME, now)


def test_new_recovery_codes_void_the_old(boss: User, now: datetime) -> None:
    """Ten new ones; a sheet that was lost opens nothing."""
    _, old = on(boss, now)
    new = two_factor.new_recovery_codes(boss, Actor(boss.id, boss.email), now)
    with pytest.raises(WrongCode):
        two_factor.verify(boss, old[0], HOME, now)
    two_factor.verify(boss, new[0], HOME, now)


def test_guessing_ends_soon(boss: User, now: datetime) -> None:
    """After five wrong codes the right one waits too."""
    secret, _ = on(boss, now)
    for _ in range(5):
        with pytest.raises(WrongCode):
            two_factor.verify(boss, "000000", HOME, now)
    with pytest.raises(TooOften):
        two_factor.verify(boss, code(secret, now), HOME, now)


@pytest.mark.parametrize("odd", ("", " ", "12345", "1234567", "١٢٣٤٥٦", "a" * 500, "\ud800", "\x00"))
def test_odd_codes_are_wrong_codes(boss: User, now: datetime, odd: str) -> None:
    """Whatever is typed, it is a wrong code and no failure of ours."""
    on(boss, now)
    with pytest.raises(WrongCode):
        two_factor.verify(boss, odd, HOME, now)


def test_turned_off_it_is_forgotten(boss: User, now: datetime) -> None:
    """Neither the phone nor a recovery code opens anything; a new phone gets a new secret."""
    secret, codes = on(boss, now)
    two_factor.turn_off(boss, Actor(boss.id, boss.email), now)
    for given in (code(secret, now), codes[0]):
        with pytest.raises(WrongCode):
            two_factor.verify(boss, given, HOME, now)
    assert two_factor.begin(boss) != secret


def test_the_secret_is_sealed_in_the_database(boss: User, now: datetime) -> None:
    """Neither the secret nor a recovery code can be read from the tables."""
    secret, codes = on(boss, now)
    raw = db.session.execute(
        db.text("SELECT totp_secret, code_hash FROM users JOIN recovery_codes c ON true")
    ).all()
    assert all(bytes(boss.totp_secret or b"") not in bytes(row[0]) for row in raw)
    stored = " ".join(row[1] for row in raw)
    assert not any(one.replace("-", "") in stored for one in codes)
    assert secret
