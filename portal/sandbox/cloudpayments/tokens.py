"""Saved cards: when a payment yields a token, and what a charge by token comes to."""

from __future__ import annotations

import secrets
from datetime import date

from portal.sandbox.cloudpayments.reasons import (
    APPROVED,
    EXPIRED_CARD,
    INSUFFICIENT_FUNDS,
    Reason,
    reason,
    reason_named,
)
from portal.sandbox.cloudpayments.transactions import Doc, mask
from portal.sandbox.store import Store

KIND = "cloudpayments_token"
PROGRAM = "cloudpayments_program"

#: What no handbook lists and a bank may do all the same: it wants to see the payer, token or not.
THREE_DS = Reason(-1, "AwaitingAuthentication", "")
_THREE_DS_NAMES = frozenset({"3ds", "three_ds", "3d_secure", "awaiting_authentication"})

#: What a saved card repeats of the payment that saved it; all empty for an account bound through SBP.
CARD = ("first_six", "last_four", "exp", "network", "card_id")


def wanted(policy: str, save_card: bool) -> bool:
    """Tell whether a payment of an account yields a token: as it asked, or as the cabinet's setting says."""
    return policy == "always" or (policy != "off" and save_card)


def issue(store: Store, payment: Doc, same: bool, token_reason: int) -> str:
    """Save the payment's card for its account and return the token; call inside a store transaction."""
    if same:
        for kept in store.find(KIND, account_id=payment["account_id"], public_id=payment["public_id"]):
            if all(kept[name] == payment.get(name, "") for name in ("card_id", "exp", "method")):
                return str(kept["token"])
    token = "tk_" + secrets.token_hex(15)[:29]
    store.put(
        KIND,
        token,
        {
            "token": token,
            "public_id": payment["public_id"],
            "account_id": payment["account_id"],
            "method": payment["method"],
            "reason": token_reason,
            "created_at": payment["created_at"],
            "mask": mask(payment),
            **{name: payment.get(name, "") for name in CARD},
        },
    )
    return token


def find(store: Store, token: str, account_id: str, public_id: str) -> Doc | None:
    """Return a saved card, or the documentation's own sample tokens ``success_…`` and ``fail_…``, or
    ``None``.

    A token of another account is not found; one of another terminal is found and declined later (6025).
    """
    kept = store.get(KIND, token)
    if kept is not None:
        return kept if kept["account_id"] == account_id else None
    if token.startswith(("success_", "fail_")):
        why = APPROVED if token.startswith("success_") else INSUFFICIENT_FUNDS
        card = dict(zip(CARD, ("424242", "4242", "12/99", "Visa", ""), strict=True))
        return {
            "token": token,
            "public_id": public_id,
            "account_id": account_id,
            "method": "",
            "reason": why,
            **card,
        }
    return None


def program(store: Store, token: str, outcome: str, times: int | None) -> Reason:
    """Make the next ``times`` charges by the token (``None``: all) end with the outcome.

    ``3ds`` lets the bank ask for 3-D Secure. Raises ``ValueError`` for what is not in the handbook.
    """
    why = THREE_DS if outcome.lower() in _THREE_DS_NAMES else reason_named(outcome)
    store.put(PROGRAM, token, {"token": token, "code": why.code, "left": times})
    return why


def outcome(store: Store, card: Doc, today: date) -> Reason:
    """Return what a charge by this saved card comes to, using up one programmed outcome.

    Call inside a store transaction. A card past its date is declined (5054) unless something else is
    programmed.
    """
    planned = store.get(PROGRAM, card["token"])
    if planned is not None:
        left = planned["left"]
        if left is not None and left <= 1:
            store.delete(PROGRAM, card["token"])
        elif left is not None:
            store.put(PROGRAM, card["token"], {**planned, "left": left - 1})
        return THREE_DS if planned["code"] == THREE_DS.code else reason(planned["code"])
    if expired(card["exp"], today):
        return reason(EXPIRED_CARD)
    return reason(card["reason"])


def expired(exp: str, today: date) -> bool:
    """Tell whether a card's ``MM/YY`` has passed; an SBP account has no date and never expires."""
    if not exp:
        return False
    month, year = exp.split("/")
    return (2000 + int(year), int(month)) < (today.year, today.month)
