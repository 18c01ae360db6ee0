"""The shop's settings in the desk: set, refused with a sentence, given back; secrets never shown again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from config import Config
from portal import create_app, secrets
from portal.admin.setting_words import BY_NAME, GROUPS
from portal.billing import audit, settings
from portal.billing.audit import Subject
from portal.database import db
from portal.models import Setting
from tests.desk import Browser, Desk

SECRET = "a-secret-typed-in-the-desk-42"
SETTINGS = "/admin/settings/"


def in_force(desk: Desk) -> settings.ShopSettings:
    with desk.app.app_context():
        settings.forget()
        return settings.current()


def test_every_setting_is_explained_once(app: Flask) -> None:
    """Nothing that can be set is missing in the desk, and nothing there is invented."""
    assert set(BY_NAME) == set(settings.kinds())
    assert sum(len(group.settings) for group in GROUPS) == len(BY_NAME)


def test_a_group_is_set_and_says_whence_its_values_come(desk: Desk, owner: Browser) -> None:
    """What is typed is in force at once, stands as set here, and the audit has before and after."""
    typed = {"auto_renewal_enabled": "false", "auto_renewal_days_before": "5", "retry_schedule": "0, 2, 4"}

    saved = owner.send(SETTINGS + "renewal", **typed, grace_days="5")

    assert saved.status_code == 200
    assert "Сохранено." in saved.text
    shop = in_force(desk)
    assert (shop.auto_renewal_enabled, shop.auto_renewal_days_before) == (False, 5)
    assert shop.retry_schedule == "0,2,4"
    page = owner.get(SETTINGS).text
    assert "задано здесь" in page
    assert "из окружения" in page  # the gateways' credentials
    assert "по умолчанию" in page
    with desk.app.app_context():
        (entry,) = audit.of(Subject("setting", "auto_renewal_days_before"))
        assert (entry.before, entry.after) == ({"value": 3}, {"value": 5})
        assert audit.of(Subject("setting", "grace_days")) == []  # what was not changed is not told of


def test_one_wrong_text_keeps_the_whole_form_and_changes_nothing(desk: Desk, owner: Browser) -> None:
    """Each wrong field has its sentence, what was typed is still there, and nothing of it is in force."""
    typed = {"auto_renewal_enabled": "false", "auto_renewal_days_before": "soon", "retry_schedule": "3,1"}

    refused = owner.send(SETTINGS + "renewal", **typed, grace_days="7")

    assert refused.status_code == 400
    assert "нужно целое число от 0 до 30" in refused.text
    assert "первое число 0, дальше по возрастанию" in refused.text
    for text in ('value="soon"', 'value="3,1"', 'value="7"'):
        assert text in refused.text
    shop = in_force(desk)
    assert (shop.auto_renewal_enabled, shop.grace_days) == (True, 5)


@pytest.mark.parametrize(
    ("key", "name", "text"),
    (
        ("seller", "seller_inn", "12345"),
        ("seller", "seller_email", "not an address"),
        ("seller", "offer_url", "javascript:alert(1)"),
        ("refunds", "refund_policy", "everything"),
        ("yookassa", "yookassa_shop_id", "shop"),
        ("cloudpayments", "cloudpayments_public_id", "pk 1"),
        ("cloudpayments", "cloudpayments_test_mode", "maybe"),
    ),
)
def test_what_cannot_be_meant_is_refused(desk: Desk, owner: Browser, key: str, name: str, text: str) -> None:
    """A text that cannot be that setting is refused with a sentence, whatever the browser let through."""
    before = in_force(desk)
    group = next(one for one in GROUPS if one.key == key)
    form = {told.name: str(getattr(before, told.name)).lower() for told in group.settings}
    secret = {told: "" for told in form if told in settings.SECRETS}

    refused = owner.send(SETTINGS + key, **{**form, **secret, name: text})

    assert refused.status_code == 400
    assert "field__error" in refused.text
    assert in_force(desk) == before


def test_a_secret_is_replaced_and_never_readable(desk: Desk, owner: Browser) -> None:
    """It is sealed in the database, masked on every page, absent from the audit; empty leaves it alone."""
    form = {"cloudpayments_public_id": "pk_new", "cloudpayments_test_mode": "true"}
    form |= {"cloudpayments_enabled": "true"}
    form |= {"cloudpayments_relay_signature": "false"}

    saved = owner.send(SETTINGS + "cloudpayments", **form, cloudpayments_api_secret=SECRET)

    assert in_force(desk).cloudpayments_api_secret == SECRET
    pages = [saved, owner.get(SETTINGS), owner.get(SETTINGS + "cloudpayments"), owner.get("/admin/audit/")]
    pages.append(owner.send(SETTINGS + "cloudpayments", **{**form, "cloudpayments_public_id": "a b"}))
    pages.append(owner.get(SETTINGS + "give-back/cloudpayments_api_secret"))
    for page in pages:
        assert SECRET not in page.text
        assert SECRET[:-2] not in page.text
    assert secrets.mask(SECRET) in pages[1].text
    with desk.app.app_context():
        row = db.session.get_one(Setting, "cloudpayments_api_secret")
        assert row.value is None
        raw = db.session.execute(
            db.text("SELECT secret FROM settings WHERE name = 'cloudpayments_api_secret'")
        ).scalar_one()
        assert SECRET.encode() not in bytes(raw)
        (entry,) = audit.of(Subject("setting", "cloudpayments_api_secret"))
        assert (entry.act, entry.before, entry.after) == ("setting-replaced", {}, {})

    owner.send(SETTINGS + "cloudpayments", **form, cloudpayments_api_secret="")
    assert in_force(desk).cloudpayments_api_secret == SECRET


def test_a_value_is_given_back_to_the_environment(desk: Desk, owner: Browser) -> None:
    """The page says what will count again; after it the environment's value does."""
    first = in_force(desk).yookassa_shop_id
    owner.send(
        SETTINGS + "yookassa", yookassa_enabled="true", yookassa_shop_id="424242", yookassa_secret_key=""
    )
    assert in_force(desk).yookassa_shop_id == "424242"

    asked = owner.get(SETTINGS + "give-back/yookassa_shop_id").text
    assert "424242" in asked
    assert first in asked
    owner.send(SETTINGS + "give-back/yookassa_shop_id")

    assert in_force(desk).yookassa_shop_id == first
    with desk.app.app_context():
        assert audit.of(Subject("setting", "yookassa_shop_id"))[-1].after == {"value": first}


