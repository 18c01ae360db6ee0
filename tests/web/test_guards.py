"""What stands before every view: who are you, is this your form, where were you going."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.routing import IntegerConverter, Rule

from portal.web import guards
from tests.web.browser import Browser

API = "/billing/api/cloudpayments/transactions/"
CREATE = "/billing/api/cloudpayments/create_payment/"

BYPASSES = (
    "",
    " ",
    "dashboard",
    "//evil.example",
    "///evil.example",
    "////evil.example/x",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "/%5Cevil.example",
    "/%5c%5cevil.example",
    "/%2Fevil.example",
    "/%2f%2fevil.example",
    "/%2F%5Cevil.example",
    "/./\\evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/a/..//evil.example",
    "/a/../../evil.example",
    "/%2e%2e//evil.example",
    "/%2e/%2fevil.example",
    "/a//evil.example",
    "http://evil.example",
    "https://evil.example/dashboard/",
    "HTTPS://evil.example",
    "http:evil.example",
    "http:/evil.example",
    "http:///evil.example",
    "https:\\\\evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "ftp://evil.example",
    "evil.example",
    "@evil.example",
    "127.0.0.1:8000@evil.example",
    "http://127.0.0.1:8000@evil.example/",
    "?next=//evil.example",
    "#//evil.example",
    " /dashboard/",
    " //evil.example",
    "\t//evil.example",
    "/\t/evil.example",
    "/%09/evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "/dashboard/\r\nSet-Cookie: a=b",
    "\x00//evil.example",
    "/\x00/evil.example",
    "/\x0b/evil.example",
    "/dash board",
    "/\u2028evil.example",
    "/\uff0f\uff0fevil.example",
    "/\u3002evil.example",
    "\u2215\u2215evil.example",
    "/dashboard/?to=\\evil.example",
    "/[//evil.example",
    "//[::1",
    "/" + "a" * 1000,
)


@pytest.mark.parametrize("target", BYPASSES)
def test_no_trick_leads_out_of_the_site(target: str) -> None:
    """Whatever browsers and libraries forgive, only a plain path of this site is gone to."""
    assert guards.own_path(target) is None


@pytest.mark.parametrize(
    "target",
    (
        "/",
        "/dashboard/",
        "/checkout/PRO_MONTHLY",
        "/checkout/PRO_MONTHLY?gateway=yookassa",
        "/dashboard/payments?cursor=abc%3D%3D&limit=5",
        "/plans#pro",
        "/dashboard/payments?from=a//b",
        "/checkout/%D0%A2",
    ),
)
def test_our_own_pages_are_gone_to(target: str) -> None:
    """A path of ours with its query and fragment is kept as it is."""
    assert guards.own_path(target) == target


def test_the_list_of_tricks_is_long_enough() -> None:
    """At least forty different tricks are tried."""
    assert len(set(BYPASSES)) >= 40


@pytest.mark.parametrize("door", ("/login", "/register"))
@pytest.mark.parametrize("target", ("//evil.example", "https://evil.example/", "/\\evil.example"))
@pytest.mark.parametrize("place", ("query", "form"))
def test_signing_in_leads_nowhere_else(app: Flask, door: str, target: str, place: str) -> None:
    """A stranger's ``next`` in a link or a form is dropped: the way leads to the dashboard."""
    browser = Browser(app)
    fields = {"email": "ira@example.com", "password": "three calm herons", "accept_privacy": "y"}
    if door == "/login":
        Browser(app).register()

    if place == "form":
        answer = browser.post(door, next=target, **fields)
    else:
        form = fields | {"csrf_token": browser.token()}
        answer = browser.send(door, query_string={"next": target}, data=form)

    assert (answer.status_code, answer.location) == (303, "/dashboard/")
    assert browser.is_in()


@pytest.mark.parametrize("method", ("GET", "POST", "PUT", "DELETE"))
def test_a_stranger_at_the_api_is_told_so_first(app: Flask, method: str) -> None:
    """Whoever is not signed in gets 401 AUTH_REQUIRED from the JSON API, whatever else is wrong with the
    request.
    """
    path = API if method == "GET" else CREATE

    answer = app.test_client().open(
        path, method=method if method in {"GET", "POST"} else "POST", data=b"not json"
    )

    assert answer.status_code == 401
    assert answer.json["error"]["code"] == "AUTH_REQUIRED"
    assert answer.json["error"]["message"]


@pytest.mark.parametrize("headers", ({}, {"X-CSRFToken": "wrong"}, {"X-CSRFToken": ""}))
def test_a_customer_without_the_token_is_refused(app: Flask, headers: dict[str, str]) -> None:
    """A signed-in POST to the JSON API without this session's token answers 400 CSRF_FAILED and reaches no
    view.
    """
    browser = Browser(app)
    browser.register()

    answer = browser.send(CREATE, json={"plan_code": "NO_SUCH_PLAN"}, headers=headers)

    assert answer.status_code == 400
    assert answer.json["error"]["code"] == "CSRF_FAILED"


