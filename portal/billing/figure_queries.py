"""What each figure counts, as SQL over the rows of a stretch of time: from ``:since`` up to ``:until``.

Every query gives day (on the clock of ``:zone``), gateway, mode, test or live, purpose, plan, name, detail, a
number and a sum. The names:

``created``   payments begun that day, by their present state
``orders``    orders of that day, by how they ended: first, later, declined, abandoned, open
``declined``  refused attempts of that day, by the gateway's code
``captured``  money taken that day; ``refunded``  money sent back that day, by who wanted it
``fee``       the same payments by what the gateways keep of them: its sum where it is known; where it is
              unknown yet, the sum of those payments
``began``, ``ended``  paid periods, their sum being what they are worth in 30 days
``came``, ``lost``    customers who have a plan from then on (new, returned), or none
``renewals``  periods that ended that day under an agreement to renew, by what became of it
"""

from __future__ import annotations

from portal.models import FigureFamily

#: Codes of what no bank has refused: the order ran out, was replaced, or never arrived.
ABANDONED = ("expired", "expired_on_confirmation", "superseded", "not_created")
#: What a due renewal may still become by itself.
UNDECIDED = ("held", "open", "unexplained")

_DIMENSIONS = "gateway, billing_mode, test_mode, purpose, plan_code"
_REFUSED = f"status = 'failed' AND coalesce(failure_code, '') NOT IN {ABANDONED}"

_PAYMENTS = f"""
WITH made AS MATERIALIZED (
    SELECT * FROM payments WHERE created_at >= :since AND created_at < :until
), facts AS (
    SELECT created_at AS at, {_DIMENSIONS}, 'created' AS name, status::text AS detail, amount FROM made
    UNION ALL
    SELECT created_at, {_DIMENSIONS}, 'declined', coalesce(failure_code, 'unknown'), amount FROM made
    WHERE {_REFUSED} AND purpose IN ('purchase', 'change', 'renewal')
    UNION ALL
    SELECT created_at, {_DIMENSIONS}, 'orders', CASE
        WHEN status = 'succeeded' AND refused_at IS NULL THEN 'first'
        WHEN status = 'succeeded' THEN 'later'
        WHEN {_REFUSED} THEN 'declined'
        WHEN status = 'failed' OR superseded_at IS NOT NULL THEN 'abandoned'
        ELSE 'open' END, amount
    FROM made WHERE purpose IN ('purchase', 'change')
    UNION ALL
    SELECT m.created_at, {_DIMENSIONS}, 'orders', CASE
        WHEN status = 'succeeded' AND refused_at IS NULL THEN 'first'
        WHEN status = 'succeeded' OR tries.paid THEN 'later'
        WHEN tries.open THEN 'open'
        WHEN tries.declined THEN 'declined'
        ELSE 'abandoned' END, amount
    FROM made m LEFT JOIN LATERAL (
        SELECT bool_or(status = 'succeeded') AS paid, bool_or({_REFUSED}) AS declined,
        bool_or(status IN ('pending', 'authorized', 'unknown')) AS open
        FROM payments a WHERE a.subscription_id = m.subscription_id AND a.period_start = m.period_start
        AND a.purpose = 'renewal'
    ) tries ON m.status <> 'succeeded' WHERE m.purpose = 'renewal' AND m.attempt = 1
    UNION ALL
    SELECT paid_at, {_DIMENSIONS}, 'captured', '', amount FROM payments
    WHERE paid_at >= :since AND paid_at < :until AND status = 'succeeded'
    UNION ALL
    SELECT paid_at, {_DIMENSIONS}, 'fee', CASE WHEN fee IS NULL THEN 'unknown' ELSE 'known' END,
    coalesce(fee, amount) FROM payments
    WHERE paid_at >= :since AND paid_at < :until AND status = 'succeeded'
    UNION ALL
    SELECT r.finished_at, p.gateway, p.billing_mode, p.test_mode, p.purpose, p.plan_code, 'refunded',
    r.source, r.amount FROM refunds r JOIN payments p ON p.id = r.payment_id
    WHERE r.finished_at >= :since AND r.finished_at < :until AND r.status = 'succeeded'
)"""

# What the payment p brings in 30 days.
_WORTH = "round((p.amount + p.credit) * 30 / greatest(p.period_days, 1), 2)"
# A period that was taken back before it began was never there.
_COUNTS = "LEAST({0}.ends_at, {0}.revoked_at) > {0}.starts_at"
# Each use says a second time that the other ends later: that is what the index by customer and end is asked.
_OTHERS = f"""
    SELECT FROM purchased_plans q WHERE q.user_id = s.user_id AND q.id <> s.id AND {_COUNTS.format("q")}"""

