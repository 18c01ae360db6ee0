"""What brings the pages of a payment into their states: the shop's switches, and what a person does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator, Page, Route

    from dev.gallery.world import World

_SUBMIT = "main form button[type=submit]"


def one_time(world: World) -> Any:
    """BILLING_RECURRING_ENABLED=false: nothing is saved and nothing repeats."""
    return world.configured(billing_recurring_enabled=False)


def closed_shop(world: World) -> Any:
    """Both gateways are switched off."""
    return world.with_settings(cloudpayments_enabled="false", yookassa_enabled="false")


def only_yookassa(world: World) -> Any:
    """One gateway is switched off."""
    return world.with_settings(cloudpayments_enabled="false")


@contextmanager
def no_recurring_there(world: World) -> Iterator[None]:
    """YooKassa has not allowed this shop to keep methods."""
    world.shop.control("settings", yookassa_recurring=False)
    try:
        yield
    finally:
        world.shop.control("settings", yookassa_recurring=True)


@contextmanager
def yookassa_refuses(world: World) -> Iterator[None]:
    """Its answers are refusals that did nothing."""
    world.shop.control("faults", gateway="yookassa", operation="*", fault="http_429", times=99)
    try:
        yield
    finally:
        world.shop.no_more_faults()


@contextmanager
def yookassa_is_down(world: World) -> Iterator[None]:
    """Whatever it is asked, it fails."""
    world.shop.control("faults", gateway="yookassa", operation="*", fault="http_500", times=99)
    try:
        yield
    finally:
        world.shop.no_more_faults()


def send_empty(page: Page, _world: World) -> None:
    """Press the button of an empty form."""
    page.locator(_SUBMIT).last.click()
    page.locator("[aria-invalid=true]").first.wait_for()


def agree(page: Page, _world: World) -> None:
    """Tick the box of renewals: the order says what is charged next."""
    page.check("input[name=accept_recurring]")


def _order(page: Page, *, recurring: bool = False) -> None:
    page.check("input[name=gateway][value=yookassa]", force=True)
    page.check("input[name=accept_offer]")
    if recurring:
        page.check("input[name=accept_recurring]")
    page.locator(_SUBMIT).last.click()
    page.wait_for_load_state()


def order_once(page: Page, _world: World) -> None:
    """Order at YooKassa, without renewal."""
    _order(page)


def order_with_renewal(page: Page, _world: World) -> None:
    """Order at YooKassa, and agree to renewals."""
    _order(page, recurring=True)


def new_order(gateway: str) -> Any:
    """The address of an order that has just been made there."""
    return lambda world: {"transaction_id": world.order("polina", gateway)}


def last(name: str) -> Any:
    """The address of what somebody ordered last."""
    return lambda world: {"transaction_id": world.last_payment(name)}


def paid(world: World) -> dict[str, str]:
    """The address of a payment that gave a plan."""
    query = (
        "SELECT p.transaction_id FROM payments p JOIN users u ON u.id = p.user_id WHERE u.email = :email"
        " AND p.status = 'succeeded' ORDER BY p.id DESC LIMIT 1"
    )
    return {"transaction_id": world.one(query, email="kseniya@example.com")}


def gone_back(world: World) -> dict[str, str]:
    """The address of a payment whose money went back."""
    query = (
        "SELECT transaction_id FROM payments WHERE refunded_amount > 0 AND user_id = (SELECT id FROM users"
    )
    return {"transaction_id": world.one(f"{query} WHERE email = 'gleb@example.com') LIMIT 1")}


def held(world: World) -> dict[str, str]:
    """The bank has said yes, and the money is not taken yet."""
    order = world.order("polina", plan="START_MONTHLY")
    world.sql("UPDATE payments SET status = 'authorized' WHERE transaction_id = :order", order=order)
    return {"transaction_id": order}


def _form(page: Page) -> FrameLocator:
    return page.frame_locator("iframe[src*='/cloudpayments/']")


def wait_for_form(page: Page, _world: World) -> None:
    """Until the widget's form is there."""
    _form(page).locator("input[name=card_number]").wait_for()


