"""The handbook of decline reasons: code, name as the API writes it, and the Russian text for the cardholder.

Source: https://developers.cloudpayments.ru, "Коды ошибок" (facts as of July 2026).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

APPROVED = 0
CHECK_FORMAT_ERROR = 3005
CHECK_UNAVAILABLE = 3006
CHECK_UNABLE_TO_CONNECT = 3007
DO_NOT_HONOR = 5005
INVALID_CARD_NUMBER = 5014
INSUFFICIENT_FUNDS = 5051
EXPIRED_CARD = 5054
AUTHENTICATION_FAILED = 5206
CROSS_TERMINAL_TOKEN = 6025

#: What a Check answer other than 0 turns into (CloudPayments, "Check": codes of the answer).
CHECK_CODES = {10: 3001, 11: 3002, 12: 3003, 13: 3008, 20: 3004}

_ANOTHER_CARD = "Воспользуйтесь другой картой"
_BANK_OR_ANOTHER = "Свяжитесь с вашим банком или воспользуйтесь другой картой"
_CHECK_DATA = "Проверьте правильность введенных данных карты или воспользуйтесь другой картой"
_FORBIDDEN_CARD = "Платежи для этой карты запрещены. Попробуйте другую карту"
_IMPOSSIBLE = "Невозможно провести оплату"
_LATER = "Повторите попытку позже"
_LATER_OR_ANOTHER = "Повторите попытку позже или воспользуйтесь другой картой"

_HANDBOOK: dict[int, tuple[str, str]] = {
    0: ("Approved", "Оплата успешно проведена"),
    3001: ("InvalidInvoiceId", _IMPOSSIBLE),
    3002: ("InvalidAccountId", _IMPOSSIBLE),
    3003: ("InvalidAmount", _IMPOSSIBLE),
    3004: ("OutOfDate", "Платеж просрочен"),
    3005: ("FormatError", _IMPOSSIBLE),
    3006: ("CheckResponseServiceUnavailable", _LATER),
    3007: ("UnableToConnect", _LATER),
    3008: ("NotAccepted", _IMPOSSIBLE),
    5001: ("ReferToCardIssuer", _BANK_OR_ANOTHER),
    5003: ("InvalidMerchant", _BANK_OR_ANOTHER),
    5004: ("PickUpCard", _BANK_OR_ANOTHER),
    5005: ("DoNotHonor", _BANK_OR_ANOTHER),
    5006: ("Error", _CHECK_DATA),
    5007: ("PickUpCardSpecialConditions", _BANK_OR_ANOTHER),
    5012: ("InvalidTransaction", "Воспользуйтесь другой картой или свяжитесь с банком, выпустившим карту"),
    5013: ("AmountError", "Проверьте корректность суммы"),
    5014: ("InvalidCardNumber", _CHECK_DATA),
    5015: ("NoSuchIssuer", _CHECK_DATA),
    5017: ("CustomerCancellation", _ANOTHER_CARD),
    5019: ("TransactionError", _BANK_OR_ANOTHER),
    5030: ("FormatError", _LATER),
    5031: ("BankNotSupportedBySwitch", _ANOTHER_CARD),
    5033: ("ExpiredCardPickup", _BANK_OR_ANOTHER),
    5034: ("SuspectedFraud", _BANK_OR_ANOTHER),
    5036: ("RestrictedCard", _FORBIDDEN_CARD),
    5041: ("LostCard", _BANK_OR_ANOTHER),
    5043: ("StolenCard", _BANK_OR_ANOTHER),
    5051: ("InsufficientFunds", "Недостаточно средств на карте"),
    5054: ("ExpiredCard", _CHECK_DATA),
    5055: ("InvalidPIN", _ANOTHER_CARD),
    5057: ("TransactionNotPermitted", _BANK_OR_ANOTHER),
    5058: ("TransactionNotPermittedToCard", _BANK_OR_ANOTHER),
    5059: ("SuspectedFraudDecline", "Свяжитесь с банком или воспользуйтесь другой картой"),
    5061: (
        "ExceedsApprovalAmount",
        "Превышение лимита оплаты по карте. Измените настройки лимита или оплатите другой картой",
    ),
    5062: ("RestrictedCard2", _FORBIDDEN_CARD),
    5063: ("SecurityViolation", _ANOTHER_CARD),
    5065: ("ExceedWithdrawalFrequency", _BANK_OR_ANOTHER),
    5082: ("IncorrectCVV", "Неверно указан код CVV"),
    5091: ("Timeout", _LATER_OR_ANOTHER),
    5092: ("CannotReachNetwork", _LATER_OR_ANOTHER),
    5096: ("SystemError", _LATER),
    5113: ("GatewaysDoNotSupportTheCurrentlySelectedPaymentCard", _ANOTHER_CARD),
    5204: ("UnableToProcess", _BANK_OR_ANOTHER),
    5206: ("AuthenticationFailed", _BANK_OR_ANOTHER),
    5207: ("AuthenticationUnavailable", _BANK_OR_ANOTHER),
    5300: ("AntiFraud", _ANOTHER_CARD),
    5303: ("AcquirerTerminalLimitsExceeded", _BANK_OR_ANOTHER),
    5761: ("NoPhone", _ANOTHER_CARD),
    5762: ("InvalidPhone", _ANOTHER_CARD),
    5763: ("DifferentPhones", _ANOTHER_CARD),
    6001: ("SaveCardRefused", _IMPOSSIBLE),
    6002: ("InvalidErrorCode", _IMPOSSIBLE),
    6003: ("AgentIdNotExists", _IMPOSSIBLE),
    6004: ("CurrencyNotValid", "Обратитесь в поддержку сайта"),
    6005: ("InvalidPaymentLink", _IMPOSSIBLE),
    6006: ("AmountCurrencyNotValid", _IMPOSSIBLE),
    6007: ("InvalidRedirectUrl", _IMPOSSIBLE),
    6008: ("InvalidParamsId", _IMPOSSIBLE),
    6009: ("InvalidTtl", _IMPOSSIBLE),
    6010: ("SubscriptionNotFound", _IMPOSSIBLE),
    6011: ("InvalidSubscription", _IMPOSSIBLE),
    6013: ("InvalidRefund", _IMPOSSIBLE),
    6014: ("OriginalDetailsIncorrect", _IMPOSSIBLE),
    6015: ("TransactionNotFound", _IMPOSSIBLE),
    6016: ("InvalidMemberId", _IMPOSSIBLE),
    6017: ("IncorrectMCCategory", _IMPOSSIBLE),
    6021: ("ReceiverAccountError", "Невозможно провести выплату"),
    6022: ("ReceiverNameError", "Невозможно провести выплату"),
    6025: ("CrossTerminalTokenRestriction", _IMPOSSIBLE),
}

#: Words a tester may use for an outcome besides the code and the handbook's own name.
_ALIASES = {
    "success": APPROVED,
    "succeeded": APPROVED,
    "approve": APPROVED,
    "ok": APPROVED,
    "decline": DO_NOT_HONOR,
    "declined": DO_NOT_HONOR,
    "fail": DO_NOT_HONOR,
    "card_blocked": DO_NOT_HONOR,
    "blocked": DO_NOT_HONOR,
    "payment_method_restricted": 5036,
    "general_decline": DO_NOT_HONOR,
    "card_expired": EXPIRED_CARD,
    "expired": EXPIRED_CARD,
    "issuer_unavailable": 5091,
    "fraud_suspected": 5034,
    "3d_secure_failed": AUTHENTICATION_FAILED,
    "permission_revoked": 5057,
    "call_issuer": 5001,
    "internal_timeout": 5091,
}


@dataclass(frozen=True)
class Reason:
    """One row of the handbook; code 0 means approved."""

    code: int
    name: str
    message: str

    @property
    def approved(self) -> bool:
        """Tell whether money moves."""
        return self.code == APPROVED


def reason(code: int) -> Reason:
    """Return the handbook's row; raises ``KeyError`` for a code that is not documented."""
    name, message = _HANDBOOK[code]
    return Reason(code, name, message)


def reason_named(outcome: str | int) -> Reason:
    """Understand an outcome as a tester writes it: ``5051``, ``InsufficientFunds``, ``insufficient_funds``.

    Raises ``ValueError`` for what the handbook does not know, so that a typing error never means success.
    """
    text = str(outcome).strip()
    if text.isdigit() and int(text) in _HANDBOOK:
        return reason(int(text))
    if text.lower() in _ALIASES:
        return reason(_ALIASES[text.lower()])
    plain = re.sub(r"[^a-z0-9]", "", text.lower())
    for code, (name, _message) in _HANDBOOK.items():
        if name.lower() == plain and code != CHECK_FORMAT_ERROR:
            return reason(code)
    raise ValueError(f"Unknown outcome {text!r}: use a ReasonCode such as 5051 or its name, or 'success'")
