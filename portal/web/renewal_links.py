"""The pages behind the links of letters about a renewal: whoever holds the link may stop it, or pay for it.

Nobody signs in here, and opening a page changes nothing (mail scanners open links too): its button does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from flask import Blueprint, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from portal import clock
from portal.billing import agreements, letter_links, outlook, overdue, subscriptions
from portal.billing.letter_links import LetterLinkDead
from portal.database import db
from portal.models import Subscription, User
from portal.web import grants, paying

bp = Blueprint("renewal_links", __name__, url_prefix="/renewal/<token>")


def by_letter(
    view: Callable[[Subscription, str], ResponseReturnValue],
) -> Callable[[str], ResponseReturnValue]:
    """Give *view* the subscription that the link speaks of; a dead link gets a page that says what to do."""

    @wraps(view)
    def opened(token: str) -> ResponseReturnValue:
        try:
            said = view(_subscription(token), token)
        except LetterLinkDead as dead:
            said = render_template("renewal/link_dead.html", error=dead), dead.status
        answer = make_response(said)
        # The address is a key: it is neither kept nor handed on.
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["X-Robots-Tag"] = "noindex"
        return answer

    return opened


@bp.get("/stop")
@by_letter
def ask(subscription: Subscription, token: str) -> ResponseReturnValue:
    """What stopping will mean, and the button; or that it is off already."""
    return _stop_page(subscription, token)


@bp.post("/stop")
@by_letter
def stop(subscription: Subscription, token: str) -> ResponseReturnValue:
    """Stop it. A second time it is simply off."""
    agreements.stop_one(subscription.id, clock.now())
    return redirect(url_for("renewal_links.ask", token=token), 303)


@bp.get("/pay")
@by_letter
def pay(subscription: Subscription, token: str) -> ResponseReturnValue:
    """What is due and why it failed, and the ways to pay it; or that nothing is due any more."""
    found = overdue.of_subscription(subscription.id, clock.now())
    if found is None:
        return _nothing_due(subscription)
    return paying.page(found, url_for("renewal_links.pay", token=token))


@bp.post("/pay")
@by_letter
def paid(subscription: Subscription, token: str) -> ResponseReturnValue:
    """Pay it: with the saved method once more, or another way."""
    found = overdue.of_subscription(subscription.id, clock.now())
    if found is None:
        return _nothing_due(subscription)
    return paying.act(found, subscription.user_id, url_for("renewal_links.pay", token=token))


def _subscription(token: str) -> Subscription:
    """Raises LetterLinkDead for a forged or old link, and for an account that is closed."""
    wanted = letter_links.subscription_of(token, clock.now())
    found = db.session.get(Subscription, wanted)
    if found is None or db.session.get_one(User, found.user_id).disabled_at is not None:
        raise LetterLinkDead
    return found


def _stop_page(subscription: Subscription, token: str) -> str:
    now = clock.now()
    standing = subscriptions.standing(subscription.user_id, now)
    seen = outlook.of(standing, now)
    if standing.subscription is None or standing.subscription.id != subscription.id:
        seen = None
    here = url_for("renewal_links.ask", token=token)
    return render_template("renewal/stop_by_link.html", outlook=seen, here=here, now=now)


def _nothing_due(subscription: Subscription) -> str:
    now = clock.now()
    standing = subscriptions.standing(subscription.user_id, now)
    seen = outlook.of(standing, now)
    return render_template("renewal/nothing_due.html", outlook=seen, by_link=grants.by_link())
