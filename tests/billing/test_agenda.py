"""The calendar of a subscription: month ends, leap days, year ends, midnight here and there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.billing import agenda
from portal.web import filters

DAY = timedelta(days=1)
MOSCOW = ZoneInfo("Europe/Moscow")

START = datetime(2023, 1, 1, tzinfo=UTC)

moments = st.integers(0, 10 * 366 * 86400).map(lambda second: START + timedelta(seconds=second))
lengths = st.sampled_from((1, 7, 28, 29, 30, 31, 365, 366))


@given(moments, lengths, st.integers(0, 60))
def test_a_charge_falls_inside_its_period(start: datetime, days: int, before: int) -> None:
    """Never before half of the period has passed, never at or after its end, and as early as was set
    wherever the period is long enough.
    """
    end = start + days * DAY
    charge = agenda.charge_moment(start, end, before)
    assert start + (end - start) / 2 <= charge < end
    if before and 2 * before <= days:
        assert charge == end - before * DAY


@given(moments, lengths, st.integers(1, 40))
def test_periods_follow_each_other_without_drift(start: datetime, days: int, times: int) -> None:
    """However many renewals follow, the end is the start and so many whole periods: no month is lost or won
    at a month's end, a leap day or midnight.
    """
    end = start
    for _ in range(times):
        end += days * DAY
        assert agenda.charge_moment(end - days * DAY, end, 3) < end
    assert end - start == times * days * DAY
    assert (end.hour, end.minute, end.second) == (start.hour, start.minute, start.second)


@pytest.mark.parametrize(
    ("start", "days", "end"),
    (
        ("2027-01-31T12:00+00:00", 30, "2027-03-02T12:00+00:00"),
        ("2028-01-31T12:00+00:00", 30, "2028-03-01T12:00+00:00"),  # a leap year's February in between
        ("2028-02-29T00:00+00:00", 365, "2029-02-28T00:00+00:00"),
        ("2027-02-28T23:59:59+00:00", 365, "2028-02-28T23:59:59+00:00"),
        ("2026-12-31T23:30+00:00", 30, "2027-01-30T23:30+00:00"),
        ("2026-12-31T21:00+00:00", 1, "2027-01-01T21:00+00:00"),  # midnight in Moscow, the new year's
        ("2026-03-29T00:59:59+00:00", 1, "2026-03-30T00:59:59+00:00"),  # clocks change elsewhere
    ),
)
def test_known_days(start: str, days: int, end: str) -> None:
    """A period is so many times 24 hours, whatever the calendar says in between."""
    begins, ends = datetime.fromisoformat(start), datetime.fromisoformat(end)
    assert begins + days * DAY == ends
    assert agenda.charge_moment(begins, ends, 3) == ends - min(3 * DAY, days * DAY / 2)


@given(st.integers(2024, 2040), st.integers(1, 12))
def test_a_card_is_good_to_the_end_of_its_month(year: int, month: int) -> None:
    """The first moment without it is the first of the month after, the leap February's too."""
    runs_out = agenda.card_runs_out(SimpleNamespace(expiry_year=year, expiry_month=month))
    assert runs_out == datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("year", "month"), ((None, None), (2030, None), (None, 4), (2030, 0), (2030, 13)))
def test_what_has_no_such_date_never_runs_out(year: int | None, month: int | None) -> None:
    """SBP and wallets have no expiry, and a nonsensical one is none."""
    assert agenda.card_runs_out(SimpleNamespace(expiry_year=year, expiry_month=month)) is None


def test_midnight_is_the_reader_s(context: object) -> None:
    """Half past nine in the evening by UTC is the next day in Moscow, and letters say so."""
    late = datetime(2026, 12, 31, 21, 30, tzinfo=UTC)
    assert filters.day(late).replace("\xa0", " ") == "1 января 2027"
    assert late.astimezone(MOSCOW).date().isoformat() == "2027-01-01"
