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

from collections.abc import Iterable

from portal.models import FigureFamily

#: Codes of what no bank has refused: the order ran out, was replaced, or never arrived.
ABANDONED = ("expired", "expired_on_confirmation", "superseded", "not_created")
#: What a due renewal may still become by itself.
UNDECIDED = ("held", "open", "unexplained")

_DIMENSIONS = "gateway, billing_mode, test_mode, purpose, plan_code"
_REFUSED = f"status = 'failed' AND coalesce(failure_code, '') NOT IN {ABANDONED}"

_SUMMED_UP = f"""SELECT day, {_DIMENSIONS}, name, detail, sum(n)::int AS n, sum(amount) AS amount
FROM facts GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"""

# Each payment is read once for the day it was begun on and once for the day it was paid on; what is told
# apart below are the few kinds that there are of them.
_PAYMENTS = f"""
WITH made AS MATERIALIZED (
    SELECT (created_at AT TIME ZONE :zone)::date AS day, {_DIMENSIONS}, status, failure_code,
    attempt = 1 AS is_first, refused_at IS NULL AS never_refused, superseded_at IS NOT NULL AS set_aside,
    count(*) AS n, sum(amount) AS amount
    FROM payments WHERE created_at >= :since AND created_at < :until
    GROUP BY 1, {_DIMENSIONS}, status, failure_code, is_first, never_refused, set_aside
), paid AS MATERIALIZED (
    SELECT (paid_at AT TIME ZONE :zone)::date AS day, {_DIMENSIONS}, fee IS NOT NULL AS is_known,
    count(*) AS n, sum(amount) AS amount, sum(fee) AS fee
    FROM payments WHERE paid_at >= :since AND paid_at < :until AND status = 'succeeded'
    GROUP BY 1, {_DIMENSIONS}, is_known
), facts AS (
    SELECT day, {_DIMENSIONS}, 'created' AS name, status::text AS detail, n, amount FROM made
    UNION ALL
    SELECT day, {_DIMENSIONS}, 'declined', coalesce(failure_code, 'unknown'), n, amount FROM made
    WHERE {_REFUSED} AND purpose IN ('purchase', 'change', 'renewal')
    UNION ALL
    SELECT day, {_DIMENSIONS}, 'orders', CASE
        WHEN status = 'succeeded' AND never_refused THEN 'first'
        WHEN status = 'succeeded' THEN 'later'
        WHEN {_REFUSED} THEN 'declined'
        WHEN status = 'failed' OR set_aside THEN 'abandoned'
        ELSE 'open' END, n, amount
    FROM made WHERE purpose IN ('purchase', 'change') OR (purpose = 'renewal' AND is_first
        AND status = 'succeeded')
    UNION ALL
    SELECT (m.created_at AT TIME ZONE :zone)::date, {_DIMENSIONS}, 'orders', CASE
        WHEN tries.paid THEN 'later'
        WHEN tries.open THEN 'open'
        WHEN tries.declined THEN 'declined'
        ELSE 'abandoned' END, 1, amount
    FROM payments m CROSS JOIN LATERAL (
        SELECT bool_or(status = 'succeeded') AS paid, bool_or({_REFUSED}) AS declined,
        bool_or(status IN ('pending', 'authorized', 'unknown')) AS open
        FROM payments a WHERE a.subscription_id = m.subscription_id AND a.period_start = m.period_start
        AND a.purpose = 'renewal'
    ) tries WHERE m.created_at >= :since AND m.created_at < :until AND m.purpose = 'renewal'
    AND m.attempt = 1 AND m.status <> 'succeeded'
    UNION ALL
    SELECT day, {_DIMENSIONS}, 'captured', '', n, amount FROM paid
    UNION ALL
    SELECT day, {_DIMENSIONS}, 'fee', CASE WHEN is_known THEN 'known' ELSE 'unknown' END, n,
    coalesce(fee, amount) FROM paid
    UNION ALL
    SELECT (r.finished_at AT TIME ZONE :zone)::date, p.gateway, p.billing_mode, p.test_mode, p.purpose,
    p.plan_code, 'refunded', r.source, 1, r.amount FROM refunds r JOIN payments p ON p.id = r.payment_id
    WHERE r.finished_at >= :since AND r.finished_at < :until AND r.status = 'succeeded'
)
{_SUMMED_UP}"""