def close_form(page: Page, world: World) -> None:
    """Close the widget's form without paying."""
    wait_for_form(page, world)
    frame = page.frame(name="cloudpayments-widget")
    assert frame is not None
    frame.wait_for_load_state()
    _form(page).locator("[data-close]").first.click()
    page.locator("[data-state=closed]").wait_for()


def _pay(page: Page, world: World, card: str) -> None:
    wait_for_form(page, world)
    form = _form(page)
    form.locator("input[name=card_number]").fill(card)
    form.locator("input[name=expiry]").fill("12/30")
    form.locator("input[name=csc]").fill("123")
    form.get_by_role("button", name="Оплатить 990").click()


def declined(page: Page, world: World) -> None:
    """Pay with a card that is blocked, and close the form."""
    _pay(page, world, "4000 0000 0000 0002")
    button = _form(page).get_by_role("button", name="Закрыть").last
    button.wait_for()
    frame = page.frame(name="cloudpayments-widget")
    assert frame is not None
    frame.wait_for_load_state()
    button.click()
    page.locator("[data-state=declined]").wait_for()


def bank_asks(page: Page, world: World) -> None:
    """Pay, until the bank's page asks for the code."""
    _pay(page, world, "4242 4242 4242 4242")
    _form(page).get_by_role("button", name="Подтвердить").wait_for()


def _again_with_script(page: Page, what: Any) -> None:
    """Load the page once more while the widget's script is held up, or refused."""
    page.route("**/cloudpayments.js", what)
    page.reload()


def loading(page: Page, _world: World) -> None:
    """The widget's script is on its way and does not come."""

    def never(_route: Route) -> None:
        """Say nothing."""

    page.route("**/cloudpayments.js", never)
    page.reload(wait_until="domcontentloaded")
    page.locator("[data-state=loading]").wait_for()


def blocked(page: Page, _world: World) -> None:
    """The widget's script is refused, as by an extension of the browser."""
    _again_with_script(page, lambda route: route.abort())
    page.locator("[data-state=blocked]").wait_for()


def waits_long(page: Page, _world: World) -> None:
    """Half a minute later nothing is known yet."""
    page.clock.install()
    page.reload()
    for _ in range(8):
        page.clock.run_for(5_000)
        page.wait_for_timeout(60)
    page.get_by_text("Ответа пока нет").wait_for()


def gets_paid(page: Page, world: World) -> None:
    """The page is open while the money comes."""
    order = page.url.rstrip("/").split("/")[-2]
    world.shop.control("pay", gateway="yookassa", transaction_id=order, card="5555555555554444")
    page.get_by_role("heading", name="Оплачено").wait_for()


def yookassa_first(world: World) -> Any:
    """YooKassa is offered first."""
    return world.with_settings(first_gateway="yookassa")


def binding(world: World) -> dict[str, str]:
    """The address of an order of one rouble, by which a card is saved at CloudPayments."""
    world.people["rita"].send("/dashboard/payment-methods/add", gateway="cloudpayments")
    return {"transaction_id": world.last_payment("rita")}


def bound(world: World) -> dict[str, str]:
    """The same once it is paid and the rouble is on its way back."""
    found = binding(world)
    world.shop.control("pay", gateway="cloudpayments", card="5555555555554444", **found)
    return found


def over(world: World) -> dict[str, str]:
    """The address of an order whose time is over and that nobody paid."""
    order = world.order("ulyana", "cloudpayments", "START_MONTHLY")
    world.sql(
        "UPDATE payments SET created_at = created_at - interval '2 days', expires_at = expires_at -"
        " interval '2 days' WHERE transaction_id = :order",
        order=order,
    )
    return {"transaction_id": order}