def test_another_process_sees_it_without_a_restart(
    desk: Desk, owner: Browser, portal_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second application on the same database has the new value once its own look is old enough."""
    other = create_app(replace(portal_config, portal_base_url=desk.url))
    moment = 1000.0
    monkeypatch.setattr(settings.time, "monotonic", lambda: moment)
    try:
        with other.app_context():
            assert settings.current().grace_days == 5
            renewal = {"auto_renewal_enabled": "true", "auto_renewal_days_before": "3"}
            owner.send(SETTINGS + "renewal", **renewal, retry_schedule="0,1,3,7", grace_days="9")
            moment += settings.FRESH_SECONDS
            assert settings.current().grace_days == 9
    finally:
        with other.app_context():
            db.engine.dispose()


def test_a_change_asks_once_more_who_is_there(desk: Desk, owner: Browser) -> None:
    """Whoever finds the desk open an hour after the password cannot send the shop's money elsewhere."""
    with desk.app.app_context():
        db.session.execute(
            db.text("UPDATE user_sessions SET password_at = password_at - interval '11 minutes'")
        )
        db.session.commit()

    assert owner.get(SETTINGS, allow_redirects=False).status_code == 200
    sent = owner.send(
        SETTINGS + "yookassa", yookassa_enabled="true", yookassa_shop_id="666", yookassa_secret_key="t"
    )

    assert "/desk" in sent.url
    assert in_force(desk).yookassa_shop_id == "100500"
