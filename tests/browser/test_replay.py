"""An operator replays a failed notification in a real browser: found in the log, tried, applied."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from portal.billing import inbox
from portal.models import Role
from tests.browser.conftest import an_operator
from tests.browser.test_cancel import fits
from tests.desk import Desk


def test_a_failed_notification_is_replayed(page: Page, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log shows what a fault of ours kept waiting, the trial shows the plan, the click gives it."""
    ira = desk.customer()
    order = ira.order("cloudpayments")["transaction_id"]

    def broken(*_: Any) -> None:
        raise LookupError

    with monkeypatch.context() as fault:
        fault.setattr(inbox.cloudpayments_events, "apply", broken)
        desk.sandbox.pay("cloudpayments", order)
        assert desk.sandbox.world.notifier.settle(20)
    an_operator(page, desk, Role.OWNER)

    page.goto(f"{desk.url}/admin/webhook-events/?flt0_status=received")
    page.locator("tbody tr", has_text="LookupError").get_by_role("link").first.click()
    main = page.locator("main")
    expect(main).to_contain_text(order)
    fits(page)
    page.get_by_role("link", name="Применить ещё раз…").click()
    expect(main).to_contain_text("изменит данные")
    expect(main).to_contain_text("Новый оплаченный период")
    fits(page)
    assert ira.status(order, "cloudpayments")["status"] == "pending"
    page.get_by_label("Причина").fill("ошибка исправлена")
    page.get_by_role("button", name="Применить ещё раз").click()

    expect(main).to_contain_text("Применено.")
    expect(main).to_contain_text("применено")
    assert ira.status(order, "cloudpayments")["status"] == "succeeded"
    assert "Про" in ira.get("/dashboard/").text
