"""From the order to its outcome: checkout, the page with the widget, and the result in each state."""

from __future__ import annotations

from dev.gallery import payment_acts as do
from dev.gallery.scenes import Scene

_PRO = {"plan_code": "PRO_MONTHLY"}

_CHECKOUT: tuple[Scene, ...] = (
    Scene(name="checkout", title="Оформление", endpoint="checkout.show", values=_PRO, who="polina"),
    Scene(
        name="checkout-renewal",
        title="Оформление: продление отмечено",
        endpoint="checkout.show",
        values=_PRO,
        who="polina",
        act=do.agree,
    ),
    Scene(
        name="checkout-yearly",
        title="Оформление на год со скидкой",
        endpoint="checkout.show",
        values={"plan_code": "PRO_YEARLY"},
        who="polina",
        during=do.yookassa_first,
    ),
    Scene(
        name="checkout-one-time",
        title="Оформление без продления",
        endpoint="checkout.show",
        values=_PRO,
        who="polina",
        during=do.one_time,
    ),
    Scene(
        name="checkout-one-gateway",
        title="Оформление, открыт один шлюз",
        endpoint="checkout.show",
        values=_PRO,
        who="polina",
        during=do.only_yookassa,
    ),
    Scene(
        name="checkout-closed",
        title="Оформление, когда платить негде",
        endpoint="checkout.show",
        values=_PRO,
        who="polina",
        during=do.closed_shop,
    ),
    Scene(
        name="checkout-errors",
        title="Оформление: не отмечена оферта",
        endpoint="checkout.show",
        values=_PRO,
        who="polina",
        act=do.send_empty,
    ),
    Scene(
        name="checkout-follows",
        title="Оформление: начнётся после текущего",
        endpoint="checkout.show",
        values=_PRO,
        who="boris",
    ),
    Scene(
        name="checkout-undecided",
        title="Оформление: прошлый платёж не ясен",
        endpoint="checkout.show",
        values=_PRO,
        who="egor",
    ),
    Scene(
        name="checkout-trouble",
        title="Оформление: шлюз не принял",
        endpoint="checkout.show",
        values=_PRO,
        who="trofim",
        during=do.yookassa_refuses,
        act=do.order_once,
    ),
    Scene(
        name="error-yookassa-403",
        title="ЮKassa не разрешила автоплатежи",
        endpoint="checkout.show",
        values=_PRO,
        who="ulyana",
        during=do.no_recurring_there,
        act=do.order_with_renewal,
    ),
)
_WIDGET: tuple[Scene, ...] = tuple(
    Scene(
        name=f"payment-{name}",
        title=f"Оплата: {title}",
        endpoint="payment.show",
        values=do.new_order("cloudpayments"),
        who="polina",
        act=act,
        covered=name in {"open", "bank"},
    )
    for name, title, act in (
        ("loading", "форма загружается", do.loading),
        ("blocked", "форма не загрузилась", do.blocked),
        ("open", "форма открыта", do.wait_for_form),
        ("bank", "банк спрашивает код", do.bank_asks),
        ("closed", "форма закрыта", do.close_form),
        ("declined", "карта не прошла", do.declined),
    )
)
_RESULTS: tuple[Scene, ...] = (
    Scene(
        name="payment-again",
        title="Оплата: прошлая попытка не удалась",
        endpoint="payment.show",
        values=do.last("viktor"),
        who="viktor",
    ),
    Scene(
        name="payment-binding",
        title="Оплата: привязка карты за рубль",
        endpoint="payment.show",
        values=do.binding,
        who="rita",
        act=do.close_form,
    ),
    Scene(
        name="result-bound",
        title="Результат: карта привязана",
        endpoint="payment.come_back",
        values=do.bound,
        who="rita",
    ),
    Scene(
        name="result-over",
        title="Результат: заказ истёк",
        endpoint="payment.come_back",
        values=do.over,
        who="ulyana",
    ),
    Scene(
        name="payment-yookassa",
        title="Переход к оплате в ЮKassa",
        endpoint="payment.show",
        values=do.new_order("yookassa"),
        who="polina",
    ),
    Scene(
        name="result-asking",
        title="Результат: ждём подтверждения",
        endpoint="payment.come_back",
        values=do.new_order("yookassa"),
        who="polina",
    ),
    Scene(
        name="result-longer",
        title="Результат: ответа пока нет",
        endpoint="payment.come_back",
        values=do.new_order("yookassa"),
        who="polina",
        act=do.waits_long,
    ),
    Scene(
        name="result-authorized",
        title="Результат: в обработке",
        endpoint="payment.come_back",
        values=do.held,
        who="polina",
    ),
    Scene(
        name="result-unknown",
        title="Результат: выясняем",
        endpoint="payment.come_back",
        values=do.last("egor"),
        who="egor",
        during=do.yookassa_is_down,
    ),
    Scene(
        name="result-declined",
        title="Результат: не прошла",
        endpoint="payment.come_back",
        values=do.last("viktor"),
        who="viktor",
    ),
    Scene(
        name="result-paid",
        title="Результат: оплачено",
        endpoint="payment.come_back",
        values=do.paid,
        who="kseniya",
    ),
    Scene(
        name="result-refunded",
        title="Результат: деньги вернули",
        endpoint="payment.come_back",
        values=do.gone_back,
        who="gleb",
    ),
    Scene(
        name="result-becomes-paid",
        title="Результат: стало оплачено, пока страница открыта",
        endpoint="payment.come_back",
        values=do.new_order("yookassa"),
        who="polina",
        act=do.gets_paid,
    ),
)
SCENES = (*_CHECKOUT, *_WIDGET, *_RESULTS)
