"""What YooKassa says when it refuses, word for word where its wording is known."""

from __future__ import annotations

from typing import Any

from portal.sandbox.yookassa.ids import error_id

BAD_VALUE = (
    "Invalid parameter's value (for example, the value is illegal or its format is incorrect). "
    "Send the value in accordance with the documentation."
)
BAD_AMOUNT = "Error in the payment amount. Specify the amount in correct format. For example, 100.00"
WRONG_CURRENCY = (
    "Incorrect currency of payment. The value of the amount.currency parameter doesn't correspond with the "
    "settings of your store. Specify another currency value in the request or contact the YooMoney manager "
    "to change the settings"
)
WRONG_CREDENTIALS = (
    "Error in shopId or secret key. Check their validity. You can reissue the key in the Merchant Profile"
)
WRONG_KEY_FORMAT = (
    "Incorrect password format in the Authorization header. "
    "Use Secret key issued in Merchant Profile as the password"
)
WRONG_LOGIN_FORMAT = "Login has illegal format"
NO_RECURRING = "This store can't make recurring payments. Contact the YooMoney manager to learn more"
NO_SUCH_METHOD = "This payment_method_id doesn't exist. Specify the id of the saved payment_method"
NO_SUCH_PAYMENT = "Incorrect payment_id. Payment doesn't exist or access denied"
BAD_RECEIPT = "Receipt is missing or illegal"
BAD_FILTER = "Invalid request parameter"
KEY_REUSED = (
    "You've already used this idempotence key for another request within the past 24 hours. "
    "Repeat the request with another idempotence key"
)
KEY_EMPTY = "Idempotence key is empty"
KEY_TOO_LONG = "Idempotence key is too long. Send the value in accordance with the documentation"

_CODES = {
    400: "invalid_request",
    401: "invalid_credentials",
    403: "forbidden",
    404: "not_found",
    429: "too_many_requests",
    500: "internal_server_error",
}


class RefusalError(Exception):
    """A request that is refused; ``body`` is the error object that the client gets."""

    def __init__(self, status: int, description: str, parameter: str | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.body: dict[str, Any] = {
            "type": "error",
            "id": error_id(),
            "description": description,
            **({"parameter": parameter} if parameter else {}),
            "code": _CODES[status],
        }


def invalid(parameter: str, description: str = BAD_VALUE) -> RefusalError:
    """A 400 that names the wrong parameter."""
    return RefusalError(400, description, parameter)
