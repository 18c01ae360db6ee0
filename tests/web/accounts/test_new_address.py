"""Another address for one's account, as a person with a browser meets it."""

from __future__ import annotations

import pytest
from flask import Flask

from portal.models import LinkPurpose
from tests.web.accounts.outbox import letter_kinds, link_path
from tests.web.browser import PASSWORD, Browser, bare

NEW = "irina@example.org"
FORM = "/account/email"

pytestmark = pytest.mark.usefixtures("quick")


def test_from_the_form_to_the_new_address(app: Flask, browser: Browser) -> None:
    """Ask with the password, open the link, press the button: in with the new address, out elsewhere."""
    browser.register()
    other = Browser(app)
    other.sign_in()
    assert f'href="{FORM}"' in browser.get("/account/").text
    assert NEW in browser.post(FORM, email=NEW, current=PASSWORD).text
    path = link_path(app, LinkPurpose.CHANGE_EMAIL)

    for _ in range(2):  # looking changes nothing
        assert NEW in browser.get(path).text
    assert other.is_in()
    assert browser.send(path).status_code == 400  # not without the form
    answer = browser.post(path)

    assert (answer.status_code, answer.location) == (303, "/account/")
    page = browser.get("/account/").text
    assert NEW in page
    assert "Подтверждена" in page
    assert not other.is_in()
    assert browser.get(path).status_code == 410
    assert Browser(app).sign_in().status_code == 401
    assert Browser(app).sign_in(NEW).status_code == 303


def test_the_link_asks_who_opens_it(app: Flask, browser: Browser) -> None:
    """Another device signs in first and comes back; another customer's account gets nothing."""
    browser.register()
    browser.post(FORM, email=NEW, current=PASSWORD)
    path = link_path(app, LinkPurpose.CHANGE_EMAIL)
    stranger = Browser(app)
    stranger.register("stranger@example.com")
    assert [stranger.get(path).status_code, stranger.post(path, page="/account/").status_code] == [410, 410]

    phone = Browser(app)
    assert phone.get(path).location == f"/login?next={path}"
    assert phone.sign_in(next=path).location == path
    assert phone.post(path).status_code == 303


def test_the_answer_tells_nothing(app: Flask, browser: Browser) -> None:
    """A free address and another customer's get the same page."""
    Browser(app).register("olya@example.com")
    browser.register()

    pages = [
        bare(browser.post(FORM, email=email, current=PASSWORD).text, email)
        for email in ("olya@example.com", NEW)
    ]

    assert pages[0] == pages[1]
    assert letter_kinds(app)[2:] == [
        "email_wanted",
        "change_email_asked",
        "change_email",
        "change_email_asked",
    ]


@pytest.mark.parametrize(
    ("email", "password", "sentence"),
    (
        (NEW, "a wrong guess", "не ваш нынешний пароль"),
        (NEW, "", "Введите пароль"),
        ("ira", PASSWORD, "Проверьте адрес"),
        ("IRA@example.com", PASSWORD, "Это и есть нынешний адрес"),
    ),
)
def test_what_is_refused_is_said(
    app: Flask, browser: Browser, email: str, password: str, sentence: str
) -> None:
    """Beside its field, with what was typed but the password; nobody is written to."""
    browser.register()

    answer = browser.post(FORM, email=email, current=password)

    assert answer.status_code == 400
    assert sentence in answer.text
    assert f'value="{email}"' in answer.text
    assert letter_kinds(app) == ["confirm_email"]


def test_guesses_and_letters_are_limited(app: Flask, browser: Browser) -> None:
    """Five letters to anybody's mailbox in an hour; five guesses of the password."""
    browser.register()
    asked = [browser.post(FORM, email=NEW, current=PASSWORD).status_code for _ in range(6)]
    guessed = [browser.post(FORM, email=NEW, current="a wrong guess").status_code for _ in range(6)]

    assert asked == [200] * 5 + [429]
    assert guessed == [400] * 5 + [429]
    assert letter_kinds(app).count("change_email") == 5
