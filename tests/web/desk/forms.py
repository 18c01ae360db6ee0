"""An operator at the forms of the desk: the page before an act, its key, and the button."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import requests

from tests.desk import Browser


def form_key(page: str) -> str:
    """The key of a rendered form."""
    found = re.search(r'name="form_key" value="([^"]+)"', page)
    assert found, "no form here"
    return found[1]


def act(browser: Browser, path: str, **fields: str) -> requests.Response:
    """Open the page before an act and press its button, without going on to anywhere."""
    page = browser.get(path)
    assert page.status_code == 200, (path, page.status_code)
    return press(browser, path, form_key(page.text), **fields)


def press(browser: Browser, path: str, key: str, **fields: str) -> requests.Response:
    """Press the button of a form that was rendered with *key*."""
    form = {"csrf_token": browser.token(), "form_key": key, **fields}
    return browser.session.post(browser.base + path, data=form, timeout=60, allow_redirects=False)


def at_once(*presses: Callable[[], Any]) -> list[Any]:
    """Begin all of them together, each in a thread of its own."""
    meet = Barrier(len(presses))

    def run(one: Callable[[], Any]) -> Any:
        meet.wait(10)
        return one()

    with ThreadPoolExecutor(len(presses)) as pool:
        return list(pool.map(run, presses))