# What the payment p brings in 30 days.
_WORTH = "round((p.amount + p.credit) * 30 / greatest(p.period_days, 1), 2)"
# A period that was taken back before it began was never there.
_COUNTS = "LEAST({0}.ends_at, {0}.revoked_at) > {0}.starts_at"
# Each use says a second time that the other ends later: that is what the index by customer and end is asked.
_OTHERS = f"""
    SELECT FROM purchased_plans q WHERE q.user_id = s.user_id AND q.id <> s.id AND {_COUNTS.format("q")}"""

# One look at each period and its payment for its beginning and one for its end; the figures come of the few
# kinds of each.
_PERIODS = f"""
WITH begun AS MATERIALIZED (
    SELECT (s.starts_at AT TIME ZONE :zone)::date AS day, {_DIMENSIONS}, coming, count(*) AS n,
    sum({_WORTH}) AS amount
    FROM (
        SELECT s.starts_at, s.payment_id, CASE
            WHEN EXISTS ({_OTHERS} AND (q.starts_at, q.id) < (s.starts_at, s.id)
                AND q.ends_at >= s.starts_at AND LEAST(q.ends_at, q.revoked_at) >= s.starts_at) THEN NULL
            WHEN EXISTS (SELECT FROM purchased_plans e WHERE e.user_id = s.user_id AND e.id < s.id)
            THEN 'returned' ELSE 'new' END AS coming
        FROM purchased_plans s
        WHERE s.starts_at >= :since AND s.starts_at < :until AND {_COUNTS.format("s")}
    ) s JOIN payments p ON p.id = s.payment_id GROUP BY 1, {_DIMENSIONS}, coming
), over AS MATERIALIZED (
    SELECT (s.at AT TIME ZONE :zone)::date AS day, {_DIMENSIONS}, because, lost, count(*) AS n,
    sum({_WORTH}) AS amount
    FROM (
        SELECT s.at, s.payment_id, coalesce(s.revoked_because, '') AS because,
        NOT EXISTS ({_OTHERS} AND q.ends_at >= s.at AND q.starts_at <= s.at
            AND (LEAST(q.ends_at, q.revoked_at), q.id) > (s.at, s.id)) AS lost
        FROM (
            SELECT *, LEAST(ends_at, revoked_at) AS at FROM purchased_plans s
            WHERE LEAST(ends_at, revoked_at) >= :since AND LEAST(ends_at, revoked_at) < :until
            AND {_COUNTS.format("s")}
        ) s
    ) s JOIN payments p ON p.id = s.payment_id GROUP BY 1, {_DIMENSIONS}, because, lost
), facts AS (
    SELECT day, {_DIMENSIONS}, 'began' AS name, '' AS detail, n, amount FROM begun
    UNION ALL SELECT day, {_DIMENSIONS}, 'came', coming, n, amount FROM begun WHERE coming IS NOT NULL
    UNION ALL SELECT day, {_DIMENSIONS}, 'ended', because, n, amount FROM over
    UNION ALL SELECT day, {_DIMENSIONS}, 'lost', because, n, amount FROM over WHERE lost
)
{_SUMMED_UP}"""

# Looked at for the few renewals that nothing else explains.
_LIVE = """SELECT FROM subscriptions live WHERE live.id = s.subscription_id
    AND live.status IN ('active', 'past_due')"""

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
        WHEN EXISTS ({_LIVE} AND live.held_since IS NOT NULL) THEN 'held'
        WHEN s.trying OR EXISTS ({_LIVE} AND live.charge_look_at >= :now - interval '2 hours') THEN 'open'
        ELSE 'unexplained' END AS detail, s.due AS amount, s.subscription_id
    FROM tried s JOIN payments p ON p.id = s.payment_id
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
_ASKED = """zone = :zone AND test_mode = :test AND day <> ALL(CAST(:touched AS date[]))
    AND (CAST(:gateway AS varchar) IS NULL OR gateway = :gateway)
    AND (CAST(:mode AS varchar) IS NULL OR billing_mode = :mode)"""
