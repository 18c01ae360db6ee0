"""The desk's pages in particular states, and the door before it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dev.gallery.desk_scenes import number, owner_again
from dev.gallery.scenes import Scene

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from dev.gallery.world import World


def _led(world: World) -> Any:
    """Subscribers of CloudPayments are asked to save a card at YooKassa."""
    return world.with_settings(lead_to_gateway="yookassa")


@contextmanager
def _all_is_done(world: World) -> Iterator[None]:
    """What the scenes before have set off has happened, so that nothing is late."""
    world.shop.settle()
    yield


@contextmanager
def _left_alone(world: World) -> Iterator[None]:
    """The desk was left alone for an hour."""
    world.sign_in("viewer")
    world.sql(
        "UPDATE user_sessions SET password_at = now() - interval '1 hour', desk_seen_at = now() -"
        " interval '1 hour' WHERE user_id = (SELECT id FROM users WHERE email = 'viewer@example.com')"
    )
    yield
    world.sign_in("viewer")


@contextmanager
def _code_forgotten(world: World) -> Iterator[None]:
    """The phone's code has not been given today."""
    where = "WHERE user_id = (SELECT id FROM users WHERE email = 'tanya@example.com')"
    world.sql(f"UPDATE user_sessions SET code_at = NULL {where}")  # noqa: S608 - both parts stand here
    yield
    world.sql(f"UPDATE user_sessions SET code_at = now() {where}")  # noqa: S608 - as above


@contextmanager
def _silence(world: World) -> Iterator[None]:
    """The scheduler has not been heard of since yesterday."""
    world.sql("UPDATE schedule_runs SET ran_at = ran_at - interval '2 days'")
    yield
    world.sql("UPDATE schedule_runs SET ran_at = ran_at + interval '2 days'")


@contextmanager
def _account_closed(world: World) -> Iterator[None]:
    """A customer's account is closed."""
    world.sql("UPDATE users SET disabled_at = now() WHERE id = :id", id=world.facts["disabled"])
    yield
    world.sql("UPDATE users SET disabled_at = NULL WHERE id = :id", id=world.facts["disabled"])


def _press(label: str) -> Any:
    def press(page: Page, _world: World) -> None:
        page.get_by_role("button", name=label).first.click()
        page.wait_for_load_state()

    return press


def _make_key(page: Page, _world: World) -> None:
    page.locator("main form input[type=text], main form input[name=name]").first.fill("витрина")
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_load_state()


