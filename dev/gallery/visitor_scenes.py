"""Who is not signed in: the shop's front, entering, letters' links, and what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dev.gallery.scenes import Scene
from portal import clock
from portal.accounts import links
from portal.billing import letter_links
from portal.database import db
from portal.models import LinkPurpose, User

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from dev.gallery.world import World

_SUBMIT = "main form button[type=submit]"


def _send_empty(page: Page, _world: World) -> None:
    page.locator(_SUBMIT).first.click()
    page.locator("[aria-invalid=true]").first.wait_for()


def _known_address(page: Page, _world: World) -> None:
    page.fill("input[name=email]", "anna@example.com")
    page.fill("input[name=password]", "12345678")
    page.check("input[name=accept_privacy]")
    page.locator(_SUBMIT).first.click()
    page.locator("[aria-invalid=true]").first.wait_for()


def _wrong_password(page: Page, _world: World) -> None:
    page.fill("input[name=email]", "nobody@example.com")
    page.fill("input[name=password]", "wrong and long")
    page.locator(_SUBMIT).first.click()
    page.get_by_role("alert").first.wait_for()


def _forget(page: Page, _world: World) -> None:
    page.fill("input[name=email]", "anna@example.com")
    page.locator(_SUBMIT).first.click()
    page.wait_for_load_state()


def _too_often(page: Page, world: World) -> None:
    """Wrong passwords until the door stays shut for a while."""
    from dev.toy_shop import Person

    stranger = Person(world.shop, "stranger@example.com")
    for _ in range(40):
        form = {**stranger.token(), "email": stranger.email, "password": "wrong and long"}
        answer = stranger.session.post(f"{world.shop.url}/login", data=form, timeout=60)
        if answer.status_code == 429:
            break
    page.fill("input[name=email]", stranger.email)
    page.fill("input[name=password]", "wrong and long")
    page.locator(_SUBMIT).first.click()
    page.wait_for_load_state()


def _token(world: World, purpose: LinkPurpose) -> dict[str, str]:
    with world.app.app_context():
        user = db.session.query(User).filter_by(email="polina@example.com").one()
        link = links.issue(user, purpose, clock.now())
        return {"token": links.url(link.id, "").rpartition("/")[2]}


def _confirming(world: World) -> dict[str, str]:
    return _token(world, LinkPurpose.CONFIRM_EMAIL)


def _resetting(world: World) -> dict[str, str]:
    return _token(world, LinkPurpose.RESET_PASSWORD)


def renewal_token(world: World, name: str) -> dict[str, Any]:
    """The key in the links of letters about somebody's renewal."""
    query = "SELECT max(s.id) FROM subscriptions s JOIN users u ON u.id = s.user_id WHERE u.email = :email"
    with world.app.app_context():
        found = letter_links.of_renewal(world.one(query, email=f"{name}@example.com"), "")
    return {"token": found["stop_link"].split("/")[2]}


@contextmanager
def _limits(world: World) -> Iterator[None]:
    """Tries are counted, as in production."""
    world.app.config["RATELIMIT_ENABLED"] = True
    try:
        yield
    finally:
        world.app.config["RATELIMIT_ENABLED"] = False


@contextmanager
def _broken_plans(world: World) -> Iterator[None]:
    """The page of plans fails as nobody foresaw."""
    view = world.app.view_functions["plans.index"]

    def broken(**_: Any) -> Any:
        raise LookupError("a fault of the gallery")

    world.app.view_functions["plans.index"] = broken
    try:
        yield
    finally:
        world.app.view_functions["plans.index"] = view


def _closed_shop(world: World) -> Any:
    return world.with_settings(cloudpayments_enabled="false", yookassa_enabled="false")


SCENES = (
    Scene(name="home", title="Главная", endpoint="plans.home"),
    Scene(name="home-closed", title="Главная: оплата закрыта", endpoint="plans.home", during=_closed_shop),
    Scene(name="plans", title="Тарифы", endpoint="plans.index"),
    Scene(name="plans-closed", title="Тарифы: оплата закрыта", endpoint="plans.index", during=_closed_shop),
    Scene(name="styleguide", title="Система оформления", endpoint="styleguide.index"),
    Scene(name="register", title="Регистрация", endpoint="accounts.register"),
    Scene(
        name="register-for-checkout",
        title="Регистрация по пути к оплате",
        endpoint="checkout.show",
        values={"plan_code": "PRO_MONTHLY"},
        ends_at="accounts.register",
    ),
    Scene(
        name="register-empty",
        title="Регистрация: ничего не заполнено",
        endpoint="accounts.register",
        act=_send_empty,
    ),
    Scene(
        name="register-weak",
        title="Регистрация: слабый пароль",
        endpoint="accounts.register",
        act=_known_address,
    ),
    Scene(name="login", title="Вход", endpoint="accounts.login"),
    Scene(name="login-empty", title="Вход: пустая форма", endpoint="accounts.login", act=_send_empty),
    Scene(name="login-wrong", title="Вход: неверный пароль", endpoint="accounts.login", act=_wrong_password),
    Scene(name="forgot", title="Забыли пароль", endpoint="accounts.forgot"),
    Scene(name="forgot-sent", title="Забыли пароль: письмо ушло", endpoint="accounts.forgot", act=_forget),
    Scene(name="reset", title="Новый пароль", endpoint="accounts.reset", values=_resetting),
    Scene(
        name="reset-empty",
        title="Новый пароль: пусто",
        endpoint="accounts.reset",
        values=_resetting,
        act=_send_empty,
    ),
    Scene(
        name="reset-dead",
        title="Новый пароль: ссылка не действует",
        endpoint="accounts.reset",
        values={"token": "no-such-link"},
        status=410,
    ),
    Scene(name="confirm", title="Подтверждение почты", endpoint="accounts.confirm", values=_confirming),
    Scene(
        name="confirm-dead",
        title="Подтверждение почты: ссылка не действует",
        endpoint="accounts.confirm",
        values={"token": "no-such-link"},
        status=410,
    ),
    Scene(
        name="letter-stop",
        title="Из письма: остановить продление",
        endpoint="renewal_links.ask",
        values=lambda world: renewal_token(world, "anna"),
    ),
    Scene(
        name="letter-stopped",
        title="Из письма: продление выключено",
        endpoint="renewal_links.ask",
        values=lambda world: renewal_token(world, "zoya"),
    ),
    Scene(
        name="letter-pay",
        title="Из письма: оплатить продление",
        endpoint="renewal_links.pay",
        values=lambda world: renewal_token(world, "vera"),
    ),
    Scene(
        name="letter-nothing-due",
        title="Из письма: платить не нужно",
        endpoint="renewal_links.pay",
        values=lambda world: renewal_token(world, "anna"),
    ),
    Scene(
        name="letter-dead",
        title="Из письма: ссылка не действует",
        endpoint="renewal_links.ask",
        values={"token": "no-such-link"},
        status=410,
    ),
    Scene(
        name="error-404",
        title="Страницы нет",
        endpoint="checkout.show",
        values={"plan_code": "NO_SUCH_PLAN"},
        status=404,
    ),
    Scene(
        name="error-500",
        title="Сломалось у нас",
        endpoint="plans.index",
        during=_broken_plans,
        status=500,
    ),
    Scene(
        name="error-429",
        title="Слишком часто",
        endpoint="accounts.login",
        act=_too_often,
        during=_limits,
    ),
)