_PERIODS = f"""
WITH begun AS (
    SELECT s.*, s.starts_at AS at FROM purchased_plans s
    WHERE s.starts_at >= :since AND s.starts_at < :until AND {_COUNTS.format("s")}
), over AS (
    SELECT s.*, LEAST(s.ends_at, s.revoked_at) AS at FROM purchased_plans s
    WHERE LEAST(s.ends_at, s.revoked_at) >= :since AND LEAST(s.ends_at, s.revoked_at) < :until
    AND {_COUNTS.format("s")}
), events AS (
    SELECT at, payment_id, 'began' AS name, '' AS detail FROM begun
    UNION ALL SELECT at, payment_id, 'ended', coalesce(revoked_because, '') FROM over
    UNION ALL
    SELECT at, payment_id, 'came', CASE WHEN EXISTS (
        SELECT FROM purchased_plans e WHERE e.user_id = s.user_id AND e.id < s.id
    ) THEN 'returned' ELSE 'new' END
    FROM begun s WHERE NOT EXISTS ({_OTHERS} AND (q.starts_at, q.id) < (s.starts_at, s.id)
        AND q.ends_at >= s.at AND LEAST(q.ends_at, q.revoked_at) >= s.at)
    UNION ALL
    SELECT at, payment_id, 'lost', coalesce(revoked_because, '') FROM over s
    WHERE NOT EXISTS ({_OTHERS} AND q.ends_at >= s.at AND q.starts_at <= s.at
        AND (LEAST(q.ends_at, q.revoked_at), q.id) > (s.at, s.id))
), facts AS (
    SELECT e.at, {_DIMENSIONS}, e.name, e.detail, {_WORTH} AS amount
    FROM events e JOIN payments p ON p.id = e.payment_id
)"""

_RENEWALS = f"""
WITH over AS (
    SELECT s.*, s.ends_at AS at FROM purchased_plans s
    WHERE LEAST(s.ends_at, s.revoked_at) >= :since AND LEAST(s.ends_at, s.revoked_at) < :until
    AND {_COUNTS.format("s")} AND (s.revoked_at IS NULL OR s.revoked_at > s.ends_at)
), agreed AS (
    SELECT s.*, c.amount AS due, c.withdrawn_at, c.withdrawn_because FROM over s CROSS JOIN LATERAL (
        SELECT c.amount, c.withdrawn_at, c.withdrawn_because FROM consents c
        LEFT JOIN payments o ON o.id = c.payment_id
        WHERE c.user_id = s.user_id AND c.given_at < s.ends_at
        AND (c.withdrawn_at IS NULL OR c.withdrawn_at > s.starts_at)
        AND coalesce(c.withdrawn_because, '') <> 'not_saved'
        AND (c.payment_id IS NULL OR (o.status = 'succeeded' AND o.paid_at < s.ends_at))
        ORDER BY c.withdrawn_at DESC NULLS FIRST, c.id DESC LIMIT 1) c
), tried AS (
    SELECT a.*, tries.* FROM agreed a CROSS JOIN LATERAL (
        SELECT bool_or(status = 'succeeded') AS paid, bool_or({_REFUSED}) AS refused,
        bool_or(status IN ('pending', 'authorized', 'unknown')) AS trying
        FROM payments p WHERE p.subscription_id = a.subscription_id AND p.period_start = a.ends_at
        AND p.purpose = 'renewal') tries
), facts AS (
    SELECT s.at, p.gateway, p.billing_mode, p.test_mode, p.purpose, p.plan_code, 'renewals' AS name, CASE
        WHEN s.paid THEN 'charged'
        WHEN EXISTS (
            {_OTHERS} AND q.ends_at > s.at AND q.starts_at <= s.at
            AND LEAST(q.ends_at, q.revoked_at) > s.at) THEN 'otherwise'
        WHEN s.refused THEN 'refused'
        WHEN s.withdrawn_because IN ('stopped', 'unlinked', 'canceled', 'refunded', 'replaced')
            OR s.withdrawn_at <= s.at THEN 'stopped'
        WHEN live.held_since IS NOT NULL THEN 'held'
        WHEN s.trying OR live.charge_look_at >= :now - interval '2 hours' THEN 'open'
        ELSE 'unexplained' END AS detail, s.due AS amount, s.subscription_id
    FROM tried s JOIN payments p ON p.id = s.payment_id
    LEFT JOIN subscriptions live ON live.id = s.subscription_id AND live.status IN ('active', 'past_due')
)"""

_ADDED_UP = f"""
SELECT (at AT TIME ZONE :zone)::date AS day, {_DIMENSIONS}, name, detail, count(*) AS n, sum(amount) AS amount
FROM facts GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"""

#: The paid periods that run at :moment, a line for each kind: as many as have begun before it and not ended.
RUNNING = f"""
SELECT {_DIMENSIONS}, 'began' AS name, count(*) AS n, sum({_WORTH}) AS amount
FROM (
    SELECT payment_id FROM purchased_plans s
    WHERE s.starts_at < :moment AND LEAST(s.ends_at, s.revoked_at) >= :moment
) running JOIN payments p ON p.id = running.payment_id GROUP BY {_DIMENSIONS}"""
#: The figures of a family, a line for each day and kind.
FIGURES = {
    FigureFamily.PAYMENTS: _PAYMENTS + _ADDED_UP,
    FigureFamily.PERIODS: _PERIODS + _ADDED_UP,
    FigureFamily.RENEWALS: _RENEWALS + _ADDED_UP,
}
#: Renewals that nothing explains, the latest first.
UNEXPLAINED = f"""{_RENEWALS}
SELECT subscription_id, at, amount, {_DIMENSIONS} FROM facts WHERE detail = 'unexplained'
ORDER BY at DESC, subscription_id LIMIT :most"""
