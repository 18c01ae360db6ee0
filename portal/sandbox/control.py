"""The control API: what a test, or a person, orders the two gateways to do. JSON, from this machine only."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from portal.sandbox import mailbox
from portal.sandbox.clock import iso, parse_duration, parse_iso
from portal.sandbox.errors import ControlError
from portal.sandbox.guard import require_this_machine
from portal.sandbox.registry import LedgerPart, Simulator
from portal.sandbox.store import Document
from portal.sandbox.travel import tell_time, travel
from portal.sandbox.world import World, world

blueprint = Blueprint("control", __name__)
blueprint.before_request(require_this_machine)

_PUBLIC_NOTIFICATION = (
    "id", "gateway", "kind", "reference", "url", "method", "headers", "body", "attempts", "state",
    "created_at", "due_at",
)  # fmt: skip


def ledger(the_world: World) -> dict[str, list[Document]]:
    """Return both gateways' books as one, newest last."""
    parts: list[LedgerPart] = [simulator.ledger() for simulator in the_world.simulators.values()]
    return {
        "payments": _merged([part["payments"] for part in parts]),
        "refunds": _merged([part["refunds"] for part in parts]),
        "methods": _merged([part["methods"] for part in parts]),
        "notifications": [
            {field: doc[field] for field in _PUBLIC_NOTIFICATION}
            for doc in the_world.store.all("notification")
        ],
    }


def _merged(lists: list[list[Document]]) -> list[Document]:
    return sorted((entry for part in lists for entry in part), key=lambda entry: str(entry["created_at"]))


def _body() -> Document:
    body = request.get_json(force=True, silent=True) if request.get_data() else {}
    if not isinstance(body, dict):
        raise ControlError(400, "BAD_JSON", "Send a JSON object.")
    return body


def _text(body: Document, *names: str) -> str:
    for name in names:
        value = body.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()
    raise ControlError(400, "MISSING_FIELD", f"Say {' or '.join(names)}.")


def _times(body: Document, default: int | None) -> int | None:
    times = body.get("times", default)
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise ControlError(400, "BAD_VALUE", "times is a whole number from 1.")
    return times


def _simulator(body: Document) -> Simulator:
    gateway = _text(body, "gateway").lower()
    if gateway not in world().simulators:
        raise ControlError(400, "UNKNOWN_GATEWAY", f"There is no gateway {gateway!r}.")
    return world().simulators[gateway]


@blueprint.get("/control/ledger")
def show_ledger() -> Response:
    """Both gateways' payments, refunds, saved methods and notifications, newest last."""
    return jsonify(ledger(world()))


@blueprint.get("/control/settings")
def show_settings() -> Response:
    """Every setting with its present value, and what it means."""
    the_world = world()
    meanings = {setting.name: setting.meaning for setting in the_world.settings.meanings()}
    return jsonify(settings=the_world.settings.all(), meanings=meanings)


@blueprint.post("/control/settings")
def change_settings() -> Response:
    """Merge ``{name: value}``; an unknown name or value is 400 and changes nothing. Answers all settings."""
    the_world = world()
    the_world.settings.merge(_body())
    return jsonify(the_world.settings.all())


@blueprint.get("/control/faults")
def show_faults() -> Response:
    """The faults that still wait for their request."""
    return jsonify(faults=world().faults.all())


@blueprint.post("/control/faults")
def add_fault() -> Response:
    """``{"gateway", "operation", "fault", "times"}``: spoil the next calls; ``times`` 1 by default."""
    body = _body()
    gateway = _simulator(body).name
    operation = str(body.get("operation") or "*")
    doc = world().faults.add(gateway, operation, _text(body, "fault"), _times(body, 1) or 1)
    return jsonify(doc)


@blueprint.delete("/control/faults")
def drop_faults() -> Response:
    """Forget every fault that still waits."""
    world().faults.clear()
    return jsonify(faults=[])


@blueprint.post("/control/cards")
def program_card() -> Response:
    """``{"token" or "payment_method_id", "outcome", "times"}``: decide how charges of a saved method end.

    Without ``times`` the outcome stays until another is given; ``success`` is the natural one.
    """
    body = _body()
    token = _text(body, "payment_method_id", "token")
    outcome, times = _text(body, "outcome"), _times(body, None)
    owners = [s for s in world().simulators.values() if s.knows_method(token)]
    simulator = _simulator(body) if "gateway" in body else owners[0] if owners else None
    if simulator is None:
        raise ControlError(404, "UNKNOWN_METHOD", "No gateway has saved such a method.")
    return jsonify(simulator.program(token, outcome, times))


@blueprint.post("/control/pay")
def pay() -> Response:
    """``{"gateway", "transaction_id", "card"}``: the payer's part on the page; answers the payment."""
    body = _body()
    card = _text(body, "card").replace(" ", "").replace("-", "")
    return jsonify(_simulator(body).pay(_text(body, "transaction_id", "id"), card, body))


@blueprint.post("/control/refund")
def refund() -> Response:
    """``{"gateway", "transaction_id", "amount"?}``: a refund from the gateway's own cabinet."""
    body = _body()
    return jsonify(_simulator(body).refund(_text(body, "transaction_id", "payment_id", "id"), body))


@blueprint.post("/control/chargeback")
def chargeback() -> Response:
    """``{"gateway", "transaction_id", "amount"?, "operation"?}``: the payer's bank takes the money back.

    ``operation`` is ``presentment`` (by default), ``representment`` (the bank gives it back) or ``fee``.
    """
    body = _body()
    return jsonify(_simulator(body).chargeback(_text(body, "transaction_id", "payment_id", "id"), body))


@blueprint.get("/control/clock")
def show_clock() -> Response:
    """The sandbox's time, its lead over the system's in seconds, and when something is due next."""
    the_world = world()
    due = the_world.next_due()
    return jsonify(
        now=iso(the_world.clock.now()),
        offset_seconds=the_world.clock.offset.total_seconds(),
        next_due=iso(due) if due else None,
    )


@blueprint.post("/control/clock")
def move_clock() -> Response:
    """``{"advance": "27d"}`` or ``{"to": "2027-01-31T00:00:00Z"}``: answers when all due work is done.

    ``{"reset": true}`` goes back to the system's time, and takes the portal along.
    """
    body, the_world = _body(), world()
    if body.get("reset") is True:
        the_world.clock.reset()
        return jsonify(now=iso(the_world.clock.now()), steps=0, portal=tell_time(the_world))
    if "to" in body:
        try:
            ahead = parse_iso(_text(body, "to")) - the_world.clock.now()
        except ValueError as error:
            raise ControlError(400, "BAD_TIME", "to is an ISO 8601 moment.") from error
        return jsonify(travel(the_world, ahead))
    return jsonify(travel(the_world, parse_duration(_text(body, "advance"))))


@blueprint.post("/control/reset")
def reset() -> Response:
    """Empty everything: books, notifications, mailbox, faults; settings and clock as at the start."""
    the_world = world()
    if the_world.clock.offset:
        the_world.clock.reset()
        tell_time(the_world)
    the_world.reset()
    return jsonify(reset=True)


@blueprint.get("/control/mailbox")
def show_mailbox() -> Response:
    """The letters received, newest last; ``?to=`` keeps those to one address."""
    return jsonify(letters=mailbox.letters(world(), request.args.get("to")))


@blueprint.post("/mailbox")
def receive_letter() -> Response:
    """Take one raw RFC 5322 message as the body and put it into the mailbox."""
    return jsonify(id=mailbox.receive(world(), request.get_data())["id"])
