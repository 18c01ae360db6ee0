"""Registration, sign-in and sign-out, as a person with a browser meets them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from portal import clock
from portal.database import db, transaction
from portal.models import User
from tests.web.accounts.outbox import letter_kinds
from tests.web.browser import PASSWORD, Browser, bare


def test_a_visitor_becomes_a_customer_and_keeps_the_plan(app: Flask, browser: Browser) -> None:
    """Registration signs in at once and goes on to the checkout; the letter waits in the outbox."""
    page = browser.get("/register?next=/checkout/PRO_MONTHLY").text
    assert 'name="next" value="/checkout/PRO_MONTHLY"' in page

    answer = browser.register(next="/checkout/PRO_MONTHLY")

    assert (answer.status_code, answer.location) == (303, "/checkout/PRO_MONTHLY")
    assert browser.is_in()
    assert letter_kinds(app) == ["confirm_email"]


@pytest.mark.parametrize("page", ("/register", "/login"))
def test_who_was_buying_is_told_what_waits(browser: Browser, page: str) -> None:
    """Plan and price are in sight on the way to the checkout; a strange address promises nothing."""
    assert "перед оплатой тарифа «Про»: 990" in browser.get(f"{page}?next=/checkout/PRO_MONTHLY").text
    for elsewhere in (
        "",
        "?next=/dashboard/",
        "?next=/checkout/NO_SUCH",
        "?next=https://evil.example/checkout/PRO_MONTHLY",
    ):
        answer = browser.get(f"{page}{elsewhere}")
        assert answer.status_code == 200
        assert "перед оплатой" not in answer.text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    (
        ({"email": "", "password": PASSWORD, "accept_privacy": "y"}, "Укажите почту."),
        ({"email": "ira", "password": PASSWORD, "accept_privacy": "y"}, "Проверьте адрес"),
        ({"email": "ira@example.com", "password": "", "accept_privacy": "y"}, "Введите пароль."),
        ({"email": "ira@example.com", "password": "short", "accept_privacy": "y"}, "короче 8"),
        ({"email": "ira@example.com", "password": "password1", "accept_privacy": "y"}, "известен"),
        ({"email": "ira@example.com", "password": "ira@example.com", "accept_privacy": "y"}, "адресом"),
        ({"email": "ira@example.com", "password": "x" * 300, "accept_privacy": "y"}, "длинный"),
        ({"email": "ira@example.com", "password": PASSWORD}, "Без согласия"),
    ),
)
def test_a_form_says_what_is_wrong_beside_the_field(
    app: Flask, browser: Browser, fields: dict[str, str], sentence: str
) -> None:
    """An incomplete registration makes no account; the sentence stands at its field and what was typed is
    kept.
    """
    answer = browser.post("/register", **fields)

    assert answer.status_code == 400
    (error,) = re.findall(
        r'class="field__error" id="(\w+)-error">.*?<span>(.*?)</span>', answer.text, re.DOTALL
    )
    assert sentence in error[1]
    summary = answer.text[answer.text.index("autofocus") :]
    assert f'<a href="#{error[0]}">{error[1]}</a>' in summary
    assert (
        f'aria-describedby="{error[0]}-error"' in answer.text
        or f'{error[0]}-hint {error[0]}-error"' in answer.text
    )
    assert f'value="{fields["email"]}"' in answer.text
    assert (
        fields["password"] not in answer.text
        or not fields["password"]
        or fields["password"] == fields["email"]
    )
    with app.app_context():
        assert db.session.scalars(select(User)).all() == []


def test_a_customer_signs_in_and_out(app: Flask, browser: Browser) -> None:
    """Signing in leads to the dashboard, signing out ends the session in the database too, not only in the
    browser.
    """
    Browser(app).register()

    answer = browser.sign_in()
    assert (answer.status_code, answer.location) == (303, "/dashboard/")
    assert browser.is_in()
    kept = dict(browser.client._cookies)
    assert browser.post("/logout", page="/account/").location == "/login"
    assert not browser.is_in()

    browser.client._cookies.update(kept)
    assert not browser.is_in()


def test_signing_out_takes_a_post(browser: Browser) -> None:
    """A link or an image cannot sign anybody out."""
    browser.register()

    assert browser.get("/logout").status_code == 405
    assert browser.is_in()


def test_whoever_is_in_is_not_asked_again(browser: Browser) -> None:
    """The sign-in and registration pages lead a signed-in person on."""
    browser.register()

    assert browser.get("/login?next=/account/").location == "/account/"
    assert browser.get("/register").location == "/dashboard/"


@pytest.mark.parametrize("email", ("ira@example.com", "nobody@example.com"))
def test_a_refused_sign_in_tells_nothing(app: Flask, browser: Browser, email: str) -> None:
    """Known or unknown, the refusal has the same status and, but for the address typed, the same page."""
    Browser(app).register()

    refused = browser.sign_in(email, "a wrong guess")
    reference = Browser(app, "198.51.100.99").sign_in("reference@example.com", "a wrong guess")

    assert refused.status_code == reference.status_code == 401
    assert bare(refused.text, email) == bare(reference.text, "reference@example.com")


def test_six_failures_are_too_many(app: Flask, browser: Browser) -> None:
    """The sixth failed sign-in in five minutes answers 429 with Retry-After, for an account and for none."""
    Browser(app, "203.0.113.1").register()
    for email in ("ira@example.com", "nobody@example.com"):
        codes = [browser.sign_in(email, "a wrong guess").status_code for _ in range(5)]
        assert codes == [401] * 5
        answer = browser.sign_in(email, PASSWORD)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 301
        assert "Слишком часто" in answer.text


def test_failures_count_from_loopback_under_the_sandbox_too(app: Flask) -> None:
    """The sandbox lifts the limits of loopback except for failed sign-ins."""
    assert app.extensions["portal_config"].sandbox
    browser = Browser(app, "127.0.0.1")

    codes = [browser.sign_in("demo@example.com", "a wrong guess").status_code for _ in range(6)]

    assert codes == [401] * 5 + [429]


@pytest.mark.parametrize("path", ("/register", "/password/forgot"))
@pytest.mark.parametrize(("address", "limited"), (("198.51.100.7", True), ("127.0.0.1", False)))
def test_twenty_an_hour_are_enough(
    app: Flask, quick: None, path: str, address: str, *, limited: bool
) -> None:
    """One address makes twenty accounts or asks for twenty letters an hour; the sandbox's loopback makes as
    many as it likes.
    """
    codes = []
    for number in range(21):
        fields = {"email": f"c{number}@example.com", "password": PASSWORD, "accept_privacy": "y"}
        codes.append(Browser(app, address).post(path, **fields).status_code)

    assert 429 not in codes[:20]
    assert (codes[20] == 429) is limited


def test_a_taken_address_is_not_told(app: Flask, browser: Browser) -> None:
    """Registering somebody's address with another password shows the neutral sentence; the owner gets a
    letter.
    """
    Browser(app, "203.0.113.1").register()

    answer = browser.register(password="not the right one")

    assert answer.status_code == 409
    assert "Этот адрес зарегистрировать не получилось: возможно, он уже занят." in answer.text
    assert not browser.is_in()
    assert letter_kinds(app) == ["confirm_email", "already_registered"]


def test_registering_again_with_the_password_signs_in(app: Flask, browser: Browser) -> None:
    """Whoever forgot having an account and types its password is simply in."""
    Browser(app).register()

    assert browser.register().status_code == 303
    assert browser.is_in()


def test_the_cookie_is_closed_to_scripts_and_other_sites(app: Flask, browser: Browser) -> None:
    """The session cookie is HttpOnly, SameSite=Lax, lasts, and holds neither a user's id nor an address."""
    answer = browser.register()

    (cookie,) = [value for value in answer.headers.getlist("Set-Cookie") if value.startswith("session=")]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Expires=" in cookie
    with browser.client.session_transaction() as session:
        assert len(session["_user_id"]) >= 43
        assert "ira" not in str(dict(session).get("_user_id"))