#: What was added up of a window, by its parts; and without a day what had begun and ended before it.
STORED = f"""
SELECT date_trunc(:unit, day::timestamp)::date AS day, gateway, purpose, plan_code, name, detail,
sum(n)::int AS n, sum(amount) AS amount
FROM daily_figures WHERE {_ASKED} AND family = ANY(CAST(:families AS varchar[]))
AND day BETWEEN :since AND :until
AND (CAST(:names AS varchar[]) IS NULL OR name = ANY(CAST(:names AS varchar[])))
GROUP BY 1, 2, 3, 4, 5, 6
UNION ALL
SELECT NULL, gateway, purpose, plan_code, name, '', sum(n)::int, sum(amount)
FROM daily_figures WHERE {_ASKED} AND family = 'periods' AND 'periods' = ANY(CAST(:families AS varchar[]))
AND day < :since AND name IN ('began', 'ended')
GROUP BY 2, 3, 4, 5"""
#: The figures of a family, a line for each day and kind.
FIGURES = {
    FigureFamily.PAYMENTS: _PAYMENTS,
    FigureFamily.PERIODS: _PERIODS,
    FigureFamily.RENEWALS: _RENEWALS + _ADDED_UP,
}


def together(families: Iterable[FigureFamily]) -> str:
    """The figures of several families in one look, each line with its family."""
    parts = (f"SELECT '{one}' AS family, f.* FROM ({FIGURES[one]}) f" for one in families)
    return " UNION ALL ".join(parts)


#: Days up to :last that are not added up, or were touched since, from the day of the shop's first row on.
OPEN = """
WITH shop AS MATERIALIZED (
    SELECT (least(
        (SELECT min(created_at) FROM payments), (SELECT min(paid_at) FROM payments),
        (SELECT min(finished_at) FROM refunds), (SELECT min(starts_at) FROM purchased_plans),
        (SELECT min(LEAST(ends_at, revoked_at)) FROM purchased_plans)) AT TIME ZONE :zone)::date AS first
)
SELECT family, day, false AS touched FROM (
    SELECT family, day::date FROM shop, unnest(CAST(:families AS varchar[])) AS family,
    generate_series(shop.first::timestamp, CAST(:last AS timestamp), interval '1 day') AS day
    EXCEPT SELECT family, day FROM figure_days WHERE zone = :zone AND day < :today
) AS waiting
UNION ALL
SELECT DISTINCT family, (moment AT TIME ZONE :zone)::date, true
FROM figure_touches, unnest(moments) AS moment, unnest(CAST(:families AS varchar[])) AS family
WHERE (moment AT TIME ZONE :zone)::date <= :last"""
#: How many payments were begun and periods ended, counted back from :until; and where that became too many.
HOW_MANY = """
SELECT count(*) AS n, min(at) AS at FROM (
    SELECT created_at AS at FROM payments WHERE created_at >= :since AND created_at < :until
    ORDER BY created_at DESC LIMIT :most + 1) made
UNION ALL
SELECT count(*), min(at) FROM (
    SELECT LEAST(ends_at, revoked_at) AS at FROM purchased_plans
    WHERE LEAST(ends_at, revoked_at) >= :since AND LEAST(ends_at, revoked_at) < :until
    ORDER BY LEAST(ends_at, revoked_at) DESC LIMIT :most + 1) over"""
#: How many periods end at :moment or later, up to :most.
HOW_MANY_RUN = """
SELECT count(*) FROM (
    SELECT FROM purchased_plans WHERE LEAST(ends_at, revoked_at) >= :moment LIMIT :most) over"""
#: Renewals that nothing explains, the latest first.
UNEXPLAINED = f"""{_RENEWALS}
SELECT subscription_id, at, amount, {_DIMENSIONS} FROM facts WHERE detail = 'unexplained'
ORDER BY at DESC, subscription_id LIMIT :most"""
