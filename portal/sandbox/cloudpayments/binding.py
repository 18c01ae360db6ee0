"""Reading a request the way the gateway does: form or JSON, names in any case, lenient numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from flask import Request

from portal.sandbox.cloudpayments.encoding import JSON

MINIMUM = Decimal("0.01")
_KOPECK = Decimal("0.01")


class BadRequest(Exception):
    """A malformed request: answered with HTTP 200, ``Success: false`` and this message."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Params:
    """The parameters of one call; names are compared without case, as ASP.NET binds them.

    An unknown name is ignored silently, an empty value counts as absent.
    """

    def __init__(self, values: Mapping[str, Any], received: Mapping[str, Any] | None = None) -> None:
        self.received: dict[str, Any] = dict(values if received is None else received)
        self._values = {str(name).lower(): value for name, value in values.items()}

    @classmethod
    def of(cls, request: Request) -> Params:
        """Read a JSON object or a form; raises ``BadRequest`` for JSON that is not an object."""
        if request.mimetype != JSON:
            return cls(request.form.to_dict())
        raw = request.get_data(cache=True)
        if not raw.strip():
            return cls({})
        try:
            exact = json.loads(raw, parse_float=Decimal)
            received = json.loads(raw)
        except ValueError as error:
            raise BadRequest("Request body is not valid JSON") from error
        if not isinstance(exact, dict):
            raise BadRequest("Request body is not a JSON object")
        return cls(exact, received)

    def value(self, name: str) -> Any:
        """Return the value as it came, or ``None`` when it is absent or empty."""
        value = self._values.get(name.lower())
        return None if value is None or value == "" else value

    def text(self, name: str) -> str:
        """Return the value as text, empty when absent; a JSON number is accepted."""
        value = self.value(name)
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if not isinstance(value, (dict, list)) else _dump(value)

    def required(self, name: str) -> str:
        """Return the value as text; raises ``BadRequest`` ("Token is required") when it is absent."""
        text = self.text(name)
        if not text:
            raise BadRequest(f"{name} is required")
        return text

    def amount(self, name: str = "Amount") -> Decimal:
        """Return a sum of at least 0.01 with at most two decimals; raises ``BadRequest`` otherwise."""
        amount = self.amount_or_none(name)
        if amount is None:
            raise BadRequest(f"{name} is required")
        return amount

    def amount_or_none(self, name: str) -> Decimal | None:
        """Return a sum, or ``None`` when it is absent; a value that is no sum is still refused."""
        value = self.value(name)
        if value is None:
            return None
        try:
            exact = Decimal(str(value))
            amount = exact.quantize(_KOPECK)
        except InvalidOperation as error:
            raise BadRequest(f"Invalid {name} value") from error
        if not amount.is_finite() or amount < MINIMUM or amount != exact:
            raise BadRequest(f"Invalid {name} value")
        return amount

    def integer(self, name: str) -> int | None:
        """Return a whole number; a fraction is rounded without an error, as documented."""
        value = self.value(name)
        if value is None:
            return None
        try:
            return int(Decimal(str(value)).quantize(Decimal(1), rounding=ROUND_HALF_UP))
        except InvalidOperation as error:
            raise BadRequest(f"Invalid {name} value") from error

    def required_integer(self, name: str) -> int:
        """Return a whole number; raises ``BadRequest`` when it is absent."""
        number = self.integer(name)
        if number is None:
            raise BadRequest(f"{name} is required")
        return number

    def flag(self, name: str) -> bool | None:
        """Return a boolean written as JSON, ``true``/``false`` or 1/0, or ``None`` when it is absent."""
        value = self.value(name)
        if value is None or isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word not in {"true", "false", "1", "0"}:
            raise BadRequest(f"Invalid {name} value")
        return word in {"true", "1"}

    def moment(self, name: str) -> datetime | None:
        """Return a time; one without a zone is UTC, as the documentation says of StartDate."""
        text = self.text(name)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise BadRequest(f"Invalid {name} value") from error
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    def json_text(self, name: str = "JsonData") -> str:
        """Return the merchant's JSON as the text it will be given back as; an object is serialized."""
        value = self.value(name)
        if value is None:
            return ""
        if isinstance(value, (dict, list)):
            return _dump(value)
        return str(value)

    def nested(self, name: str) -> Params:
        """Return an object parameter as parameters of its own; anything else counts as an empty object."""
        return Params(loose_object(self.value(name)))


def loose_object(value: Any) -> dict[str, Any]:
    """Return an object given as an object or as its JSON text; anything else is an empty object."""
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_float=Decimal)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def instruction(data: str, name: str) -> dict[str, Any]:
    """Find ``cloudpayments.<name>`` in the merchant's JSON, all names in any case; empty when there is
    none.
    """
    return Params(loose_object(data)).nested("cloudpayments").nested(name).received


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=plain_number)


def plain_number(value: Any) -> int | float:
    """Write a Decimal as a JSON number: ``10`` or ``12.34``, as the API does."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is not JSON")
    return int(value) if value == value.to_integral_value() else float(value)
