"""An exception becomes one answer: JSON for a program, a page for a person."""

from __future__ import annotations

import html
import logging
import re

import pytest
from flask import Flask, abort
from sqlalchemy.exc import OperationalError

from portal.accounts.throttle import TooOften
from portal.billing import plans
from portal.errors import NotFound, PortalError
from portal.gateways.base import GatewayForbidden, GatewayUnknown
from portal.web import filters, guards
from tests.web.browser import Browser

JSON = {"Accept": "application/json"}


def breaks(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let the page of plans fail this way."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(plans, "on_sale", fail)


@pytest.fixture
def live(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The application as in production: an unforeseen exception becomes an answer."""
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    return app


@pytest.mark.parametrize(
    ("error", "status", "code"),
    (
        (NotFound(), 404, "NOT_FOUND"),
        (PortalError("Сегодня нельзя.", code="NOT_TODAY"), 500, "NOT_TODAY"),
        (GatewayForbidden(), 403, "YOOKASSA_FORBIDDEN"),
        (GatewayUnknown(), 502, "GATEWAY_UNAVAILABLE"),
        (TooOften(7), 429, "RATE_LIMITED"),
        (RuntimeError("boom"), 500, "INTERNAL_ERROR"),
        (OperationalError("SELECT 1", {}, Exception("password=hunter2")), 500, "INTERNAL_ERROR"),
    ),
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_every_error_has_two_forms(
    live: Flask, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    """A program reads code and message, a person the same message on a page, both with the fitting status."""
    breaks(monkeypatch, error)
    client = live.test_client()

    told, shown = client.get("/plans", headers=JSON), client.get("/plans")

    assert told.status_code == shown.status_code == status
    assert told.json.keys() == {"error"}
    assert told.json["error"].keys() == {"code", "message"}
    assert told.json["error"]["code"] == code
    assert shown.mimetype == "text/html"
    assert told.json["error"]["message"] in shown.text
    assert "hunter2" not in told.text + shown.text
    assert "boom" not in told.text + shown.text


def test_too_often_says_when_to_come_back(live: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 429 carries Retry-After in whole seconds."""
    breaks(monkeypatch, TooOften(7))

    assert live.test_client().get("/plans").headers["Retry-After"] == "7"


def test_yookassas_refusal_has_a_page_of_its_own(live: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal is 403, never 502, speaks the seed's sentence and leads to another way of paying."""
    breaks(monkeypatch, GatewayForbidden())

    answer = live.test_client().get("/plans")

    assert answer.status_code == 403
    assert (
        "Платёжная система временно недоступна. Попробуйте позже или свяжитесь с поддержкой." in answer.text
    )
    assert "<h1>Так заплатить не получится</h1>" in answer.text
    assert "Деньги не списаны" in answer.text
    assert 'href="/plans"' in answer.text


@pytest.mark.parametrize("path", ("/no/such/page", "/billing/api/no/such/", "/api/v1/no/such"))
def test_what_does_not_exist(live: Flask, path: str) -> None:
    """An unknown address is 404: JSON below the APIs, a Russian page elsewhere."""
    answer = live.test_client().get(path)

    assert answer.status_code == 404
    if path.startswith("/no"):
        assert "Ничего не нашлось" in answer.text
    else:
        assert answer.json["error"]["code"] == "NOT_FOUND"


def test_a_wrong_method_keeps_its_allow(live: Flask) -> None:
    """A 405 names the methods that there are."""
    answer = live.test_client().delete("/plans", headers=JSON)

    assert (answer.status_code, answer.json["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("path", ("/login", "/billing/webhook/cloudpayments/"))
def test_a_huge_body_is_refused(live: Flask, path: str) -> None:
    """More than a megabyte answers 413 before anything is made of it."""
    body = b"x" * (live.config["MAX_CONTENT_LENGTH"] + 1)

    answer = live.test_client().post(path, data=body, content_type="application/x-www-form-urlencoded")

    assert answer.status_code == 413


def test_a_status_without_words_of_its_own_is_told_too(live: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other HTTP error keeps its status and speaks a known sentence."""

    def teapot() -> None:
        abort(418)

    monkeypatch.setattr(plans, "on_sale", teapot)

    answer = live.test_client().get("/plans", headers=JSON)

    assert (answer.status_code, answer.json["error"]["code"]) == (418, "INVALID_REQUEST")


def test_a_failure_is_found_by_its_number(
    live: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The page shows the number under which the log keeps the traceback, once."""
    breaks(monkeypatch, RuntimeError("boom"))

    with caplog.at_level(logging.INFO):
        answer = live.test_client().get("/plans")

    number = answer.headers["X-Error-Number"]
    assert number in answer.text
    (line,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert number in line.getMessage()
    assert isinstance(line.exc_info[1], RuntimeError)


def test_a_persons_mistake_is_one_line(live: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """A 4xx is noted in one line without a traceback."""
    with caplog.at_level(logging.INFO):
        live.test_client().get("/no/such/page")

    (line,) = [record for record in caplog.records if record.name == "portal.web.errors"]
    assert (line.levelno, line.exc_info) == (logging.INFO, None)
    assert line.getMessage() == "GET /no/such/page -> 404 NOT_FOUND"


def test_the_log_holds_no_token_of_a_letter(
    live: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The path of a letter's link opens an account, so lines name the route instead."""
    from portal.accounts import links

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(links, "holder", fail)
    with caplog.at_level(logging.DEBUG):
        live.test_client().get("/password/reset/s3cr3t-t0ken")

    assert "/password/reset/<token>" in caplog.text
    assert "s3cr3t-t0ken" not in caplog.text


def test_the_page_of_a_failure_needs_nothing_that_may_have_failed(
    live: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With sessions and settings out of reach (the database is down) a person still reads a page, a program
    JSON.
    """
    asked: list[str] = []

    def away(*_: object) -> None:
        asked.append("asked")
        raise OperationalError("SELECT 1", {}, Exception("the database is down"))

    monkeypatch.setattr(guards.sessions, "find", away)
    monkeypatch.setattr(filters.settings, "current", away)
    client = live.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = "somebody"

    shown, told = client.get("/account/"), client.get("/account/", headers=JSON)

    assert asked
    assert shown.status_code == told.status_code == 500
    assert "Что-то сломалось" in shown.text
    assert told.json["error"]["code"] == "INTERNAL_ERROR"


def said(page: str) -> str:
    """The page's own words, without its tags."""
    main = page.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"[\s\N{NO-BREAK SPACE}]+", " ", html.unescape(re.sub(r"<[^>]+>", " ", main)))


def steps(page: str) -> list[str]:
    """Where the page's buttons lead, in their order."""
    return re.findall(r'<a class="button [^"]+"\s+href="([^"]+)"', page)


MONEY = {
    400: "деньги не списаны",
    403: "деньги не списаны",
    404: "На оплату и тариф это не влияет",
    405: "На оплату и тариф это не влияет",
    413: "деньги не списаны",
    418: "деньги не списаны",
    429: "деньги не списаны",
    500: "второй раз не платите",
    502: "второй раз платить не нужно",
    503: "ничего не списывается",
    504: "второй раз не платите",
}


@pytest.mark.parametrize("status", MONEY)
def test_every_error_says_what_became_of_the_money(
    live: Flask, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """What happened, what it means for the money, and a step that leads on."""
    error = PortalError("Так вышло.", code="SO")
    error.status = status
    breaks(monkeypatch, error)

    answer = live.test_client().get("/plans")

    assert answer.status_code == status
    page = said(answer.text)
    assert "Так вышло." in page
    assert MONEY[status] in page
    assert len(steps(answer.text)) in {1, 2}
    assert re.search(r"<h1>[А-Я][^<]+</h1>", answer.text)
    assert (steps(answer.text)[0] == "/plans") == (status in {400, 429, 500, 502, 503})
    assert ("/dashboard/payments" in steps(answer.text)) == (status >= 500)


def test_a_stale_form_leads_back_to_its_page(live: Flask) -> None:
    """Nothing was sent; the page that holds the form is one click away, by its path and nothing else."""
    client = live.test_client()
    answer = client.post("/login?next=https://evil.example", data={"email": "a@example.com"})

    assert answer.status_code == 400
    page = said(answer.text)
    assert "Страница устарела" in page
    assert "деньги не списаны" in page
    assert "Вернуться и повторить" in page
    assert steps(answer.text)[0] == "/login"
    assert client.post("/dashboard/renewal", data={}).status_code == 400
    assert "evil" not in answer.text


@pytest.mark.parametrize(("seconds", "told"), ((7, False), (600, True)))
def test_too_often_says_when(live: Flask, monkeypatch: pytest.MonkeyPatch, seconds: int, told: bool) -> None:
    """A wait that is longer than a minute is told as a moment on the clock."""
    breaks(monkeypatch, TooOften(seconds))

    page = said(live.test_client().get("/plans").text)
    assert ("Попробуйте снова после" in page) is told
    assert ("Подождите немного" in page) is not told


def test_whoever_is_signed_in_is_led_to_their_own_pages(app: Flask) -> None:
    """A visitor is led home, a customer to what is theirs."""
    someone = Browser(app)
    assert steps(someone.get("/no/such").text) == ["/"]
    someone.register()
    assert steps(someone.get("/no/such").text) == ["/dashboard/", "/"]


def test_whoever_asks_for_a_plan_that_is_gone_is_led_to_those_on_sale(app: Flask) -> None:
    """An old link into the checkout ends at the tariffs, not at the front door."""
    answer = Browser(app).get("/checkout/NO_SUCH_PLAN")

    assert answer.status_code == 404
    assert steps(answer.text) == ["/plans"]


def test_a_closed_shop_is_told_as_such(live: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 503 has words of its own in both forms."""

    def closed() -> None:
        abort(503)

    monkeypatch.setattr(plans, "on_sale", closed)
    client = live.test_client()
    assert "Мы ненадолго закрыты" in said(client.get("/plans").text)
    assert client.get("/plans", headers=JSON).json["error"]["code"] == "UNAVAILABLE"
