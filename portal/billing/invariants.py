"""Laws 1 to 5 of the design as SQL that an operator can run: each query returns the rows that break one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from portal.database import db


@dataclass(frozen=True, slots=True)
class Invariant:
    """One thing that must hold in the data, and the query for what does not hold."""

    name: str
    promise: str
    query: str


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that breaks an invariant."""

    invariant: Invariant
    row: dict[str, Any]


INVARIANTS = (
    Invariant(
        "captured-without-period",
        "Every captured payment for a plan made exactly one purchased plan.",
        """
        SELECT p.id, p.transaction_id, count(pp.id) AS periods FROM payments p
        LEFT JOIN purchased_plans pp ON pp.payment_id = p.id
        WHERE p.status = 'succeeded' AND p.purpose NOT IN ('live_check', 'binding')
        GROUP BY p.id HAVING count(pp.id) <> 1""",
    ),
    Invariant(
        "period-without-capture",
        "No purchased plan without captured money of the same customer and plan.",
        """
        SELECT pp.id, pp.payment_id, p.status FROM purchased_plans pp JOIN payments p ON p.id = pp.payment_id
        WHERE p.status <> 'succeeded' OR p.purpose IN ('live_check', 'binding')
        OR p.user_id <> pp.user_id OR p.plan_id <> pp.plan_id""",
    ),
    Invariant(
        "period-of-other-length",
        "A purchased plan is as long as its payment bought and operators gave, with the e-mails it bought.",
        """
        SELECT pp.id, pp.payment_id FROM purchased_plans pp JOIN payments p ON p.id = pp.payment_id
        LEFT JOIN (SELECT purchased_plan_id, sum(days) AS days FROM period_extensions
        GROUP BY purchased_plan_id) x ON x.purchased_plan_id = pp.id
        WHERE pp.ends_at - pp.starts_at <> make_interval(days => p.period_days + coalesce(x.days, 0)::int)
        OR pp.email_quota <> p.email_quota""",
    ),
    Invariant(
        "periods-overlap",
        "No customer has paid twice for the same time.",
        """
        SELECT a.user_id, a.id AS first, b.id AS second FROM purchased_plans a JOIN purchased_plans b
        ON a.user_id = b.user_id AND a.id < b.id AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at
        WHERE a.revoked_at IS NULL AND b.revoked_at IS NULL""",
    ),
    Invariant(
        "refunds-differ-from-sum",
        "What a payment says was refunded is the sum of its successful refunds.",
        """
        SELECT p.id, p.transaction_id, p.refunded_amount, coalesce(sum(r.amount), 0) AS booked FROM payments p
        LEFT JOIN refunds r ON r.payment_id = p.id AND r.status = 'succeeded'
        GROUP BY p.id HAVING p.refunded_amount <> coalesce(sum(r.amount), 0)""",
    ),
    Invariant(
        "refunds-above-capture",
        "Refunds, the unfinished among them, never exceed what was captured.",
        """
        SELECT p.id, p.transaction_id, p.amount, sum(r.amount) AS asked FROM payments p
        JOIN refunds r ON r.payment_id = p.id AND r.status <> 'failed'
        GROUP BY p.id HAVING sum(r.amount) > p.amount OR p.status <> 'succeeded'""",
    ),
    Invariant(
        "given-back-above-case",
        "Of money that was no order's no more goes back than the gateway said was taken.",
        """
        SELECT c.gateway, c.gateway_payment_id, max(c.amount) AS taken, sum(r.amount) AS asked FROM cases c
        JOIN refunds r ON r.case_id = c.id AND r.status <> 'failed'
        GROUP BY c.gateway, c.gateway_payment_id
        HAVING c.gateway_payment_id IS NULL OR sum(r.amount) > max(c.amount)""",
    ),
    Invariant(
        "refunded-but-running",
        "A payment that went back in full holds no running period, but where a bank took it: that is a case.",
        """
        SELECT p.id, p.transaction_id, pp.id AS period FROM payments p JOIN purchased_plans pp ON
        pp.payment_id = p.id
        WHERE p.refunded_amount = p.amount AND pp.revoked_at IS NULL AND NOT EXISTS (SELECT FROM refunds r
        WHERE r.payment_id = p.id AND r.source = 'bank' AND r.status = 'succeeded')""",
    ),
    Invariant(
        "credit-above-value",
        "The credit of a change is never more than was left of what it replaces: by time, less what had gone "
        "back.",
        """
        SELECT c.id, c.transaction_id, c.credit, p.amount, p.credit AS credited FROM payments c
        JOIN payments p ON p.id = c.replaces_payment_id JOIN purchased_plans pp ON pp.payment_id = p.id
        CROSS JOIN LATERAL (SELECT p.amount + p.credit - coalesce(sum(r.amount), 0) AS worth FROM refunds r
        WHERE r.payment_id = p.id AND r.status <> 'failed' AND r.created_at < c.created_at) v
        WHERE c.credit * extract(epoch FROM pp.ends_at - pp.starts_at)
        > v.worth * least(extract(epoch FROM pp.ends_at - c.created_at),
                          extract(epoch FROM pp.ends_at - pp.starts_at))""",
    ),
    Invariant(
        "replaced-without-change",
        "What is replaced was replaced by one paid change of the same customer, and by no other that counts.",
        """
        SELECT pp.id, pp.payment_id, count(c.id) AS changes FROM purchased_plans pp
        LEFT JOIN (payments c JOIN purchased_plans n ON n.payment_id = c.id AND c.status = 'succeeded'
        AND NOT (n.revoked_because IS NOT DISTINCT FROM 'refunded' AND n.revoked_at = n.created_at))
        ON c.replaces_payment_id = pp.payment_id AND c.user_id = pp.user_id
        GROUP BY pp.id HAVING (pp.revoked_because = 'replaced' AND count(c.id) = 0)
        OR count(c.id) FILTER (WHERE n.revoked_because IS DISTINCT FROM 'refunded')
           > CASE WHEN pp.revoked_because = 'replaced' THEN 1 ELSE 0 END""",
    ),
    Invariant(
        "subscription-end-differs",
        "A live subscription ends where its last paid period ends.",
        """
        SELECT s.id, s.current_period_end, max(pp.ends_at) AS paid_until FROM subscriptions s
        LEFT JOIN purchased_plans pp ON pp.subscription_id = s.id AND pp.revoked_at IS NULL
        WHERE s.status IN ('active', 'past_due') GROUP BY s.id
        HAVING s.current_period_end IS DISTINCT FROM max(pp.ends_at)""",
    ),
    Invariant(
        "two-live-subscriptions",
        "A customer has at most one live subscription.",
        """
        SELECT user_id, count(*) FROM subscriptions WHERE status IN ('active', 'past_due')
        GROUP BY user_id HAVING count(*) > 1""",
    ),
    Invariant(
        "one-capture-two-orders",
        "One capture at a gateway pays for one order.",
        """
        SELECT gateway, gateway_payment_id, count(*) FROM payments WHERE gateway_payment_id IS NOT NULL
        GROUP BY gateway, gateway_payment_id HAVING count(*) > 1""",
    ),
    Invariant(
        "state-differs-from-moves",
        "A payment stands where its latest move took it, and each move begins where the one before it ended.",
        """
        SELECT id, payment_id, before, after, came_from, status FROM (SELECT m.id, m.payment_id, m.before,
        m.after, p.status, lag(m.after) OVER one AS came_from, lead(m.id) OVER one AS next
        FROM payment_moves m JOIN payments p ON p.id = m.payment_id
        WINDOW one AS (PARTITION BY m.payment_id ORDER BY m.id)) s
        WHERE before <> came_from OR (next IS NULL AND after <> status)""",
    ),
    Invariant(
        "open-and-forgotten",
        "Every payment that may still end has a time at which it is looked at again.",
        """
        SELECT id, transaction_id, status FROM payments
        WHERE status IN ('pending', 'authorized', 'unknown') AND next_check_at IS NULL""",
    ),
    Invariant(
        "refund-forgotten",
        "Every refund that may still end has a time at which it is looked at again, and no other has one.",
        """
        SELECT id, payment_id, status, next_check_at FROM refunds
        WHERE (status IN ('pending', 'unknown')) = (next_check_at IS NULL)""",
    ),
    Invariant(
        "renewal-without-method",
        "Renewal is on only with a saved method of the same customer that is not unlinked.",
        """
        SELECT s.id, s.payment_method_id FROM subscriptions s LEFT JOIN payment_methods m ON m.id =
        s.payment_method_id WHERE s.auto_renew AND s.status IN ('active', 'past_due')
        AND (m.id IS NULL OR m.detached_at IS NOT NULL OR m.user_id <> s.user_id)""",
    ),
    Invariant(
        "renewal-without-agreement",
        "Renewal is on only by an agreement of the same customer that is not withdrawn.",
        """
        SELECT s.id, s.consent_id FROM subscriptions s LEFT JOIN consents c ON c.id = s.consent_id
        WHERE s.auto_renew AND s.status IN ('active', 'past_due')
        AND (c.id IS NULL OR c.withdrawn_at IS NOT NULL OR c.user_id <> s.user_id)""",
    ),
    Invariant(
        "agreement-left-behind",
        "Where renewal is off, the agreement that it went by is withdrawn.",
        """
        SELECT s.id, s.consent_id FROM subscriptions s JOIN consents c ON c.id = s.consent_id
        WHERE NOT s.auto_renew AND c.withdrawn_at IS NULL""",
    ),
    Invariant(
        "two-charges-one-period",
        "One renewal at most was paid and kept for one period of a subscription.",
        """
        SELECT subscription_id, period_start, count(*) FROM payments
        WHERE purpose = 'renewal' AND status = 'succeeded' AND refunded_amount < amount
        GROUP BY subscription_id, period_start HAVING count(*) > 1""",
    ),
    # Whoever takes an agreement back waits for a lock, at most 8 s, behind a charge that was written first.
    Invariant(
        "charge-after-withdrawal",
        "No charge was begun after its agreement was withdrawn or its method unlinked.",
        """
        SELECT p.id, p.transaction_id, p.created_at, c.withdrawn_at, m.detached_at FROM payments p
        LEFT JOIN consents c ON c.id = p.consent_id LEFT JOIN payment_methods m ON m.id = p.payment_method_id
        WHERE p.purpose = 'renewal'
        AND p.created_at > least(c.withdrawn_at, m.detached_at) + interval '10 seconds'""",
    ),
    Invariant(
        "live-and-forgotten",
        "Every live subscription is looked at again; one that renews has a charge planned, open or refused.",
        """
        SELECT s.id, s.status, s.look_at, s.charge_due_at, s.charge_look_at FROM subscriptions s
        LEFT JOIN payment_methods m ON m.id = s.payment_method_id
        WHERE s.status IN ('active', 'past_due') AND (s.look_at IS NULL
        OR (s.charge_due_at IS NULL) <> (s.charge_look_at IS NULL)
        OR s.auto_renew AND s.status = 'active' AND s.charge_due_at IS NULL AND m.stopped_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.subscription_id = s.id AND p.purpose = 'renewal'
        AND (p.status IN ('pending', 'authorized', 'unknown')
        OR p.status = 'failed' AND p.period_start = s.current_period_end)))""",
    ),
    Invariant(
        "usage-differs-from-records",
        "A period's e-mails used are the sum of its usage records.",
        """
        SELECT pp.id, pp.user_id, pp.emails_used, coalesce(r.recorded, 0) AS recorded FROM purchased_plans pp
        LEFT JOIN (SELECT purchased_plan_id, sum(quantity) AS recorded FROM usage_records
        GROUP BY purchased_plan_id) r ON r.purchased_plan_id = pp.id
        WHERE pp.emails_used <> coalesce(r.recorded, 0)""",
    ),
    Invariant(
        "notification-stuck",
        "No kept notification waits longer than a day.",
        """
        SELECT id, gateway, kind, attempts, last_error FROM webhook_events
        WHERE status = 'received' AND received_at < :day_ago""",
    ),
)


def violations(now: datetime) -> list[Violation]:
    """All rows that break an invariant, in one consistent look at the data."""
    found = []
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        for invariant in INVARIANTS:
            rows = connection.execute(text(invariant.query), {"day_ago": now - timedelta(days=1)}).mappings()
            found += [Violation(invariant, dict(row)) for row in rows]
    return found
