"""A shop with a million payments of two years, written by the database itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg import sql

#: Payments in a row of each customer, 30 days apart.
EACH = 25

_CUSTOMERS = """
    INSERT INTO users (public_id, email, password_hash, is_demo, created_at)
    SELECT gen_random_uuid()::text, 'payer-' || n || '@example.com', 'x', false, %(now)s
    FROM generate_series(1, %(customers)s) n"""
_PAYERS = """
    CREATE TEMPORARY TABLE payers AS
    SELECT id, row_number() OVER (ORDER BY id) AS n FROM users WHERE email LIKE 'payer-%%'"""
_METHODS = """
    INSERT INTO payment_methods (user_id, gateway, kind, title, last4, fingerprint, created_at, preferred_at,
    detached_at)
    SELECT id, CASE WHEN n %% 3 = 0 THEN 'yookassa' ELSE 'cloudpayments' END, 'card',
    'Visa •• ' || lpad((n %% 10000)::text, 4, '0'), lpad((n %% 10000)::text, 4, '0'), id::text,
    %(now)s, %(now)s, %(now)s
    FROM payers"""
_SUBSCRIPTIONS = """
    INSERT INTO subscriptions (user_id, plan_id, status, current_period_start, current_period_end, auto_renew,
    created_at)
    SELECT u.id, p.id, 'active', %(now)s - interval '747 days', %(now)s, false, %(now)s - interval '747 days'
    FROM payers u
    JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS k FROM plans LIMIT 3) p ON p.k = u.n %% 3"""
_CONSENTS = """
    INSERT INTO consents (user_id, text_version, text, amount, currency, period_days, plan_id, plan_code,
    plan_title, email_quota, address, user_agent, given_at)
    SELECT s.user_id, '1', '', 990, 'RUB', 30, p.id, p.code, p.title, p.email_quota, '', '', s.created_at
    FROM subscriptions s JOIN payers u ON u.id = s.user_id JOIN plans p ON p.id = s.plan_id"""
# Every fifteenth attempt at a renewal is refused, and the next one a day later goes through. What the gateway
# keeps of every fiftieth payment is not known yet.
_PAYMENTS = """
    INSERT INTO payments (transaction_id, user_id, plan_id, gateway, gateway_payment_id, purpose, status,
    amount, currency, refunded_amount, billing_mode, test_mode, plan_code, plan_title, period_days,
    email_quota, description, attempt, subscription_id, period_start, payment_method_id, consent_id, credit,
    replaced_emails_used, failure_code, failed_at, refused_at, created_at, expires_at, paid_at, fee,
    method_title, checks)
    SELECT gen_random_uuid()::text, u.id, p.id, m.gateway,
    CASE WHEN taken THEN u.id || '-' || k || '-' || try END,
    CASE WHEN k = 0 THEN 'purchase' ELSE 'renewal' END, CASE WHEN taken THEN 'succeeded' ELSE 'failed' END,
    p.price - p.discount, 'RUB', 0, 'RECURRING', %(test)s, p.code, p.title, 30, p.email_quota, '',
    CASE WHEN k = 0 THEN 0 ELSE try END, CASE WHEN k > 0 THEN s.id END, CASE WHEN k > 0 THEN begins END,
    CASE WHEN k > 0 THEN m.id END, CASE WHEN k > 0 THEN c.id END, 0, 0,
    CASE WHEN NOT taken THEN (ARRAY['5051', '5054', '5091'])[1 + k %% 3] END,
    CASE WHEN NOT taken THEN called END, CASE WHEN NOT taken THEN called END, called, called,
    CASE WHEN taken THEN called END,
    CASE WHEN taken AND (u.n + k) %% 50 > 0 THEN round((p.price - p.discount) * 0.039, 2) END,
    m.title, 0
    FROM payers u JOIN subscriptions s ON s.user_id = u.id JOIN plans p ON p.id = s.plan_id
    JOIN payment_methods m ON m.user_id = u.id JOIN consents c ON c.user_id = u.id,
    generate_series(0, %(each)s - 1) k,
    LATERAL (SELECT CASE WHEN k > 0 AND (u.n + k) %% 15 = 0 THEN 2 ELSE 1 END AS tries) t,
    LATERAL generate_series(1, t.tries) try,
    LATERAL (SELECT %(now)s - interval '747 days' + k * interval '30 days'
        + (u.n * 7919 %% 43200) * interval '1 minute' AS begins, try = t.tries AS taken) b,
    LATERAL (SELECT least(begins - CASE WHEN k > 0 THEN interval '3 days' ELSE interval '0' END
        + (try - 1) * interval '1 day', %(now)s) AS called) w
    ORDER BY called"""
_PERIODS = """
    INSERT INTO purchased_plans (user_id, subscription_id, payment_id, plan_id, plan_code, plan_title,
    starts_at, ends_at, email_quota, emails_used, created_at)
    SELECT p.user_id, s.id, p.id, p.plan_id, p.plan_code, p.plan_title,
    coalesce(p.period_start, p.created_at),
    coalesce(p.period_start, p.created_at) + interval '30 days', p.email_quota, 0, p.created_at
    FROM payments p JOIN payers u ON u.id = p.user_id JOIN subscriptions s ON s.user_id = p.user_id
    WHERE p.status = 'succeeded' ORDER BY p.id"""
_ENDS = """
    UPDATE subscriptions s SET current_period_end = e.ends_at, look_at = e.ends_at
    FROM (SELECT subscription_id, max(ends_at) AS ends_at FROM purchased_plans GROUP BY 1) e, payers u
    WHERE e.subscription_id = s.id AND u.id = s.user_id"""
_REFUNDS = """
    INSERT INTO refunds (payment_id, gateway, key, amount, currency, status, source, reason, created_at,
    finished_at, checks)
    SELECT p.id, p.gateway, gen_random_uuid()::text, 100, 'RUB', 'succeeded', 'customer', '', p.paid_at,
    least(p.paid_at + interval '1 day', %(now)s), 0
    FROM payments p JOIN payers u ON u.id = p.user_id WHERE p.status = 'succeeded' AND p.id %% 100 = 0"""
_BOOKED = """
    UPDATE payments p SET refunded_amount = r.amount FROM refunds r WHERE r.payment_id = p.id"""
#: What is written, and where: the next statement reads it, so the planner is told what there is now.
_STEPS = (
    (_CUSTOMERS, "users"),
    (_PAYERS, "payers"),
    (_METHODS, "payment_methods"),
    (_SUBSCRIPTIONS, "subscriptions"),
    (_CONSENTS, "consents"),
    (_PAYMENTS, "payments"),
    (_PERIODS, "purchased_plans"),
    (_ENDS, "subscriptions"),
    (_REFUNDS, "refunds"),
    (_BOOKED, "payments"),
)
_EMPTIED = ("figure_days", "daily_figures")


def fill(connection: psycopg.Connection[Any], payments: int, now: datetime, *, test: bool = True) -> int:
    """Write customers whose payments are about so many; the number of all payments there are then.

    They pay month after month for two years, so that one lies behind the other as they would.
    """
    values = {"now": now, "test": test, "customers": max(1, payments // EACH), "each": EACH}
    connection.autocommit = True
    with connection.transaction():
        # What is copied from the rows it points at need not be looked up.
        connection.execute("SET LOCAL session_replication_role = replica")
        for statement, table in _STEPS:
            connection.execute(statement, values)
            connection.execute(_told("ANALYZE", table))
        # The triggers that would have opened the closed days again rest too.
        for table in _EMPTIED:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    # The payers are a temporary table, which nobody reads any more and which ends with this connection.
    lasting = sorted({table for _, table in _STEPS} - {"payers"})
    connection.execute(_told("VACUUM ANALYZE", *lasting, *_EMPTIED))
    found = connection.execute("SELECT count(*) FROM payments").fetchone()
    assert found is not None
    return int(found[0])


def _told(verb: LiteralString, *tables: str) -> sql.Composed:
    return sql.SQL(verb + " {}").format(sql.SQL(", ").join(map(sql.Identifier, tables)))
