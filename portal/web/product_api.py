"""The API of the shop's own product: what may a customer use, and count what was used.

Every call carries a key of :mod:`portal.billing.api_keys`; there is no cookie and no session. What the
answers mean stands in ``docs/product-api.md``.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from portal import clock
from portal.accounts import addresses
from portal.billing import api_keys, quota
from portal.billing import entitlement as entitlements
from portal.billing.entitlement import Entitlement, Period
from portal.errors import InvalidRequest, PortalError
from portal.web.api import iso, json_object
from portal.wording import marked, say

blueprint = Blueprint("product_api", __name__, url_prefix="/api/v1")

#: What a call without a valid key is told to bring (RFC 6750).
_CHALLENGE = 'Bearer realm="portal"'

# An address may hold a slash, so it is taken as a path.
_CUSTOMER = "/customers/<path:email>"


class KeyRequired(PortalError):
    """The call carries no key, or one that was never made or is revoked: the three are told alike."""

    code = "AUTH_REQUIRED"
    status = 401
    message = marked("Нужен действующий ключ: Authorization: Bearer pk_…")


@blueprint.before_request
def ask_for_a_key() -> None:
    """Refuse whoever brings no valid key, before anything else is looked at."""
    scheme, _, key = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not api_keys.is_valid(key.strip()):
        raise KeyRequired


@blueprint.after_request
def mark(response: Response) -> Response:
    """Let nobody keep an answer: the next call may change it."""
    response.headers["Cache-Control"] = "no-store"
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = _CHALLENGE
    return response


@blueprint.get(f"{_CUSTOMER}/entitlement")
def entitlement(email: str) -> Response:
    """What the customer may use now."""
    return jsonify(as_json(entitlements.of(_address(email), clock.now())))


@blueprint.post(f"{_CUSTOMER}/usage")
def usage(email: str) -> Response:
    """Count e-mails. A repeat of the key answers as the first time, and a header says that it is one."""
    body = json_object()
    quantity, key = body.get("quantity"), body.get("idempotency_key")
    # JSON's true is Python's 1.
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not isinstance(key, str):
        raise InvalidRequest(say('Нужен JSON вида {"quantity": 25, "idempotency_key": "…"}.'))
    used = quota.use(_address(email), quantity, key, clock.now())
    answer = jsonify({"emails_left": used.emails_left})
    if used.repeated:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer


def as_json(found: Entitlement) -> dict[str, Any]:
    """An entitlement as the contract words it: no plan and no e-mails while nothing may be used."""
    current = found.periods.current
    return {
        "status": found.status,
        "active_until": iso(found.periods.active_until()),
        "auto_renew": found.auto_renew,
        **_period(current),
        "emails_used": current.emails_used if current else 0,
        "emails_left": current.email_quota - current.emails_used if current else 0,
        "upcoming": [_period(period) for period in found.periods.upcoming],
    }


def _period(period: Period | None) -> dict[str, Any]:
    return {
        "plan_code": period.plan_code if period else None,
        "plan_title": period.plan_title if period else None,
        "period_start": iso(period.starts_at) if period else None,
        "period_end": iso(period.ends_at) if period else None,
        "emails_total": period.email_quota if period else 0,
    }


def _address(written: str) -> str:
    """The spelling that is kept; of what is no address, itself: no customer will have it."""
    return addresses.normal(written) or written
