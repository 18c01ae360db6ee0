"""The pages behind the links of letters."""

from __future__ import annotations

import threading
import time
from datetime import datetime

import pytest
from flask import Flask

from portal.accounts import letters
from portal.models import AccountLink, LinkPurpose
from portal.web.accounts import recovery
from tests.web.accounts.outbox import letter_kinds, link_path
from tests.web.browser import PASSWORD, Browser, bare

NEW = "four loud herons"
#: Seconds: many times what a busy machine adds to the quickest of some answers.
SLOW = 0.08


@pytest.mark.usefixtures("quick")
def test_a_forgotten_password_is_replaced_by_letter(app: Flask, browser: Browser) -> None:
    """Ask, open the link, type a new password, sign in with it; all other browsers are out and the link is
    spent.
    """
    other = Browser(app)
    other.register()
    assert "письмо со ссылкой" in browser.post("/password/forgot", email="ira@example.com").text
    path = link_path(app, LinkPurpose.RESET_PASSWORD)

    assert "ira@example.com" in browser.get(path).text
    assert other.is_in()
    assert browser.post(path, password="short").status_code == 400
    answer = browser.post(path, password=NEW)

    assert (answer.status_code, answer.location) == (303, "/login")
    assert not other.is_in()
    assert browser.sign_in(password=PASSWORD).status_code == 401
    assert browser.sign_in(password=NEW).status_code == 303
    assert browser.get(path).status_code == 410
    assert (
        browser.send(path, data={"csrf_token": browser.token("/account/"), "password": NEW}).status_code
        == 410
    )


@pytest.mark.usefixtures("quick")
def test_asking_for_a_letter_tells_nothing(app: Flask) -> None:
    """The answer to "I forgot" is the same page for an account and for none; only one is written to."""
    Browser(app).register()

    pages = [
        bare(Browser(app).post("/password/forgot", email=email).text, email)
        for email in ("ira@example.com", "nobody@example.com")
    ]

    assert pages[0] == pages[1]
    assert letter_kinds(app) == ["confirm_email", "reset_password"]


def test_asking_for_a_letter_takes_the_same_time(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing a letter down, which takes long here, is hidden in the answer's fixed length: the quickest
    are alike.
    """
    Browser(app).register()
    with_link = letters.with_link

    def slowly(link: AccountLink, now: datetime) -> None:
        threading.Event().wait(SLOW)
        with_link(link, now)

    monkeypatch.setattr(letters, "with_link", slowly)
    monkeypatch.setattr(recovery, "ANSWER_SECONDS", SLOW + 0.07)
    spent: dict[str, list[float]] = {"ira@example.com": [], "nobody@example.com": []}
    browser = Browser(app, "127.0.0.1")
    form = {"csrf_token": browser.token()}
    for _ in range(5):
        for email, times in spent.items():
            began = time.perf_counter()
            browser.send("/password/forgot", data=form | {"email": email})
            times.append(time.perf_counter() - began)

    # The quickest, not the median: a busy machine adds to some of them, and never takes anything away.
    known, unknown = map(min, spent.values())

    assert min(known, unknown) >= recovery.ANSWER_SECONDS
    assert abs(known - unknown) < SLOW / 2
    assert letter_kinds(app).count("reset_password") == 5, "nothing was written, so nothing was hidden"


def test_a_mail_scanner_burns_no_link(app: Flask, browser: Browser) -> None:
    """Opening the confirmation link any number of times confirms nothing; its button does, once."""
    browser.register()
    path = link_path(app, LinkPurpose.CONFIRM_EMAIL)
    scanner = Browser(app, "203.0.113.50")
    for _ in range(3):
        assert scanner.get(path).status_code == 200
        assert scanner.client.head(path).status_code == 200
    assert "Не подтверждена" in browser.get("/account/").text

    assert browser.post(path).location == "/dashboard/"

    assert "Не подтверждена" not in browser.get("/account/").text
    assert browser.get(path).status_code == 410
    assert "уже подтверждена" in browser.get(path).text


def test_the_link_works_in_a_browser_that_is_not_signed_in(app: Flask, browser: Browser) -> None:
    """The letter may be opened on another device: the address is confirmed there and the sign-in offered."""
    browser.register()

    other = Browser(app)
    assert other.post(link_path(app, LinkPurpose.CONFIRM_EMAIL)).location == "/login"

    assert "Подтверждена" in browser.get("/account/").text


@pytest.mark.parametrize("path", ("/password/reset/", "/email/confirm/"))
@pytest.mark.parametrize("token", ("x", "a.b", "%00", "../../etc", "x" * 3000))
def test_a_forged_link_is_a_dead_one(browser: Browser, path: str, token: str) -> None:
    """Whatever stands in the place of a token, the answer is the page of a dead link or no page, never an
    error of ours.
    """
    assert browser.get(path + token).status_code in {404, 410}
