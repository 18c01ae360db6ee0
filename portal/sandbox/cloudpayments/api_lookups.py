"""API methods that only look: get, find, the lists, and the connection test."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

from portal.sandbox.clock import parse_iso
from portal.sandbox.cloudpayments import chargebacks, payments, refunds, tokens
from portal.sandbox.cloudpayments.binding import BadRequest, Params
from portal.sandbox.cloudpayments.door import Envelope, method, refusal, success
from portal.sandbox.cloudpayments.transactions import KIND, Doc, Status, listed, model
from portal.sandbox.world import world

PAGE = 100

#: Documented time-zone codes and their hours from UTC (winter time).
ZONES: dict[str, float] = {
    "HST": -10, "AKST": -9, "PST": -8, "MST": -7, "CST": -6, "EST": -5, "AST": -4, "BRT": -3, "UTC": 0,
    "GMT": 0, "CET": 1, "EET": 2, "MSK": 3, "AZT": 4, "AMT": 4, "SAMT": 4, "GET": 4, "TJT": 5, "YEKT": 5,
    "ALMT": 6, "NOVT": 7, "KRAT": 7, "HKT": 8, "IRKT": 8, "SGT": 8, "ULAT": 8, "YAKT": 9, "VLAT": 10,
    "SAKT": 11, "ANAT": 12,
}  # fmt: skip


@method("/test", "test")
def test(_public_id: str, _params: Params) -> Envelope:
    """Answer that login and password are right."""
    return {"Success": True, "Message": str(uuid4())}


@method("/payments/get", "get")
def get(public_id: str, params: Params) -> Envelope:
    """Return one transaction by its own id."""
    return _found(payments.load(world(), params.required_integer("TransactionId"), public_id))


@method("/payments/find", "find")
def find(public_id: str, params: Params) -> Envelope:
    """Return the last payment with an InvoiceId; refunds are not looked at."""
    return _last(doc for doc in _of_invoice(public_id, params) if not doc["original_id"])


@method("/v2/payments/find", "find")
def find_v2(public_id: str, params: Params) -> Envelope:
    """Return the last operation with an InvoiceId, a refund included."""
    return _last(_of_invoice(public_id, params))


@method("/payments/list", "list")
def list_day(public_id: str, params: Params) -> Envelope:
    """Return every operation created on one day of a time zone (UTC by default)."""
    zone = _zone(params)
    day = params.required("Date")
    try:
        start = datetime.strptime(day[:10], "%Y-%m-%d").replace(tzinfo=zone)
    except ValueError as error:
        raise BadRequest("Invalid Date value") from error
    end = start + timedelta(days=1)
    return success(
        [listed(doc) for doc in _of_terminal(public_id) if start <= parse_iso(doc["created_at"]) < end]
    )


@method("/v2/payments/list", "list")
def list_page(public_id: str, params: Params) -> Envelope:
    """Return one page of 100 operations created within a period, oldest first."""
    zone = _zone(params)
    start, end = _edge(params, "CreatedDateGte", zone), _edge(params, "CreatedDateLte", zone)
    wanted = params.value("Statuses")
    statuses = {str(status).lower() for status in wanted} if isinstance(wanted, list) else None
    matching = [
        listed(doc)
        for doc in _of_terminal(public_id)
        if start <= parse_iso(doc["created_at"]) <= end
        and (statuses is None or doc["status"].lower() in statuses)
    ]
    return success(_page(matching, params))


@method("/payments/tokens/list", "tokens_list")
def list_tokens(public_id: str, params: Params) -> Envelope:
    """Return one page of the terminal's saved cards."""
    saved = world().store.find(tokens.KIND, public_id=public_id)
    return success(_page([_saved_card(doc) for doc in saved], params))


@method("/chargebacks/list", "chargebacks_list")
def list_chargebacks(public_id: str, params: Params) -> Envelope:
    """Return one page of what payers' banks took back within a period, oldest first."""
    start, end = _edge(params, "CreatedDateGte", UTC), _edge(params, "CreatedDateLte", UTC)
    if end - start > refunds.YEAR:
        raise BadRequest("The period is longer than one year")
    told = [
        chargebacks.model(doc)
        for doc in world().store.find(chargebacks.KIND, public_id=public_id)
        if start <= parse_iso(doc["created_at"]) <= end
    ]
    return {**success(_page(told, params)), "ErrorCode": None}


def _saved_card(doc: Doc) -> Doc:
    month, year = doc["exp"].split("/")
    return {
        "Token": doc["token"],
        "AccountId": doc["account_id"],
        "CardMask": doc["mask"],
        "ExpirationDateMonth": int(month),
        "ExpirationDateYear": 2000 + int(year),
    }


def _of_terminal(public_id: str) -> list[Doc]:
    return world().store.find(KIND, public_id=public_id)


def _of_invoice(public_id: str, params: Params) -> list[Doc]:
    return world().store.find(KIND, reference=params.required("InvoiceId"), public_id=public_id)


def _last(docs: Iterable[Doc]) -> Envelope:
    found = list(docs)
    return _found(found[-1]) if found else refusal("Not found")


def _found(doc: Doc) -> Envelope:
    declined = doc["status"] == Status.DECLINED
    if declined and not world().settings["cloudpayments_declined_lookup_success"]:
        return refusal(None, model(doc))
    return success(model(doc))


def _zone(params: Params) -> timezone:
    code = (params.text("TimeZone") or "UTC").upper()
    if code not in ZONES:
        raise BadRequest("Invalid TimeZone value")
    return timezone(timedelta(hours=ZONES[code]))


def _edge(params: Params, name: str, zone: timezone) -> datetime:
    """Return one end of a period; a moment without a zone is in the request's TimeZone."""
    text = params.required(name)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequest(f"Invalid {name} value") from error
    return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)


def _page(items: list[Doc], params: Params) -> list[Doc]:
    page = params.required_integer("PageNumber")
    if page < 1:
        raise BadRequest("Invalid PageNumber value")
    return items[(page - 1) * PAGE : page * PAGE]
