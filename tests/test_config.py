from __future__ import annotations

import pytest

from config import Config, ConfigError, load

PRODUCTION = {
    "SECRET_KEY": "0123456789" * 5,
    "SETTINGS_ENCRYPTION_KEYS": "dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGVzdHMtdGU=",
    "DATABASE_URL": "postgresql://portal@db.example/portal",
    "REDIS_URL": "redis://redis.example/0",
    "PORTAL_BASE_URL": "https://shop.example/",
    "YOOKASSA_SHOP_ID": "100500",
    "YOOKASSA_SECRET_KEY": "live_canary-one",
    "CLOUDPAYMENTS_PUBLIC_ID": "pk_0123",
    "CLOUDPAYMENTS_API_SECRET": "canary-two",
}
SANDBOX = PRODUCTION | {
    "SANDBOX": "1",
    "PORTAL_BASE_URL": "http://127.0.0.1:8000",
    "YOOKASSA_API_URL": "http://127.0.0.1:8001/yookassa/v3",
    "CLOUDPAYMENTS_API_URL": "http://localhost:8001/cloudpayments",
    "SANDBOX_URL": "http://[::1]:8001",
}


def refusal(environment: dict[str, str]) -> str:
    """The one sentence with which a start ends."""
    with pytest.raises(ConfigError) as ended:
        load(environment)
    sentence = str(ended.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    for name in ("SECRET_KEY", "YOOKASSA_SECRET_KEY", "CLOUDPAYMENTS_API_SECRET"):
        assert not environment.get(name) or environment[name] not in sentence
    return sentence


def test_production_starts() -> None:
    """With everything given, and the defaults for the rest, production is read as typed values."""
    config = load(PRODUCTION)
    assert config.database_url == "postgresql+psycopg://portal@db.example/portal"
    assert config.portal_base_url == "https://shop.example"
    assert config.secure
    assert config.yookassa_webhook_networks is None
    assert (config.sandbox, config.billing_recurring_enabled, config.cloudpayments_test_mode) == (False,) * 3
    assert (config.trusted_proxies, config.rate_limits, config.log_format) == (0, True, "json")
    assert config.tz_display == "Europe/Moscow"


def test_the_sandbox_starts_on_this_machine() -> None:
    """With the sandbox on, loopback addresses in any spelling are taken."""
    assert load(SANDBOX).sandbox


@pytest.mark.parametrize(
    "name", ("SECRET_KEY", "SETTINGS_ENCRYPTION_KEYS", "DATABASE_URL", "REDIS_URL", "PORTAL_BASE_URL")
)
@pytest.mark.parametrize("value", (None, ""))
@pytest.mark.parametrize("environment", (PRODUCTION, SANDBOX), ids=("production", "sandbox"))
def test_what_nothing_works_without_is_named(
    environment: dict[str, str], name: str, value: str | None
) -> None:
    """A missing or empty essential ends the start with a sentence that names it."""
    left = {key: said for key, said in environment.items() if key != name}
    assert name in refusal(left if value is None else left | {name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    (
        ("SECRET_KEY", "0123456789"),
        ("SETTINGS_ENCRYPTION_KEYS", "canary"),
        ("SETTINGS_ENCRYPTION_KEYS", PRODUCTION["SETTINGS_ENCRYPTION_KEYS"] + ",ключ"),
        ("DATABASE_URL", "sqlite:///portal.db"),
        ("DATABASE_URL", "mysql://db.example/portal"),
        ("PORTAL_BASE_URL", "shop.example"),
        ("PORTAL_BASE_URL", "ftp://shop.example"),
        ("YOOKASSA_SHOP_ID", ""),
        ("YOOKASSA_SECRET_KEY", ""),
        ("CLOUDPAYMENTS_PUBLIC_ID", ""),
        ("CLOUDPAYMENTS_API_SECRET", ""),
        ("CLOCK_FILE", "clock"),
        ("MAIL_SANDBOX_URL", "http://127.0.0.1:8001/mailbox"),
        ("SANDBOX_URL", "http://127.0.0.1:8001"),
        ("TRUSTED_PROXIES", "one"),
        ("TRUSTED_PROXIES", "-1"),
        ("TRUSTED_PROXIES", "１"),
        ("MAIL_PORT", "smtp"),
        ("BILLING_RECURRING_ENABLED", "maybe"),
        ("CLOUDPAYMENTS_TEST_MODE", "2"),
        ("SANDBOX", "please"),
    ),
)
def test_what_cannot_be_served_safely_is_refused(name: str, value: str) -> None:
    """Each refused production start names the setting that is wrong."""
    told = refusal(PRODUCTION | {name: value})
    assert name in told
    assert "canary" not in told


@pytest.mark.parametrize(
    ("name", "value"),
    (
        ("PORTAL_BASE_URL", "https://shop.example"),
        ("PORTAL_BASE_URL", "http://127.0.0.1.shop.example"),
        ("PORTAL_BASE_URL", "http://192.168.0.1"),
        ("YOOKASSA_API_URL", "https://api.yookassa.ru/v3"),
        ("YOOKASSA_API_URL", "http://localhost.example/v3"),
        ("CLOUDPAYMENTS_API_URL", "https://api.cloudpayments.ru"),
        ("SANDBOX_URL", "http://sandbox.example"),
        ("MAIL_SANDBOX_URL", "http://mailbox.example/mailbox"),
    ),
)
def test_the_sandbox_is_refused_where_anybody_could_reach_it(name: str, value: str) -> None:
    """Play money, and real gateways with demo accounts before them, are refused by the address's name."""
    sentence = refusal(SANDBOX | {name: value})
    assert sentence.startswith("SANDBOX=1 is refused in production")
    assert name in sentence


def test_the_sandbox_does_not_default_to_real_gateways() -> None:
    """Without addresses the gateways would be the real ones, so the sandbox does not start."""
    for name in ("YOOKASSA_API_URL", "CLOUDPAYMENTS_API_URL"):
        assert name in refusal({key: said for key, said in SANDBOX.items() if key != name})


@pytest.mark.parametrize("scheme", ("postgres", "postgresql", "postgresql+psycopg"))
def test_every_spelling_of_postgresql(scheme: str) -> None:
    """Whatever a provider calls the scheme, psycopg 3 is the driver."""
    config = load(PRODUCTION | {"DATABASE_URL": f"{scheme}://db.example/portal"})
    assert config.database_url == "postgresql+psycopg://db.example/portal"


@pytest.mark.parametrize(
    ("text", "flag"), (("1", True), ("TRUE", True), (" on ", True), ("no", False), ("0", False))
)
def test_flags_are_read_as_people_write_them(text: str, flag: bool) -> None:
    """Yes and no in the usual spellings."""
    assert load(PRODUCTION | {"BILLING_RECURRING_ENABLED": text}).billing_recurring_enabled is flag


def test_lists_are_separated_by_commas() -> None:
    """Networks come as lists; an empty one for CloudPayments means that the signature decides."""
    config = load(
        PRODUCTION
        | {"YOOKASSA_WEBHOOK_NETWORKS": "10.0.0.0/8, ::1/128,", "CLOUDPAYMENTS_WEBHOOK_NETWORKS": " , "}
    )
    assert config.yookassa_webhook_networks == ("10.0.0.0/8", "::1/128")
    assert config.cloudpayments_webhook_networks == ()


def test_secrets_do_not_show() -> None:
    """A configuration that is printed by mistake shows none of its secrets."""
    shown = repr(
        load(PRODUCTION | {"MAIL_PASSWORD": "canary-three", "REDIS_URL": "redis://:canary-four@r/0"})
    )
    for secret in ("canary", PRODUCTION["SECRET_KEY"], PRODUCTION["SETTINGS_ENCRYPTION_KEYS"], "db.example"):
        assert secret not in shown
    assert isinstance(load(PRODUCTION), Config)


def test_without_https_cookies_are_not_secure() -> None:
    """Over plain http a Secure cookie would never come back."""
    assert not load(PRODUCTION | {"PORTAL_BASE_URL": "http://127.0.0.1:8000"}).secure
