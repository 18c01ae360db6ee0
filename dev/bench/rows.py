"""A shop with many customers and very many usage records, written by the database itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

#: Two paid periods that are over, and one that runs.
PERIODS = 3
#: Tables that grow with customers and use: no call may walk through one of them.
LARGE = ("users", "subscriptions", "payments", "purchased_plans", "usage_records")


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is. One customer alone has a tenth of all records."""

    customers: int = 20_000
    records: int = 1_000_000

    @property
    def of_others(self) -> int:
        """Records in each period of every customer but the largest."""
        return self.records * 9 // 10 // ((self.customers - 1) * PERIODS)

    @property
    def of_the_largest(self) -> int:
        """Records in each period of the largest customer: the rest."""
        rest = self.records - self.of_others * (self.customers - 1) * PERIODS
        return -(-rest // PERIODS)


def email(number: int) -> str:
    """The address of a customer, counted from 1; the first is the largest."""
    return f"customer-{number}@example.com"


_CUSTOMERS = """
    INSERT INTO users (public_id, email, password_hash, is_demo, created_at)
    SELECT gen_random_uuid()::text, 'customer-' || n || '@example.com', 'x', false, %(now)s
    FROM generate_series(1, %(customers)s) n"""
_SUBSCRIPTIONS = """
    INSERT INTO subscriptions (user_id, plan_id, status, current_period_start, current_period_end, auto_renew,
    look_at, created_at)
    SELECT u.id, p.id, 'active', %(now)s - interval '70 days', %(now)s + interval '20 days', false,
    %(now)s + interval '20 days', %(now)s
    FROM users u, plans p WHERE p.code = 'PRO_MONTHLY'"""
_PAYMENTS = """
    INSERT INTO payments (transaction_id, user_id, plan_id, gateway, gateway_payment_id, purpose, status,
    amount, currency, refunded_amount, billing_mode, test_mode, plan_code, plan_title, period_days,
    email_quota, description, attempt, credit, replaced_emails_used, created_at, expires_at, paid_at, checks)
    SELECT gen_random_uuid()::text, u.id, p.id, 'cloudpayments', u.id || '-' || k, 'purchase', 'succeeded',
    990, 'RUB', 0, 'ONE_TIME', true, p.code, p.title, 30, greatest(p.email_quota, %(records)s), '', 0, 0, 0,
    %(now)s - interval '70 days' + k * interval '30 days', %(now)s, %(now)s, 0
    FROM users u, plans p, generate_series(0, %(periods)s - 1) k WHERE p.code = 'PRO_MONTHLY'
    ORDER BY k, u.id"""
_PERIODS = """
    INSERT INTO purchased_plans (user_id, subscription_id, payment_id, plan_id, plan_code, plan_title,
    starts_at, ends_at, email_quota, emails_used, created_at)
    SELECT p.user_id, s.id, p.id, p.plan_id, p.plan_code, p.plan_title, p.created_at,
    p.created_at + interval '30 days', p.email_quota, 0, p.created_at
    FROM payments p JOIN subscriptions s ON s.user_id = p.user_id ORDER BY p.id"""
_RECORDS = """
    INSERT INTO usage_records (user_id, purchased_plan_id, quantity, idempotency_key, emails_left, created_at)
    SELECT pp.user_id, pp.id, 1, 'campaign-' || pp.id || '-' || n, pp.email_quota - n, pp.starts_at
    FROM purchased_plans pp JOIN users u ON u.id = pp.user_id, LATERAL generate_series(
        1, CASE WHEN u.email = %(largest)s THEN %(of_the_largest)s ELSE %(of_others)s END) n
    ORDER BY n, pp.id"""
_COUNTERS = """
    UPDATE purchased_plans pp SET emails_used = r.used
    FROM (SELECT purchased_plan_id, sum(quantity) AS used FROM usage_records GROUP BY purchased_plan_id) r
    WHERE r.purchased_plan_id = pp.id"""


def fill(connection: psycopg.Connection[Any], size: Size, now: datetime) -> int:
    """Write the customers into a shop that has plans and nobody; the number of usage records there are then.

    Every law of the data holds afterwards: counters are the sums of their records.
    """
    values = {
        "now": now,
        "customers": size.customers,
        "records": size.records,
        "periods": PERIODS,
        "largest": email(1),
        "of_the_largest": size.of_the_largest,
        "of_others": size.of_others,
    }
    connection.autocommit = True
    with connection.transaction():
        # A million foreign keys need not be looked up: all of them are copied from the rows they point at.
        connection.execute("SET LOCAL session_replication_role = replica")
        for statement in (_CUSTOMERS, _SUBSCRIPTIONS, _PAYMENTS, _PERIODS, _RECORDS, _COUNTERS):
            connection.execute(statement, values)
    # What autovacuum would have done while the shop grew.
    connection.execute("VACUUM ANALYZE")
    found = connection.execute("SELECT count(*) FROM usage_records").fetchone()
    assert found is not None
    return int(found[0])


def walks(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """How often each large table was read from end to end so far, our own filling included."""
    # A session tells of itself a second later, unless it is asked to.
    connection.execute("SELECT pg_stat_force_next_flush()")
    found = connection.execute(
        "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname = ANY(%s)", (list(LARGE),)
    )
    return {str(name): int(scans) for name, scans in found}
