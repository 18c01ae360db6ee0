"""What browsers are told besides the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from flask import Flask

from config import Config
from tests.web.browser import Browser
from tests.web.shop import a_payment, a_period, user_of

STRICT = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "object-src": "'none'",
}
YOOKASSA = "https://yookassa.ru https://*.yookassa.ru https://yoomoney.ru https://*.yoomoney.ru"


def policy(header: str) -> dict[str, str]:
    """The directives of a policy, each named once."""
    pairs = [part.strip().partition(" ") for part in header.split(";")]
    assert len({name for name, _, _ in pairs}) == len(pairs)
    return {name: sources for name, _, sources in pairs}


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Somebody registered."""
    someone = Browser(app)
    someone.register()
    return someone


@pytest.fixture
def order(app: Flask, browser: Browser) -> str:
    """The id of a CloudPayments order that waits."""
    with app.app_context():
        return a_payment(user_of()).transaction_id


@pytest.fixture
def live(app: Flask, portal_config: Config) -> Iterator[Config]:
    """The portal as in production: https, the real widget, no sandbox."""
    config = replace(
        portal_config,
        portal_base_url="https://pay.example",
        cloudpayments_widget_url=Config.cloudpayments_widget_url,
        yookassa_api_url=Config.yookassa_api_url,
        sandbox=False,
    )
    app.extensions["portal_config"] = config
    yield config
    app.extensions["portal_config"] = portal_config


def test_a_page_is_strict(app: Flask) -> None:
    """No page may run, load or send anything but what is ours."""
    answer = Browser(app).get("/plans")

    found = policy(answer.headers["Content-Security-Policy"])
    assert re.fullmatch(r"'self' 'nonce-[\w-]{20,}'", found.pop("script-src"))
    assert found == STRICT
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "payment=()" in answer.headers["Permissions-Policy"]


def test_every_answer_has_a_nonce_of_its_own(app: Flask) -> None:
    """A nonce that is seen once is worth nothing the next time."""
    browser = Browser(app)

    assert (
        browser.get("/plans").headers["Content-Security-Policy"]
        != browser.get("/plans").headers["Content-Security-Policy"]
    )


def test_what_is_no_page_may_do_nothing(app: Flask) -> None:
    """JSON that a browser is tricked into showing runs nothing."""
    answer = Browser(app).get("/healthz")

    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_error_pages_are_strict_too(app: Flask) -> None:
    """A page that tells of an error is a page."""
    answer = Browser(app).get("/no/such/page")

    assert answer.status_code == 404
    assert policy(answer.headers["Content-Security-Policy"])["default-src"] == "'none'"


@pytest.mark.usefixtures("live")
def test_the_widget_page_lets_the_real_widget_in(browser: Browser, order: str) -> None:
    """Its script, frame, calls and pictures, its style attributes, its banks' windows: no more."""
    answer = browser.get(f"/billing/payment/{order}/")

    found = policy(answer.headers["Content-Security-Policy"])
    widget = "https://widget.cloudpayments.ru"
    assert re.fullmatch(rf"'self' 'nonce-[\w-]+' {widget}", found["script-src"])
    assert found["frame-src"] == f"{widget} https://*.cloudpayments.ru"
    assert found["connect-src"] == f"'self' {widget} https://*.cloudpayments.ru"
    assert found["img-src"] == "'self' data: https://*.cloudpayments.ru"
    assert (found["style-src"], found["style-src-attr"]) == ("'self'", "'unsafe-inline'")
    assert found["form-action"] == "'self'"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
    assert answer.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert f'payment=(self "{widget}")' in answer.headers["Permissions-Policy"]


def test_the_sandbox_s_widget_opens_no_other_host(
    browser: Browser, order: str, portal_config: Config
) -> None:
    """A configured widget address lets in its own origin and nobody else."""
    found = policy(browser.get(f"/billing/payment/{order}/").headers["Content-Security-Policy"])

    origin = portal_config.sandbox_url
    assert found["frame-src"] == origin
    assert found["connect-src"] == f"'self' {origin}"
    assert found["img-src"] == STRICT["img-src"]


