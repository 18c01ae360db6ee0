from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import logs
from portal.logs import scrub

CARDS = (
    "4242424242424242",
    "4242 4242 4242 4242",
    "5555-5555-5555-4444",
    "2200770239097761",
    "378282246310005",
)


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize(
    "frame", ("{}", "paid by {}.", "card={}", '{{"CardNumber": "{}"}}', "({})", "{}&x=1")
)
def test_a_card_number_is_blotted_out(card: str, frame: str) -> None:
    """However it is written and wherever it stands, only the last four digits stay."""
    line = scrub(frame.format(card))
    assert card not in line
    assert f"[card …{card[-4:]}]" in line


@pytest.mark.parametrize(
    "line",
    (
        "Payment created: 0193ad62-1111-4222-8333-123456789012",
        "Case 3 opened: second_capture at cloudpayments, payment 3355303842",
        "Built YooKassa payload: mode=ONE_TIME, save_payment_method=False, amount=990.00",
        "phone +7 495 123-45-67, order 22e18a2f-000f-5000-a000-1db6312b7767",
        "at 2026-11-22 03:59:53.766686 for 1234567890123",
        "12345678901234567890123",
    ),
)
def test_honest_numbers_stay(line: str) -> None:
    """Ids, moments and sums that runbooks look for are no card numbers."""
    assert scrub(line) == line


@pytest.mark.parametrize(
    ("line", "clean"),
    (
        ("token=tk_0123", "token=[…]"),
        ("Token: tk_0123", "Token: […]"),
        ("{'token': 'tk_0123', 'a': 1}", "{'token': '[…]', 'a': 1}"),
        ('{"api_secret":"s3cr3t","a":1}', '{"api_secret":"[…]","a":1}'),
        ("password=hunter2&x=1", "password=[…]&x=1"),
        ("CardCryptogramPacket=0142 cryptogram=abc", "CardCryptogramPacket=0142 cryptogram=[…]"),
        ("Authorization: Basic MTAwNTAwOnNlY3JldA==", "Authorization: […]"),
        ("authorization=Bearer abc.def", "authorization=[…]"),
    ),
)
def test_what_is_called_a_secret_is_blotted_out(line: str, clean: str) -> None:
    """A value behind the word for a secret goes, with its credentials and not only with their scheme."""
    assert scrub(line) == clean


def test_nobody_forges_a_line() -> None:
    """Line breaks in what others send are written, not made."""
    assert scrub("a\r\nb") == "a\\r\\nb"


@given(st.text())
def test_scrubbing_keeps_lines_whole(text: str) -> None:
    """Any text gives one line, and scrubbing it again changes nothing."""
    once = scrub(text)
    assert "\n" not in once
    assert "\r" not in once
    assert scrub(once) == once


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the production's log writes from here on."""
    root, paper = logging.getLogger(), io.StringIO()
    before = list(root.handlers)
    logs.configure("json")
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(paper)
    yield paper
    root.handlers = before


def test_production_writes_one_object_a_line(written: io.StringIO) -> None:
    """Each record is one JSON object with level, logger, time in UTC and the words unchanged."""
    logging.getLogger("portal.billing").info("Payment created: %s", "abc")
    line = json.loads(written.getvalue())
    assert (line["event"], line["level"], line["logger"]) == (
        "Payment created: abc",
        "info",
        "portal.billing",
    )
    assert line["timestamp"].endswith("Z")


def test_a_traceback_is_scrubbed_too(written: io.StringIO) -> None:
    """An exception's text may quote what was sent; card numbers and tokens in it are blotted out."""
    try:
        int("token=tk_canary of 4242424242424242")
    except ValueError:
        logging.getLogger("anybody").exception("It failed for %s", "5555555555554444")
    line = written.getvalue()
    assert line.count("\n") == 1
    for canary in ("tk_canary", "4242424242424242", "5555555555554444"):
        assert canary not in line
    assert "ValueError" in json.loads(line)["exception"]


def test_chatty_libraries_are_quiet(written: io.StringIO) -> None:
    """URLs with ids, and every request of a library, are not logged at INFO."""
    for name in ("urllib3.connectionpool", "rq.worker", "alembic.runtime"):
        logging.getLogger(name).info("GET https://…")
    assert written.getvalue() == ""