def test_a_session_planted_before_the_sign_in_is_worthless(app: Flask, browser: Browser) -> None:
    """What a stranger put into the browser before (session fixation) does not survive the sign-in."""
    Browser(app).register()
    with browser.client.session_transaction() as session:
        session["planted"] = "by a stranger"
        session["_user_id"] = "a key that the stranger knows"

    browser.sign_in()

    with browser.client.session_transaction() as session:
        assert "planted" not in session
        assert session["_user_id"] != "a key that the stranger knows"


def test_a_disabled_customer_is_out_with_the_next_click(app: Flask, browser: Browser) -> None:
    """Disabling takes effect at once, in every browser."""
    browser.register()
    with app.app_context(), transaction() as session:
        session.scalars(select(User)).one().disabled_at = clock.now()

    assert browser.get("/account/").status_code == 303


def test_moving_the_shops_clock_signs_nobody_out(
    app: Flask, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox's clock may run months ahead while the person who moved it stays signed in."""
    browser.register()

    monkeypatch.setattr(clock, "offset", lambda: timedelta(days=90))

    assert browser.is_in()


@pytest.mark.parametrize("word", ("false", ""))
def test_consent_that_says_no_is_none(browser: Browser, word: str) -> None:
    """A box that arrives as "false" or empty makes no account, and its field says so."""
    answer = browser.post("/register", email="nina@example.com", password=PASSWORD, accept_privacy=word)

    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.text
    assert '"None"' not in answer.text