def test_a_customer_with_the_token_is_heard(app: Flask) -> None:
    """With the token of the page in X-CSRFToken the request reaches the view, which knows no such plan."""
    browser = Browser(app)
    browser.register()

    answer = browser.send(
        CREATE, json={"plan_code": "NO_SUCH_PLAN"}, headers={"X-CSRFToken": browser.token("/account/")}
    )

    assert (answer.status_code, answer.json["error"]["code"]) == (404, "PLAN_NOT_FOUND")


def test_the_token_of_another_session_is_refused(app: Flask) -> None:
    """A token is good for the session it was made in, also when it is well signed."""
    browser, other = Browser(app), Browser(app)
    browser.register()

    answer = browser.send("/logout", data={"csrf_token": other.token()})

    assert answer.status_code == 400
    assert "Страница устарела" in answer.text
    assert browser.is_in()


def test_signing_in_changes_the_token(app: Flask) -> None:
    """What was known about the session before the sign-in (token, cookie) is worth nothing after it."""
    browser = Browser(app)
    before = browser.token()
    browser.register()

    assert browser.send("/logout", data={"csrf_token": before}).status_code == 400
    assert browser.is_in()


def test_every_route_that_changes_something_asks_for_the_token(app: Flask) -> None:
    """Every POST, PUT, PATCH and DELETE route refuses a request without the token, unless it is signed
    otherwise.
    """
    browser = Browser(app)
    browser.register()
    adapter = app.url_map.bind("localhost")
    seen = set()
    for rule in app.url_map.iter_rules():
        for method in guards.CHANGING & (rule.methods or set()):
            if not rule.rule.startswith((*guards.SIGNED_OTHERWISE, "/static/")):
                path = adapter.build(rule.endpoint, _values(rule), method=method)
                answer = browser.client.open(path, method=method)
                assert (answer.status_code, rule.rule) == (400, rule.rule)
                seen.add(rule.rule)

    assert {"/login", "/logout", "/register", "/account/password", "/checkout/<plan_code>"} <= seen


def _values(rule: Rule) -> dict[str, object]:
    """Something that fits each placeholder."""
    fitting: dict[str, object] = {}
    for name, converter in rule._converters.items():
        allowed = sorted(getattr(converter, "items", ()))
        fitting[name] = allowed[0] if allowed else 1 if isinstance(converter, IntegerConverter) else "x"
    return fitting


def test_only_the_listed_routes_are_exempt() -> None:
    """Only notifications, the product's API and the sandbox's questions sign their requests otherwise."""
    assert guards.SIGNED_OTHERWISE == ("/billing/webhook/", "/api/v1/", "/billing/sandbox/")


@pytest.mark.parametrize(
    ("path", "location"),
    (
        ("/dashboard/", "/login?next=/dashboard/"),
        ("/dashboard/payments?cursor=abc", "/login?next=/dashboard/payments?cursor%3Dabc"),
        ("/account/", "/login?next=/account/"),
    ),
)
def test_a_stranger_is_asked_to_sign_in_and_brought_back(app: Flask, path: str, location: str) -> None:
    """A page of somebody's own sends a stranger to the sign-in, which leads back to that page."""
    Browser(app).register()
    stranger = Browser(app)

    answer = stranger.get(path)
    assert answer.status_code == 303
    assert answer.location == location

    assert stranger.sign_in(next=path).location == path


def test_a_form_sent_after_the_session_ended_leads_back_to_its_page(app: Flask) -> None:
    """Whoever was signed out meanwhile comes back to the page with the form, or to the dashboard where there
    is none.
    """
    browser, token = Browser(app), ""
    browser.register()
    token = browser.token("/account/")
    with browser.client.session_transaction() as session:
        session["_user_id"] = "ended meanwhile"

    answer = browser.send("/account/password", data={"csrf_token": token})

    assert (answer.status_code, answer.location) == (303, "/login")


def test_a_program_that_asks_for_json_is_not_redirected(app: Flask) -> None:
    """A stranger who accepts JSON is answered 401 instead of being sent to a page."""
    answer = app.test_client().get("/dashboard/", headers={"Accept": "application/json"})

    assert (answer.status_code, answer.json["error"]["code"]) == (401, "AUTH_REQUIRED")


@pytest.mark.parametrize("method", ("POST", "PUT", "DELETE"))
def test_what_does_not_exist_is_not_found_rather_than_forged(app: Flask, method: str) -> None:
    """An address without a route answers 404 and a wrong method 405, with or without a token."""
    client = app.test_client()

    assert client.open("/no/such/page", method=method).status_code == 404
    assert client.open("/plans", method=method).status_code == 405
