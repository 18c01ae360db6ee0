"""Who is signed in: the dashboard in every state, and the pages around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dev.gallery.scenes import Scene
from dev.toy_shop import PASSWORD
from portal import clock
from portal.accounts import links
from portal.database import db
from portal.models import LinkPurpose, User

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from dev.gallery.world import World

_SUBMIT = "main form button[type=submit]"
#: Name of the scene, who, and what is to be seen.
_BOARDS = (
    ("none", "lena", "тарифа нет, почта не подтверждена"),
    ("active", "boris", "действует без продления, писем мало"),
    ("renews", "anna", "продлевается сам"),
    ("stopped", "zoya", "продление выключено"),
    ("yearly", "igor", "годовой тариф"),
    ("new-price", "nina", "спрашиваем о новой цене"),
    ("other-plan", "pavel", "со следующего срока другой тариф"),
    ("overdue", "vera", "продление не прошло"),
    ("no-method", "olga", "карта больше не подходит"),
    ("spent", "fedor", "писем не осталось"),
    ("queued", "mark", "следующие сроки оплачены"),
    ("canceled", "gleb", "отменён"),
    ("expired", "daria", "закончился"),
    ("undecided", "egor", "платёж не ясен"),
)


def _first_method(name: str) -> Any:
    query = (
        "SELECT m.id FROM payment_methods m JOIN users u ON u.id = m.user_id"
        " WHERE u.email = :email AND m.detached_at IS NULL ORDER BY m.id DESC LIMIT 1"
    )
    return lambda world: {"method_id": world.one(query, email=f"{name}@example.com")}


def _binding(world: World) -> dict[str, str]:
    query = "SELECT key FROM method_bindings WHERE status = 'active' ORDER BY id DESC LIMIT 1"
    return {"key": world.one(query)}


def _waiting_binding(world: World) -> dict[str, str]:
    world.people["polina"].call("/billing/api/yookassa/bind_card_start/")
    return {"key": world.one("SELECT key FROM method_bindings ORDER BY id DESC LIMIT 1")}


def _led(world: World) -> Any:
    return world.with_settings(lead_to_gateway="yookassa")


def _plan(code: str) -> dict[str, str]:
    return {"plan_code": code}


def _unfold_periods(page: Page, _world: World) -> None:
    page.locator(".next + .more > summary").click()


def _open_menu(page: Page, _world: World) -> None:
    page.locator(".menu summary, summary.menu__button").first.click()


def _send_password(page: Page, _world: World) -> None:
    page.locator("form[action$='/account/password'] button[type=submit]").click()
    page.locator("[aria-invalid=true]").first.wait_for()


def _ask_for_nothing(page: Page, _world: World) -> None:
    page.locator("form[action$='/account/email'] button[type=submit]").click()
    page.locator("[aria-invalid=true]").first.wait_for()


def _close_without_password(page: Page, _world: World) -> None:
    page.locator("form[action$='/account/close'] button[type=submit]").click()
    page.locator("[aria-invalid=true]").first.wait_for()


def _ask_for_address(page: Page, _world: World) -> None:
    page.fill("input[name=email]", "polina@example.org")
    page.fill("input[name=current]", PASSWORD)
    page.locator("form[action$='/account/email'] button[type=submit]").click()
    page.locator(".state").wait_for()


def _new_address(world: World) -> dict[str, str]:
    """The link in the letter to an address that is to become Polina's."""
    with world.app.app_context():
        user = db.session.query(User).filter_by(email="polina@example.com").one()
        link = links.issue(user, LinkPurpose.CHANGE_EMAIL, clock.now(), "polina@example.org")
        return {"token": links.url(link.id, "").rpartition("/")[2]}


