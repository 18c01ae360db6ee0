from __future__ import annotations

import pytest

from portal.gateways.yookassa.hosts import is_payment_page

PRODUCTION = "https://api.yookassa.ru/v3"
SANDBOX = "http://127.0.0.1:8001/yookassa/v3"


@pytest.mark.parametrize(
    "url",
    (
        "https://yoomoney.ru/checkout/payments/v2/contract?orderId=30ea8d53-000f-5001-9000-1c965a6160df",
        "https://yookassa.ru/x",
        "https://3ds.yookassa.ru/x",
        "HTTPS://YooMoney.RU/x",
        "https://yoomoney.ru:443/x",
    ),
)
def test_yookassas_own_pages_are_accepted(url: str) -> None:
    """Its two domains and what is below them, over https."""
    assert is_payment_page(url, PRODUCTION)
    assert is_payment_page(url, SANDBOX)


@pytest.mark.parametrize(
    "url",
    (
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "//yoomoney.ru/x",
        "/x",
        "yoomoney.ru",
        "http://yoomoney.ru/x",
        "ftp://yoomoney.ru/x",
        "https://yoomoney.ru.evil.example/x",
        "https://evilyoomoney.ru/x",
        "https://evil.example/yoomoney.ru",
        "https://evil.example?yoomoney.ru",
        "https://evil.example#yoomoney.ru",
        "https://yoomoney.ru@evil.example/x",
        "https://user@yoomoney.ru/x",
        "https://evil.example\\@yoomoney.ru/x",
        "https://evil.example\\.yoomoney.ru/x",
        "https://yoomoney.ru\n.evil.example/",
        "https://yoo\tmoney.ru/",
        " https://yoomoney.ru/",
        "https://yoomoney.ru /",
        "https://yoomoney.ru./x",
        "https://уoomoney.ru/x",
        "https://yoomoney。ru/x",
        "https://[::1/x",
        "https://yoomoney.ru:99999/x",
        "https:///yoomoney.ru",
        "https:yoomoney.ru",
        "https://127.0.0.1/x",
        "http://127.0.0.1:8001/x",
    ),
)
def test_nothing_that_merely_looks_like_it_is_accepted(url: str) -> None:
    """No other host, scheme, user, or trick of spelling sends a customer away."""
    assert not is_payment_page(url, PRODUCTION)


def test_a_simulators_pages_are_accepted_only_from_its_own_host() -> None:
    """With another API address configured its host is trusted as well, and nobody else's."""
    assert is_payment_page("http://127.0.0.1:8001/yookassa/pay/1", SANDBOX)
    assert not is_payment_page("http://127.0.0.2:8001/yookassa/pay/1", SANDBOX)
    assert not is_payment_page("http://user@127.0.0.1:8001/yookassa/pay/1", SANDBOX)
