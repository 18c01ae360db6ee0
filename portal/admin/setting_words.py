"""The shop's settings as an operator reads them: groups, labels, and what each one does."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from portal.admin.setting_choices import MODES, SUBJECTS, TAX_SYSTEMS, VAT, YES_NO
from portal.billing import settings
from portal.money import to_people


@dataclass(frozen=True, slots=True)
class Told:
    """One setting: its name in code, its label, what it does, and the words to choose from, if any."""

    name: str
    label: str
    what: str
    options: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> str:
        """The input that it is typed into."""
        if self.name in settings.SECRETS:
            return "password"
        return "select" if self.options else "text"

    @property
    def is_number(self) -> bool:
        """Whether a phone should offer digits."""
        return settings.kinds()[self.name] in {"int", "Decimal"}


@dataclass(frozen=True, slots=True)
class Group:
    """Settings that are thought of together; *key* stands in addresses."""

    key: str
    title: str
    what: str
    settings: tuple[Told, ...]


GROUPS = (
    Group(
        "cloudpayments",
        "CloudPayments",
        "Терминал и пароль API — в кабинете CloudPayments, раздел сайта.",
        (
            Told(
                "cloudpayments_enabled",
                "Принимать оплату",
                "«Нет» — новые заказы и карты здесь не принимаются. Начатые заказы, возвраты и продления "
                "с сохранённых карт идут дальше.",
                YES_NO,
            ),
            Told("cloudpayments_public_id", "Public ID", "Номер терминала: pk_… или test_api_…."),
            Told(
                "cloudpayments_api_secret",
                "Пароль API",
                "Им портал входит в API и проверяет подпись уведомлений. Хранится зашифрованным, "
                "прочитать его здесь нельзя — только заменить.",
            ),
            Told(
                "cloudpayments_test_mode",
                "Тестовый режим",
                "Терминал в кабинете переведён в тестовый режим. Оплата другого режима "
                "ничего не включает, а становится случаем.",
                YES_NO,
            ),
            Told(
                "cloudpayments_relay_signature",
                "Принимать X-Signature",
                "Только если уведомления пересылает ваша прежняя система и подписывает их по-своему. "
                "В остальных магазинах — нет.",
                YES_NO,
            ),
        ),
    ),
    Group(
        "yookassa",
        "ЮKassa",
        "shopId — в шапке кабинета ЮKassa, ключ — в разделе «Интеграция → Ключи API».",
        (
            Told(
                "yookassa_enabled",
                "Принимать оплату",
                "«Нет» — новые заказы и карты здесь не принимаются. Начатые заказы, возвраты и продления "
                "с сохранённых карт идут дальше.",
                YES_NO,
            ),
            Told("yookassa_shop_id", "shopId", "Номер магазина, только цифры."),
            Told(
                "yookassa_secret_key",
                "Секретный ключ",
                "live_… — настоящие деньги, test_… — тестовый магазин. Хранится зашифрованным, "
                "прочитать его здесь нельзя — только заменить.",
            ),
        ),
    ),
    Group(
        "offer",
        "Приём оплаты",
        "Что видит клиент, когда платит.",
        (
            Told(
                "first_gateway",
                "Какой шлюз первым",
                "Этот способ оплаты стоит первым и отмечен заранее. Пока он отвечает с перебоями, "
                "первым стоит другой, и страница говорит об этом.",
                (("cloudpayments", "CloudPayments"), ("yookassa", "ЮKassa")),
            ),
            Told(
                "lead_to_gateway",
                "Вести подписчиков в",
                "Кто продлевается через другой шлюз, увидит в кабинете просьбу сохранить карту здесь. "
                "Сама по себе она ничего не списывает; сколько уже перешло, видно на «Обзоре», "
                "письмо отправляют в «Переходе между шлюзами».",
                (("", "никуда"), ("cloudpayments", "CloudPayments"), ("yookassa", "ЮKassa")),
            ),
        ),
    ),
    Group(
        "renewal",
        "Продление",
        "Когда списывать с сохранённой карты и что делать, если банк отказал.",
        (
            Told(
                "auto_renewal_enabled",
                "Продления включены",
                "«Нет» останавливает все списания: подписки кончатся в свой срок. "
                "Согласия клиентов при этом остаются.",
                YES_NO,
            ),
            Told(
                "auto_renewal_days_before",
                "За сколько дней списывать",
                "Первое списание — за столько дней до конца оплаченного срока; "
                "клиенту об этом пишут ещё за трое суток.",
            ),
            Told(
                "retry_schedule",
                "Дни попыток",
                "Через сколько дней после первой попытки пробовать снова: 0,1,3,7. "
                "Не больше четырёх — таков предел платёжных систем.",
            ),
            Told(
                "grace_days",
                "Льготные дни",
                "Сколько дней после конца срока можно пользоваться тарифом, пока продление пробуют списать.",
            ),
        ),
    ),
    Group(
        "refunds",
        "Возвраты",
        "Что клиент получает назад, когда сам отменяет тариф.",
        (
            Told(
                "refund_window_days",
                "Дней на возврат",
                "Столько дней после оплаты клиент может отменить тариф с возвратом. 0 — возврата нет.",
            ),
            Told(
                "refund_policy",
                "Сколько возвращать",
                "Сумма, которую клиент видит до нажатия и которую получит.",
                (
                    ("full", "всё, что заплачено"),
                    ("unused_days", "за неиспользованные дни"),
                    ("unused_quota", "за неотправленные письма"),
                ),
            ),
            Told(
                "support_refund_daily_limit",
                "Возвраты поддержки в день, ₽",
                "Столько рублей за сутки может вернуть один сотрудник поддержки. Больше — только владелец.",
            ),
            Told(
                "support_days_daily_limit",
                "Дни от поддержки в день",
                "Столько дней за сутки может добавить клиентам один сотрудник поддержки, всем вместе. "
                "Больше — только владелец.",
            ),
        ),
    ),
    Group(
        "receipts",
        "Чеки и НДС",
        "Чек 54-ФЗ уходит шлюзу вместе с оплатой и возвратом. Ставку и систему налогов подскажет бухгалтер.",
        (
            Told(
                "cloudpayments_receipts",
                "Чеки через CloudPayments",
                "«Да», если к терминалу подключена касса CloudKassir.",
                YES_NO,
            ),
            Told(
                "yookassa_receipts",
                "Чеки через ЮKassa",
                "«Да», если в кабинете включены чеки: без них ЮKassa тогда отклоняет каждый платёж. "
                "«Подключение» скажет, нужны ли.",
                YES_NO,
            ),
            Told("receipt_vat_code", "НДС", "Ставка для подписки.", VAT),
            Told(
                "receipt_tax_system",
                "Система налогов",
                "Нужна, если у кассы их несколько. «Чекам от ЮKassa» не нужна.",
                TAX_SYSTEMS,
            ),
            Told("receipt_subject", "Предмет расчёта", "За что платят.", SUBJECTS),
            Told(
                "receipt_mode",
                "Способ расчёта",
                "Полный расчёт — услуга оказана при оплате; предоплата требует потом второго чека.",
                MODES,
            ),
            Told(
                "receipt_item_name",
                "Название в чеке",
                "Пусто — название тарифа и срок, как в заказе. Не больше 128 знаков.",
            ),
        ),
    ),
    Group(
        "seller",
        "Продавец",
        "Показывается внизу каждой страницы и в письмах: закон требует назвать продавца.",
        (
            Told("seller_name", "Название", "ООО «Ромашка» или ИП Иванов И. И."),
            Told("seller_inn", "ИНН", "10 цифр у организации, 12 у предпринимателя."),
            Told("seller_ogrn", "ОГРН или ОГРНИП", "13 или 15 цифр."),
            Told("seller_address", "Адрес", "Юридический адрес."),
            Told("seller_email", "Почта", "Куда писать клиентам."),
            Told("seller_phone", "Телефон", "Куда звонить клиентам."),
            Told("offer_url", "Страница оферты", "Её принимают перед оплатой."),
            Told("privacy_url", "Страница о данных", "Политика обработки персональных данных."),
        ),
    ),
)

BY_KEY = {group.key: group for group in GROUPS}
BY_NAME = {told.name: (group, told) for group in GROUPS for told in group.settings}


def shown(told: Told, value: object) -> str:
    """A value in an operator's words; empty where there is none."""
    if isinstance(value, Decimal):
        return to_people(value)
    text = written(value)
    return dict(told.options).get(text, text)


def written(value: object) -> str:
    """A value as its input holds it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