def _code(secret: str) -> str:
    """The six digits of RFC 6238 for this moment."""
    key = base64.b32decode(secret.replace(" ", ""))
    counted = hmac.new(key, (int(time.time()) // 30).to_bytes(8, "big"), hashlib.sha1).digest()
    at = counted[-1] & 15
    return f"{(int.from_bytes(counted[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def _enrol(page: Page, _world: World) -> None:
    """The phone's first code is right, and the recovery codes are shown."""
    secret = page.locator("main code, main .secret").first.inner_text()
    page.fill("input[name=code]", _code(secret))
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_load_state()


def _wrong_code(page: Page, _world: World) -> None:
    page.fill("input[name=code]", "000000")
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_load_state()


_OWN = (
    Scene(name="desk", title="Управление: обзор", endpoint="admin.index", who="owner", during=_all_is_done),
    Scene(
        name="desk-alarm", title="Управление: тревога", endpoint="admin.index", who="owner", during=_silence
    ),
    Scene(name="desk-viewer", title="Управление: наблюдатель", endpoint="admin.index", who="viewer"),
    Scene(
        name="error-403",
        title="Сюда нельзя",
        endpoint="desk_settings.index_view",
        who="viewer",
        status=403,
    ),
    Scene(
        name="desk-statistics-year",
        title="Управление: статистика за год",
        endpoint="desk_statistics.index",
        values={"period": "year", "kind": "live"},
        who="viewer",
    ),
    Scene(
        name="desk-payments-none",
        title="Управление: ничего не нашлось",
        endpoint="desk_payments.index_view",
        values={"flt0_customer": "nobody"},
        who="viewer",
    ),
    Scene(
        name="desk-plans-new",
        title="Управление: новый тариф",
        endpoint="desk_plans.create_view",
        who="owner",
    ),
    Scene(
        name="desk-plans-new-errors",
        title="Управление: новый тариф, не заполнен",
        endpoint="desk_plans.create_view",
        who="owner",
        act=_press("Сохранить"),
    ),
    Scene(
        name="desk-settings-edit",
        title="Управление: изменить настройки",
        endpoint="desk_settings.edit_view",
        values={"key": "yookassa"},
        who="owner",
    ),
    Scene(
        name="desk-settings-give-back",
        title="Управление: вернуть настройку",
        endpoint="desk_settings.ask_back_view",
        values={"name": "seller_name"},
        who="owner",
    ),
    Scene(
        name="desk-connection-checked",
        title="Управление: подключение проверено",
        endpoint="desk_connection.index_view",
        who="owner",
        act=_press("Проверить ЮKassa"),
    ),
    Scene(
        name="desk-cases-decide",
        title="Управление: решить случай",
        endpoint="desk_cases.decide",
        values=lambda world: {"id": world.facts["case"], "choice": "close"},
        who="owner",
        during=owner_again,
    ),
    Scene(
        name="desk-reconciliation-run",
        title="Управление: итог сверки",
        endpoint="desk_reconciliation.run",
        values=lambda world: {"run_id": world.facts["run"]},
        who="owner",
    ),
    Scene(
        name="desk-webhook-events-replay",
        title="Управление: повторить уведомление",
        endpoint="desk_webhook_events.rehearse",
        values=lambda world: {"event_id": world.facts["event"]},
        who="owner",
        during=owner_again,
    ),
    Scene(
        name="desk-webhook-events-range",
        title="Управление: повторить много",
        endpoint="desk_webhook_events.rehearse_range",
        values={"flt0_gateway": "yookassa"},
        who="owner",
        during=owner_again,
    ),
    Scene(
        name="desk-webhook-events-progress",
        title="Управление: повтор многих",
        endpoint="desk_webhook_events.progress",
        values=lambda world: {"replay_id": world.facts["replay"]},
        who="owner",
    ),
    Scene(
        name="desk-payments-chargeback-won",
        title="Управление: деньги снова у магазина",
        endpoint="desk_payments.chargeback_won",
        values=number("taken"),
        who="owner",
        during=owner_again,
    ),
    Scene(
        name="desk-payments-taken",
        title="Управление: платёж, который отозвал банк",
        endpoint="desk_payments.details_view",
        values=number("taken"),
        who="owner",
    ),
    Scene(
        name="desk-leading",
        title="Управление: переезд к другому шлюзу",
        endpoint="desk_leading.index_view",
        who="owner",
        during=_led,
    ),
    Scene(
        name="desk-leading-off",
        title="Управление: переезда нет",
        endpoint="desk_leading.index_view",
        who="owner",
    ),
    Scene(
        name="desk-users-enable",
        title="Управление: открыть аккаунт",
        endpoint="desk_users.enable",
        values=number("disabled"),
        who="owner",
        during=_account_closed,
    ),
    Scene(
        name="desk-api-keys-made",
        title="Управление: новый ключ",
        endpoint="desk_api_keys.index",
        who="owner",
        act=_make_key,
        during=owner_again,
        ends_at="desk_api_keys.create",
    ),
)
_DOOR = (
    Scene(
        name="door-password",
        title="Дверь: пароль ещё раз",
        endpoint="desk_door.prove",
        who="viewer",
        during=_left_alone,
    ),
    Scene(
        name="door-code",
        title="Дверь: код из приложения",
        endpoint="desk_door.prove",
        who="tanya",
        during=_code_forgotten,
    ),
    Scene(
        name="door-code-wrong",
        title="Дверь: код не подошёл",
        endpoint="desk_door.prove",
        who="tanya",
        during=_code_forgotten,
        act=_wrong_code,
    ),
    Scene(name="door-two-factor", title="Второй фактор", endpoint="desk_door.two_factor", who="owner"),
    Scene(
        name="door-two-factor-on", title="Второй фактор включён", endpoint="desk_door.two_factor", who="tanya"
    ),
    Scene(
        name="door-recovery-codes",
        title="Запасные коды",
        endpoint="desk_door.two_factor",
        who="clerk",
        act=_enrol,
        ends_at="desk_door.turn_on",
    ),
)
SCENES = (*_OWN, *_DOOR)
