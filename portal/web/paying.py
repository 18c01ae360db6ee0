"""The page where a refused renewal is paid: the same for whoever signed in and for the link of a letter."""

from __future__ import annotations

import logging

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import clock
from portal.billing import overdue
from portal.billing.checkout import Order
from portal.billing.overdue import Overdue
from portal.errors import InvalidRequest, PortalError
from portal.gateways.base import GatewayError, GatewayForbidden, GatewayUnknown
from portal.web import grants, headers
from portal.web.api import client_info, take_turn

log = logging.getLogger(__name__)


def page(found: Overdue, here: str, trouble: PortalError | None = None) -> ResponseReturnValue:
    """What is due, why it failed, and the ways to pay it; *here* is where the forms go."""
    headers.allow_payment_page()
    if found.begun is not None:
        grants.give(found.begun)  # whoever may pay for this may see what is being paid for it already
    said = render_template(
        "renewal/pay.html", due=found, here=here, trouble=trouble, by_link=grants.by_link()
    )
    return said, trouble.status if trouble else 200


def act(found: Overdue, payer_id: int, here: str) -> ResponseReturnValue:
    """Do what the page's button says: ``action`` = saved, or order with a ``gateway``."""
    saved = request.form.get("action") == "saved"
    try:
        return _with_the_saved_one(found, here) if saved else _another_way(found, payer_id)
    except GatewayForbidden:
        raise  # the whole shop lacks a right: a page of its own says so
    except GatewayUnknown as trouble:
        return _what_is_known(found, here, trouble)
    except (InvalidRequest, GatewayError) as trouble:
        return page(found, here, trouble)


def _with_the_saved_one(found: Overdue, here: str) -> ResponseReturnValue:
    overdue.try_now(found.subscription_id, clock.now())
    return redirect(here, 303)


def _another_way(found: Overdue, payer_id: int) -> ResponseReturnValue:
    take_turn(payer_id)
    made = overdue.order(
        found.subscription_id,
        request.form.get("gateway", ""),
        accept_recurring=bool(request.form.get("accept_recurring")),
        client=client_info(),
        now=clock.now(),
    )
    return _lead(made)


def _lead(made: Order) -> ResponseReturnValue:
    """To YooKassa's page, if it is theirs; otherwise to ours, which opens in this browser from now on."""
    grants.give(made.payment)
    if made.confirmation_url and headers.is_where_payers_go(made.confirmation_url):
        headers.allow_payment_page()
        return redirect(made.confirmation_url, 303)
    return redirect(url_for("payment.show", transaction_id=made.payment.transaction_id), 303)


def _what_is_known(found: Overdue, here: str, trouble: GatewayUnknown) -> ResponseReturnValue:
    """Nobody knows what became of the order: its return page asks, and tells."""
    now = overdue.of_subscription(found.subscription_id, clock.now())
    if now is None or now.begun is None:
        return page(found, here, trouble)
    grants.give(now.begun)
    return redirect(url_for("payment.come_back", transaction_id=now.begun.transaction_id), 303)