def test_the_checkout_s_form_may_lead_to_yookassa(browser: Browser, portal_config: Config) -> None:
    """A browser holds the redirect after a form to form-action; the sandbox counts only under itself."""
    found = policy(browser.get("/checkout/PRO_MONTHLY").headers["Content-Security-Policy"])

    assert found["form-action"] == f"'self' {YOOKASSA} {portal_config.sandbox_url}"


@pytest.mark.usefixtures("live")
def test_in_production_the_checkout_leads_to_yookassa_only(browser: Browser) -> None:
    """No other host stands in form-action."""
    found = policy(browser.get("/checkout/PRO_MONTHLY").headers["Content-Security-Policy"])

    assert found["form-action"] == f"'self' {YOOKASSA}"


def test_https_is_kept_to_once_seen(app: Flask, live: Config) -> None:
    """Strict-Transport-Security is sent where customers come by https."""
    assert Browser(app).get("/plans").headers["Strict-Transport-Security"] == "max-age=31536000"


def test_plain_http_promises_no_https(app: Flask) -> None:
    """On a developer's machine the header would lock the browser out."""
    assert "Strict-Transport-Security" not in Browser(app).get("/plans").headers


@pytest.mark.parametrize("path", ("/", "/plans", "/dashboard/", "/checkout/PRO_MONTHLY", "/account/"))
def test_a_person_s_pages_are_kept_nowhere(browser: Browser, path: str) -> None:
    """After signing out, "back" shows nothing, and no proxy keeps a copy."""
    assert browser.get(path).headers["Cache-Control"] == "no-store"


def test_a_visitor_s_page_is_asked_for_again(app: Flask) -> None:
    """It holds a token of this visitor's session."""
    assert Browser(app).get("/plans").headers["Cache-Control"] == "private, no-cache"


def test_static_files_are_kept_under_their_mark(app: Flask) -> None:
    """With its mark a file never changes; without one it may."""
    browser = Browser(app)
    marked = re.search(r'href="(/static/css/portal\.css\?v=\w+)"', browser.get("/plans").text)
    assert marked

    with browser.get(marked[1]) as kept, browser.get("/static/css/portal.css") as bare:
        assert "immutable" in kept.headers["Cache-Control"]
        assert "immutable" not in bare.headers["Cache-Control"]


class Watcher(HTMLParser):
    """Collects what a strict policy would refuse, and whom a page would ask for something."""

    def __init__(self) -> None:
        """Begin with nothing found."""
        super().__init__()
        self.refused: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.refused += [f"{tag} {name}" for name in found if name == "style" or name.startswith("on")]
        if tag == "style" or (
            tag == "script" and "src" not in found and found.get("type") != "application/json"
        ):
            self.refused.append(tag)
        if tag in {"script", "link", "img", "iframe", "source"}:
            self.loaded += [str(found[name]) for name in ("src", "href") if name in found]


def test_no_page_carries_scripts_or_styles_or_asks_strangers(
    app: Flask, browser: Browser, order: str
) -> None:
    """No inline script, style or handler, and nothing loaded from anybody else, on any page of the shop."""
    with app.app_context():
        paid = a_payment(user_of(), status="succeeded")
        a_period(user_of(), paid, paid.created_at)
        unknown = a_payment(user_of(), "START_MONTHLY", "unknown", "yookassa").transaction_id
    paths = (
        "/",
        "/plans",
        "/checkout/PRO_MONTHLY",
        f"/billing/payment/{order}/",
        f"/billing/payment/{order}/return",
        f"/billing/payment/{unknown}/return",
        f"/billing/payment/{paid.transaction_id}/return",
        "/dashboard/",
        "/dashboard/payments",
    )

    for path in paths:
        answer = browser.get(path)
        watcher = Watcher()
        watcher.feed(answer.text)
        assert answer.status_code == 200, path
        assert not watcher.refused, path
        assert watcher.loaded, path
        assert all(url.startswith("/static/") for url in watcher.loaded), path


def test_the_widget_page_s_data_carries_the_nonce(browser: Browser, order: str) -> None:
    """The one element with contents of its own is under this answer's number."""
    answer = browser.get(f"/billing/payment/{order}/")

    number = re.search(r"'nonce-([\w-]+)'", answer.headers["Content-Security-Policy"])
    assert number
    assert f'id="widget-parameters" nonce="{number[1]}"' in re.sub(r"\s+", " ", answer.text)
