"""Letters that were overtaken while they waited: what they tell is not so any more, and they are not sent.

A mailbox may refuse for days. What was announced in the portal stays there, as what was so at that moment; a
letter is read as news.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from portal import clock
from portal.billing import retries, tending
from portal.database import db
from portal.models import Notification, Payment, Subscription
from portal.models.subscription import LIVE


def is_still_refused(letter: Notification) -> bool:
    """Whether a renewal is as refused as its letter says: not paid, stopped, ended, or refused anew since."""
    session = db.session()
    refused = session.scalar(select(Payment).where(Payment.transaction_id == letter.facts["transaction_id"]))
    assert refused is not None  # payments are never deleted
    live = session.get_one(Subscription, refused.subscription_id, populate_existing=True)
    latest = retries.last_refusal(session, live)
    return live.status in LIVE and live.auto_renew and latest is not None and latest.id == refused.id


def is_still_ending(letter: Notification) -> bool:
    """Whether a plan still ends at the moment that its letter names, and is not renewed by itself."""
    live = db.session.get_one(Subscription, letter.facts["ends_of"], populate_existing=True)
    ends_at = datetime.fromisoformat(letter.facts["ends_at"])
    is_to_come = live.status in LIVE and live.current_period_end == ends_at > clock.now()
    return is_to_come and not tending.is_renewed(db.session(), live)
