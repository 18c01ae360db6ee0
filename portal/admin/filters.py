"""What lists of the desk are narrowed by. Each stands in the list's form under a key that addresses carry:
``/admin/payments/?flt0_status=failed``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from flask_admin.contrib.sqla.filters import BaseSQLAFilter
from sqlalchemy import and_, or_, select

from portal import running
from portal.admin.words import word
from portal.models import GatewayName, User

_LONGEST = 254


class Narrowing(BaseSQLAFilter):
    """One field of the form above a list. *kind* is the input's: text, select, date."""

    kind = "text"

    def __init__(self, key: str, column: Any, name: str, options: Any = None) -> None:
        """*key* is its name in addresses, *name* its label."""
        super().__init__(column, name, options)
        self.key_name = key

    def operation(self) -> str:
        """Nothing to choose: one field does one thing."""
        return ""

    def validate(self, value: str) -> bool:
        """What cannot be meant narrows nothing."""
        return 0 < len(value.strip()) <= _LONGEST and value.isprintable()

    def clean(self, value: str) -> Any:
        """The text as it is compared."""
        return value.strip()

    def apply(self, query: Any, value: Any, _alias: Any = None) -> Any:
        """The rows that fit."""
        return query.where(self.condition(value))

    def condition(self, value: Any) -> Any:
        """What must hold for a row."""
        return self.column == value


class Exactly(Narrowing):
    """A text that is known whole: an id of either side, a code; in any of several columns."""

    def __init__(self, key: str, columns: Iterable[Any], name: str) -> None:
        """Any of *columns* may hold it."""
        self._columns = tuple(columns)
        super().__init__(key, self._columns[0], name)

    def condition(self, value: Any) -> Any:
        """One of the columns is it."""
        return or_(*(column == value for column in self._columns))


class EitherId(Narrowing):
    """A gateway's id, or ours, known whole. Theirs is unique at each gateway, and found by that index."""

    def __init__(self, key: str, column: Any, name: str, ours: Any = None) -> None:
        """*column* holds the gateway's, *ours* our own."""
        self._ours = ours
        super().__init__(key, column, name)

    def condition(self, value: Any) -> Any:
        """Either is it."""
        theirs = and_(self.column.class_.gateway.in_(list(GatewayName)), self.column == value)
        return theirs if self._ours is None else or_(self._ours == value, theirs)


class Contains(Narrowing):
    """A part of a text."""

    def condition(self, value: Any) -> Any:
        """Upper and lower case alike; no signs of a pattern."""
        return self.column.icontains(value, autoescape=True)


class OneOf(Narrowing):
    """A word out of a few."""

    kind = "select"

    def __init__(
        self, key: str, column: Any, name: str, words: type[StrEnum] | Iterable[tuple[str, str]]
    ) -> None:
        """*words* is an enumeration whose words have labels, or pairs of value and label."""
        pairs = [(one.value, word(one).text) for one in words] if isinstance(words, type) else list(words)
        super().__init__(key, column, name, pairs)

    def validate(self, value: str) -> bool:
        """Only what is offered."""
        return any(value == one for one, _ in self.options)


class YesNo(Narrowing):
    """Whether something is so: by a condition."""

    kind = "select"

    def __init__(self, key: str, condition: Any, name: str) -> None:
        """*condition* is what holds for the rows of "yes"."""
        self._condition = condition
        super().__init__(key, condition, name, [("1", "Да"), ("0", "Нет")])

    def validate(self, value: str) -> bool:
        """Yes or no."""
        return value in {"0", "1"}

    def condition(self, value: Any) -> Any:
        """So, or not so (nor unknown)."""
        return self._condition if value == "1" else ~self._condition


class Customer(Narrowing):
    """By the customer's address, or a part of it; *column* holds the customer's number."""

    def condition(self, value: Any) -> Any:
        """Looked up first, so that the list's own index by customer serves."""
        return self.column.in_(customers_like(value))


def customers_like(value: str) -> Any:
    """The query for the numbers of customers with this in their address."""
    return select(User.id).where(User.email.contains(value.lower(), autoescape=True))


class Address(Narrowing):
    """A part of an address; addresses are kept in lower case, and found by their parts' index."""

    def condition(self, value: Any) -> Any:
        """No signs of a pattern."""
        return self.column.contains(value.lower(), autoescape=True)


class Day(Narrowing):
    """A day on the shop's clock."""

    kind = "date"

    def validate(self, value: str) -> bool:
        """A date as browsers write it, with a day after it."""
        try:
            return 1900 < date.fromisoformat(value).year < 9999
        except ValueError:
            return False

    def clean(self, value: str) -> datetime:
        """The day's first moment on the shop's clock."""
        return datetime.combine(date.fromisoformat(value), time(), ZoneInfo(running.config().tz_display))


class Since(Day):
    """From this day on."""

    def condition(self, value: Any) -> Any:
        """Its first moment counts."""
        return self.column >= value


class Until(Day):
    """Up to this day."""

    def condition(self, value: Any) -> Any:
        """Its last moment counts."""
        return self.column < value + timedelta(days=1)
