"""How the desk writes facts for an operator: words and colours of states, sums and moments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from flask import current_app
from markupsafe import Markup, escape

from portal.admin.labels import FACTS, LABELS
from portal.models import (
    BillingMode,
    CaseChoice,
    CaseKind,
    Channel,
    Discrepancy,
    EventStatus,
    GatewayName,
    PaymentPurpose,
    PaymentStatus,
    RefundSource,
    RefundStatus,
    Remedy,
    Revocation,
    Role,
    RunOrigin,
    SubscriptionStatus,
)

NOTHING = "—"
#: How moments, days and sums are kept in JSON.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SUM = re.compile(r"-?\d+\.\d\d", re.ASCII)
#: Whole numbers from here on are written in groups of three.
_LONG = 10_000


@dataclass(frozen=True, slots=True)
class Word:
    """A state in a word or two, and how good it is: good, wait, bad, plain."""

    text: str
    kind: str = "plain"


_WORDS: dict[type[StrEnum], dict[StrEnum, Word]] = {
    PaymentStatus: {
        PaymentStatus.PENDING: Word("ждёт оплаты"),
        PaymentStatus.AUTHORIZED: Word("деньги удержаны", "wait"),
        PaymentStatus.SUCCEEDED: Word("оплачен", "good"),
        PaymentStatus.FAILED: Word("отклонён", "bad"),
        PaymentStatus.UNKNOWN: Word("исход неизвестен", "wait"),
    },
    PaymentPurpose: {
        PaymentPurpose.PURCHASE: Word("покупка"),
        PaymentPurpose.RENEWAL: Word("продление"),
        PaymentPurpose.CHANGE: Word("смена тарифа"),
        PaymentPurpose.BINDING: Word("привязка карты"),
        PaymentPurpose.LIVE_CHECK: Word("проверка магазина"),
    },
    RefundStatus: {
        RefundStatus.PENDING: Word("в пути", "wait"),
        RefundStatus.SUCCEEDED: Word("возвращён", "good"),
        RefundStatus.FAILED: Word("не прошёл", "bad"),
        RefundStatus.UNKNOWN: Word("исход неизвестен", "wait"),
    },
    RefundSource: {
        RefundSource.CUSTOMER: Word("клиент"),
        RefundSource.OPERATOR: Word("сотрудник"),
        RefundSource.GATEWAY: Word("кабинет шлюза"),
        RefundSource.BANK: Word("банк клиента (чарджбэк)", "bad"),
    },
    SubscriptionStatus: {
        SubscriptionStatus.ACTIVE: Word("действует", "good"),
        SubscriptionStatus.PAST_DUE: Word("не продлена", "wait"),
        SubscriptionStatus.CANCELED: Word("отменена"),
        SubscriptionStatus.EXPIRED: Word("закончилась"),
    },
    Revocation: {
        Revocation.REFUNDED: Word("деньги возвращены"),
        Revocation.CANCELED: Word("отменён клиентом"),
        Revocation.REPLACED: Word("заменён другим"),
    },
    EventStatus: {
        EventStatus.RECEIVED: Word("в очереди", "wait"),
        EventStatus.HANDLED: Word("применено", "good"),
        EventStatus.IGNORED: Word("ничего не меняет"),
        EventStatus.CASE: Word("стало случаем", "bad"),
    },
    GatewayName: {
        GatewayName.CLOUDPAYMENTS: Word("CloudPayments"),
        GatewayName.YOOKASSA: Word("ЮKassa"),
    },
    BillingMode: {
        BillingMode.ONE_TIME: Word("разовый"),
        BillingMode.RECURRING: Word("с продлением"),
    },
    Channel: {Channel.PORTAL: Word("в кабинете"), Channel.EMAIL: Word("письмо")},
    RunOrigin: {
        RunOrigin.SCHEDULE: Word("по расписанию"),
        RunOrigin.OPERATOR: Word("сотрудник"),
        RunOrigin.COMMAND: Word("команда"),
    },
    Discrepancy: {
        Discrepancy.PAID_THERE: Word("оплачен там, не у нас"),
        Discrepancy.PAID_HERE: Word("оплачен у нас, не там"),
        Discrepancy.REFUNDED_THERE: Word("возвращён там, не у нас"),
        Discrepancy.REFUNDED_HERE: Word("возвращён у нас, не там"),
        Discrepancy.AMOUNT: Word("другая сумма"),
        Discrepancy.STATUS: Word("другое состояние"),
        Discrepancy.FEE: Word("другая комиссия"),
    },
    Remedy: {Remedy.HEALED: Word("исправлено", "good"), Remedy.CASE: Word("стало случаем", "bad")},
    Role: {
        Role.VIEWER: Word("наблюдатель"),
        Role.SUPPORT: Word("поддержка"),
        Role.OWNER: Word("владелец"),
    },
    CaseChoice: {
        CaseChoice.GIVE_BACK: Word("деньги возвращены"),
        CaseChoice.ACCEPT: Word("принято как оплата заказа"),
        CaseChoice.DECLARE_FAILED: Word("признано непрошедшим"),
        CaseChoice.TRY_AGAIN: Word("отправлено ещё раз"),
        CaseChoice.BY_HAND: Word("возвращено вручную"),
        CaseChoice.STOP: Word("продление выключено"),
        CaseChoice.RELEASE: Word("списание разрешено без письма"),
        CaseChoice.END_PLAN: Word("тариф закончен"),
        CaseChoice.WON: Word("деньги у магазина"),
        CaseChoice.CLOSE: Word("закрыт с пометкой"),
        CaseChoice.ITSELF: Word("решился сам"),
    },
    CaseKind: {
        CaseKind.UNKNOWN_PAYMENT: Word("платёж без заказа", "bad"),
        CaseKind.AMOUNT_MISMATCH: Word("другая сумма", "bad"),
        CaseKind.CURRENCY_MISMATCH: Word("другая валюта", "bad"),
        CaseKind.ACCOUNT_MISMATCH: Word("другой плательщик", "bad"),
        CaseKind.SHOP_MISMATCH: Word("другой магазин", "bad"),
        CaseKind.TEST_MODE_MISMATCH: Word("тест вместо боя или наоборот", "bad"),
        CaseKind.GATEWAY_MISMATCH: Word("заказ другого шлюза", "bad"),
        CaseKind.SECOND_CAPTURE: Word("вторая оплата заказа", "bad"),
        CaseKind.UNKNOWN_REFUND: Word("возврат без платежа", "bad"),
        CaseKind.REFUND_ABOVE_CAPTURE: Word("возврат больше оплаты", "bad"),
        CaseKind.UNKNOWN_TOO_OLD: Word("исход неизвестен больше суток", "bad"),
        CaseKind.UNREADABLE: Word("уведомление не читается", "bad"),
        CaseKind.REFUND_FAILED: Word("возврат не прошёл", "bad"),
        CaseKind.RENEWAL_REFUSED: Word("продление отклонил шлюз", "bad"),
        CaseKind.NOTICE_UNSENT: Word("письмо до списания не ушло", "bad"),
        CaseKind.CHARGEBACK: Word("чарджбэк", "bad"),
        CaseKind.DRIFT: Word("расхождение со шлюзом", "bad"),
    },
}


def word(value: StrEnum) -> Word:
    """The word for one member; a member without a word shows itself."""
    return _WORDS.get(type(value), {}).get(value) or Word(value.value)


def badge(value: StrEnum) -> Markup:
    """The word in its colour."""
    told = word(value)
    return Markup('<span class="badge badge--{}">{}</span>').format(told.kind, told.text)


#: What is called by a name rather than in some state: no colour unless the word has one.
_NAMES = (
    BillingMode,
    Channel,
    Discrepancy,
    GatewayName,
    PaymentPurpose,
    RefundSource,
    Revocation,
    Role,
    RunOrigin,
)


def told(value: StrEnum) -> Markup:
    """A state in its colour; a mere name as plain words."""
    found = word(value)
    return escape(found.text) if isinstance(value, _NAMES) and found.kind == "plain" else badge(value)


def number(value: int) -> str:
    """``50 000``; four digits stand together."""
    return f"{value:,}".replace(",", "\N{NO-BREAK SPACE}") if abs(value) >= _LONG else str(value)


def moment_in_words(value: datetime) -> str:
    """``22.12.2026 14:05:09`` on the shop's clock, as a spreadsheet reads it."""
    local = current_app.jinja_env.filters["local"](value)
    return f"{local:%d.%m.%Y %H:%M:%S}"


