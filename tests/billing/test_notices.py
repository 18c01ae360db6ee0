"""Letters leave once, however many come to send them."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from portal import clock
from portal.accounts import recovery
from portal.billing import notices
from portal.database import db, transaction
from portal.mail import Letter, Mailer
from portal.models import Notification
from tests.billing.rows import a_customer


def test_a_letter_that_is_being_sent_is_sent_by_nobody_else(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process comes to the same letter while the mail server is still taking it."""
    ira = a_customer(clock.now())
    with transaction():
        recovery.send_confirmation(ira, clock.now())
    letter = db.session.scalars(select(Notification.id)).one()
    sent, by_the_other = [], []

    def slowly(_: Mailer, to: str, words: Letter) -> None:
        sent.append(to)
        if len(sent) == 1:
            by_the_other.append(notices.deliver(letter))

    monkeypatch.setattr(Mailer, "send", slowly)

    assert notices.deliver(letter)
    assert not notices.deliver(letter)
    assert (sent, by_the_other) == ([ira.email], [False])