_DASHBOARDS = tuple(
    Scene(name=f"dashboard-{name}", title=f"Кабинет: {title}", endpoint="dashboard.show", who=who)
    for name, who, title in _BOARDS
)
_RENEWAL = (
    Scene(
        name="dashboard-led",
        title="Кабинет: просим карту",
        endpoint="dashboard.show",
        who="anna",
        during=_led,
    ),
    Scene(
        name="dashboard-queued-all",
        title="Кабинет: все оплаченные сроки",
        endpoint="dashboard.show",
        who="mark",
        act=_unfold_periods,
    ),
    Scene(
        name="dashboard-menu",
        title="Кабинет: меню аккаунта",
        endpoint="dashboard.show",
        who="anna",
        act=_open_menu,
    ),
    Scene(name="renewal-stop", title="Выключить продление", endpoint="renewal.show", who="anna"),
    Scene(name="renewal-resume", title="Включить продление", endpoint="renewal.show", who="zoya"),
    Scene(name="renewal-resume-odd", title="Включить продление нечем", endpoint="renewal.show", who="boris"),
    Scene(name="renewal-pay", title="Оплатить продление", endpoint="renewal.pay", who="vera"),
    Scene(name="renewal-price", title="Новая цена", endpoint="renewal.price", who="nina"),
    Scene(name="agreements", title="Согласия", endpoint="renewal.agreements", who="anna"),
    Scene(name="agreements-none", title="Согласия: нет", endpoint="renewal.agreements", who="lena"),
)
_CHANGES = (
    Scene(name="change", title="Другой тариф", endpoint="plan_changes.index", who="anna"),
    Scene(name="change-agreed", title="Другой тариф выбран", endpoint="plan_changes.index", who="pavel"),
    Scene(name="change-none", title="Другой тариф: тарифа нет", endpoint="plan_changes.index", who="lena"),
    Scene(
        name="change-up",
        title="Тариф больше: сейчас",
        endpoint="plan_changes.show",
        who="anna",
        values=_plan("BUSINESS_MONTHLY"),
    ),
    Scene(
        name="change-up-one-time",
        title="Тариф больше: без продления",
        endpoint="plan_changes.show",
        who="boris",
        values=_plan("BUSINESS_YEARLY"),
    ),
    Scene(
        name="change-down",
        title="Тариф меньше: потом",
        endpoint="plan_changes.show",
        who="anna",
        values=_plan("START_MONTHLY"),
    ),
    Scene(name="cancel-inside", title="Отмена с возвратом", endpoint="cancellation.show", who="kseniya"),
    Scene(name="cancel-outside", title="Отмена без возврата", endpoint="cancellation.show", who="igor"),
)
_METHODS = (
    Scene(name="methods", title="Способы оплаты", endpoint="methods.index", who="rita"),
    Scene(name="methods-one", title="Способ оплаты один", endpoint="methods.index", who="anna"),
    Scene(name="methods-none", title="Способов оплаты нет", endpoint="methods.index", who="lena"),
    Scene(name="methods-refused", title="Способ больше не подходит", endpoint="methods.index", who="olga"),
    Scene(
        name="methods-unlink",
        title="Отвязать",
        endpoint="methods.ask",
        who="anna",
        values=_first_method("anna"),
    ),
    Scene(
        name="methods-bound", title="Карта сохранена", endpoint="methods.bound", who="rita", values=_binding
    ),
    Scene(
        name="methods-binding",
        title="Карта привязывается",
        endpoint="methods.bound",
        who="polina",
        values=_waiting_binding,
    ),
)
_HISTORY = (
    Scene(name="history", title="История платежей", endpoint="dashboard.payments", who="mark"),
    Scene(
        name="history-narrowed",
        title="История: только оплаченное через ЮKassa",
        endpoint="dashboard.payments",
        values={"status": "paid", "gateway": "yookassa"},
        who="mark",
    ),
    Scene(
        name="history-nothing",
        title="История: под условия ничего не подошло",
        endpoint="dashboard.payments",
        values={"to": "2020-01-01"},
        who="mark",
    ),
    Scene(
        name="history-print",
        title="История для печати",
        endpoint="dashboard.payments",
        values={"format": "print"},
        who="mark",
    ),
    Scene(name="history-short", title="История: отказ", endpoint="dashboard.payments", who="viktor"),
    Scene(name="history-empty", title="История пуста", endpoint="dashboard.payments", who="lena"),
    Scene(name="account", title="Аккаунт", endpoint="accounts.account", who="anna"),
    Scene(
        name="account-unconfirmed",
        title="Аккаунт: почта не подтверждена",
        endpoint="accounts.account",
        who="lena",
    ),
    Scene(
        name="account-errors",
        title="Аккаунт: пароль не сменён",
        endpoint="accounts.account",
        who="anna",
        act=_send_password,
        ends_at="accounts.change_password",
    ),
    Scene(name="account-email", title="Смена почты", endpoint="accounts.change_email", who="polina"),
    Scene(
        name="account-email-empty",
        title="Смена почты: ничего не заполнено",
        endpoint="accounts.change_email",
        who="polina",
        act=_ask_for_nothing,
    ),
    Scene(
        name="account-email-sent",
        title="Смена почты: письмо ушло",
        endpoint="accounts.change_email",
        who="polina",
        act=_ask_for_address,
    ),
    Scene(
        name="account-email-new",
        title="Смена почты: по ссылке из письма",
        endpoint="accounts.new_email",
        who="polina",
        values=_new_address,
    ),
    Scene(name="account-close", title="Закрытие аккаунта", endpoint="accounts.ask_to_close", who="kseniya"),
    Scene(
        name="account-close-late",
        title="Закрытие аккаунта: возврата нет",
        endpoint="accounts.ask_to_close",
        who="igor",
    ),
    Scene(
        name="account-close-none",
        title="Закрытие аккаунта: тарифа нет",
        endpoint="accounts.ask_to_close",
        who="lena",
    ),
    Scene(
        name="account-close-empty",
        title="Закрытие аккаунта: без пароля",
        endpoint="accounts.ask_to_close",
        who="anna",
        act=_close_without_password,
        ends_at="accounts.close",
    ),
    Scene(
        name="account-email-dead",
        title="Смена почты: ссылка не действует",
        endpoint="accounts.new_email",
        who="polina",
        values={"token": "no-such-link"},
        status=410,
    ),
)
SCENES = (*_DASHBOARDS, *_RENEWAL, *_CHANGES, *_METHODS, *_HISTORY)
