"""One payment in this browser without signing in: who came by the link out of a letter pays here.

The session cookie is signed, so it can hold what this browser may see; it is forgotten with a sign-in.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from flask import make_response, session
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal.billing import payments
from portal.extensions import login_manager
from portal.models import Payment

_KEY = "pays_for"
#: Whoever hesitates between two gateways makes a few orders; an old one need not be remembered.
_MOST = 8


def give(payment: Payment) -> None:
    """Let this browser see and pay this one payment."""
    session[_KEY] = [*_given(), payment.transaction_id][-_MOST:]


def may_see(transaction_id: str) -> Payment | None:
    """The payment, where it is this customer's or was given to this browser.

    ``None`` where a person has to sign in first. Raises PaymentNotFound like
    :func:`portal.billing.payments.owned`.
    """
    if transaction_id in _given():
        return payments.by_reference(transaction_id)
    return payments.owned(current_user.id, transaction_id) if current_user.is_authenticated else None


def for_its_payer(view: Callable[[Payment], ResponseReturnValue]) -> Callable[[str], ResponseReturnValue]:
    """Let *view* have the payment of its address, for its owner and for a browser that it was given to.

    Anybody else is asked to sign in, or told that there is no such payment.
    """

    @wraps(view)
    def guarded(transaction_id: str) -> ResponseReturnValue:
        payment = may_see(transaction_id)
        if payment is None:
            return login_manager.unauthorized()
        answer = make_response(view(payment))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return guarded


def by_link() -> bool:
    """Whether nobody is signed in here: then links to the dashboard lead to the sign-in page first."""
    return not current_user.is_authenticated


def _given() -> list[str]:
    found = session.get(_KEY)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
