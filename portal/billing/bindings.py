"""Zero-amount binding: a customer saves a method at YooKassa without paying (yookassa.md 3.4)."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from sqlalchemy import select

from portal import running
from portal.billing import choosing, doors, locks, methods, renewals, trouble
from portal.billing.settlement import Settlement, Verdict
from portal.database import db, exclusive, transaction
from portal.errors import NotFound, PortalError
from portal.gateways.base import (
    BindingOrder,
    BindingSnapshot,
    GatewayClosed,
    GatewayError,
    GatewayRejected,
    Outcome,
)
from portal.models import BindingStatus, CaseKind, GatewayName, MethodBinding, User
from portal.wording import marked, say

#: The page for the payer lives an hour; there is no notification of a failure, so we ask until it has passed.
LIVES = timedelta(hours=1)
ASK_AFTER = timedelta(minutes=2)


class RecurringDisabled(PortalError):
    """The shop saves no new methods now (BILLING_RECURRING_ENABLED)."""

    code = "RECURRING_DISABLED"
    status = 403
    message = marked(
        "Сейчас сохранить карту нельзя: магазин принимает только разовые платежи. Ничего не списано."
    )


def start(user: User, now: datetime) -> MethodBinding:
    """Begin a binding, or go on with the one that is open. ``confirmation_url`` is where the customer goes.

    Raises RecurringDisabled, GatewayClosed, and the gateway's errors.
    """
    config = running.config()
    if not config.billing_recurring_enabled:
        raise RecurringDisabled
    if GatewayName.YOOKASSA not in doors.offered():
        raise GatewayClosed
    with transaction() as session:
        # Two clicks at once would both find none.
        exclusive(session, f"binding:{user.id}")
        binding = _open(user, now) or _write(user, now)
    if binding.confirmation_url:
        return binding
    try:
        told = doors.yookassa().bind(_as_order(binding, user))
    except GatewayError as error:
        trouble.tell(f"binding {binding.key}", error)
        if isinstance(error, GatewayRejected) and error.parameter != "Idempotence-Key":
            _end(binding.id, BindingStatus.FAILED)
        raise
    _carry_out(binding.key, told, now)
    return db.session.get_one(MethodBinding, binding.id, populate_existing=True)


def owned(user_id: int, key: str) -> MethodBinding:
    """One binding of this customer. Raises NotFound."""
    found = db.session.scalar(
        select(MethodBinding).where(MethodBinding.key == key[:36], MethodBinding.user_id == user_id)
    )
    if found is None:
        raise NotFound(say("Такой карты среди сохранённых нет."))
    return found


def heard(told: BindingSnapshot | None, now: datetime) -> Settlement:
    """Keep a method that YooKassa says is active when it is one of ours."""
    if told is not None:
        ours = select(MethodBinding.key).where(MethodBinding.gateway_method_id == told.gateway_method_id)
        if key := db.session.scalar(ours):
            return _carry_out(key, told, now)
    return Settlement(Verdict.IGNORED, "not a binding of ours")


def refresh(binding_id: int, now: datetime) -> None:
    """Ask what became of a binding. Raises GatewayError without an answer."""
    binding = db.session.get_one(MethodBinding, binding_id)
    told = doors.yookassa().fetch_binding(binding.gateway_method_id) if binding.gateway_method_id else None
    if told is not None:
        _carry_out(binding.key, told, now)
    if now >= binding.created_at + LIVES:
        _end(binding_id, BindingStatus.FAILED)


def _carry_out(key: str, told: BindingSnapshot, now: datetime) -> Settlement:
    owner = db.session.scalar(select(MethodBinding.user_id).where(MethodBinding.key == key))
    assert owner is not None  # bindings are never deleted
    with transaction() as session:
        locks.lock_customer(session, owner)
        binding = session.scalars(
            select(MethodBinding)
            .where(MethodBinding.key == key)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).one()
        binding.gateway_method_id = binding.gateway_method_id or told.gateway_method_id
        binding.confirmation_url = binding.confirmation_url or told.confirmation_url
        if binding.status is not BindingStatus.PENDING:
            return Settlement(Verdict.NOTHING_NEW, f"binding already {binding.status.value}")
        if told.outcome is Outcome.FAILED:
            binding.status, binding.next_check_at = BindingStatus.FAILED, None
            return Settlement(Verdict.MOVED, "binding failed")
        if told.outcome is not Outcome.SUCCEEDED or told.method is None:
            return Settlement(Verdict.NOTHING_NEW, "binding still pending")
        if methods.closed_since(session, owner, binding.created_at):
            binding.status, binding.next_check_at = BindingStatus.FAILED, None
            return Settlement(Verdict.MOVED, "binding after the account was closed")
        if wrong := _mismatch(session.get_one(User, binding.user_id), told):
            return Settlement(Verdict.IGNORED, f"binding: {wrong.value}")
        binding.payment_method_id = methods.keep(
            session, binding.user_id, GatewayName.YOOKASSA, told.method, now
        )
        binding.status, binding.next_check_at = BindingStatus.ACTIVE, None
        due = choosing.charge_from_now_on(session, owner, binding.payment_method_id, now)
        if due is not None:
            renewals.try_now(due, now)
        return Settlement(Verdict.MOVED, "method saved")


def _mismatch(user: User, told: BindingSnapshot) -> CaseKind | None:
    """What does not fit ours, if anything: such a method is not kept."""
    if told.shop is not None and told.shop != doors.expected_shop(GatewayName.YOOKASSA):
        return CaseKind.SHOP_MISMATCH
    if told.test is not None and told.test is not doors.test_mode(GatewayName.YOOKASSA):
        return CaseKind.TEST_MODE_MISMATCH
    if told.user_id is not None and told.user_id != user.public_id:
        return CaseKind.ACCOUNT_MISMATCH
    return None


def _open(user: User, now: datetime) -> MethodBinding | None:
    found: MethodBinding | None = db.session.scalar(
        select(MethodBinding)
        .where(
            MethodBinding.user_id == user.id,
            MethodBinding.status == BindingStatus.PENDING,
            MethodBinding.created_at > now - LIVES + timedelta(minutes=5),
        )
        .order_by(MethodBinding.id.desc())
        .limit(1)
    )
    return found


def _write(user: User, now: datetime) -> MethodBinding:
    with transaction() as session:
        binding = MethodBinding(
            key=str(uuid.uuid4()),
            user_id=user.id,
            gateway=GatewayName.YOOKASSA,
            status=BindingStatus.PENDING,
            created_at=now,
            next_check_at=now + ASK_AFTER,
        )
        session.add(binding)
    return binding


def _as_order(binding: MethodBinding, user: User) -> BindingOrder:
    config = running.config()
    return BindingOrder(
        key=binding.key,
        user_id=user.public_id,
        return_url=f"{config.portal_base_url}/billing/binding/{binding.key}/return",
    )


def _end(binding_id: int, status: BindingStatus) -> None:
    with transaction() as session:
        binding = session.get_one(MethodBinding, binding_id, with_for_update=True, populate_existing=True)
        if binding.status is BindingStatus.PENDING:
            binding.status, binding.next_check_at = status, None