def moment(value: datetime) -> Markup:
    """Short enough for a table: ``22.12.2026 14:05`` on the shop's clock, to the second under the pointer."""
    local = current_app.jinja_env.filters["local"](value)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        value.isoformat(), f"{local:%d.%m.%Y %H:%M:%S %Z}", f"{local:%d.%m.%Y} {local:%H:%M}"
    )


def cell(value: Any) -> Any:
    """One value of a table, whatever it is; text is escaped."""
    if value is None or value == "":
        return Markup('<span class="aside">{}</span>').format(NOTHING)
    if isinstance(value, bool):
        return "да" if value else "нет"
    if isinstance(value, StrEnum):
        return told(value)
    if isinstance(value, Mapping | list):
        return _told(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return f"{value:%d.%m.%Y}"
    if isinstance(value, Decimal):
        return f"{value:,.2f}".replace(",", "\N{NO-BREAK SPACE}").replace(".", ",")
    return escape(value)


def _told(value: Mapping[str, Any] | list[Any]) -> Markup:
    """What a program keeps between braces, a line each."""
    if not value:
        return Markup('<span class="aside">{}</span>').format(NOTHING)
    if isinstance(value, list) or set(value) == {"value"}:
        return escape(_plain(value["value"] if isinstance(value, Mapping) else value))
    lines = [Markup("{}: {}").format(_named(name), _plain(one, name)) for name, one in value.items()]
    return Markup("<br>").join(lines)


def _named(name: str) -> Markup:
    """A kept name in words; one that has none as it is."""
    found = FACTS.get(name) or LABELS.get(name)
    return escape(found) if found else Markup("<code>{}</code>").format(name)


def _plain(value: Any, name: str = "") -> str:
    """A value within another one; *name* is what it is kept under."""
    if isinstance(value, str) and value:
        return _written(value, name)
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "да" if value else "нет"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_plain(one, name)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in value) or NOTHING
    return str(value)


def _written(kept: str, name: str) -> str:
    """A moment, a day, a sum or a gateway out of JSON, as it stands elsewhere at the desk."""
    if name == "gateway" and kept in set(GatewayName):
        return word(GatewayName(kept)).text
    if name == "role" and kept in set(Role):
        return word(Role(kept)).text
    if _MOMENT.fullmatch(kept):
        return moment_in_words(datetime.fromisoformat(kept))[:-3]
    if _DAY.fullmatch(kept):
        return ".".join(reversed(kept.split("-")))
    return kept.replace(".", ",") if _SUM.fullmatch(kept) else kept
