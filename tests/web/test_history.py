"""All that a customer paid, as pages, as a file and on paper."""

from __future__ import annotations

import csv
import io
import re
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask

from portal import clock
from portal.billing import settings
from portal.database import transaction
from portal.models import Payment, Receipt, Refund, RefundSource, RefundStatus
from portal.web import history
from tests.web.browser import Browser
from tests.web.shop import a_payment, user_of
from tests.web.test_dashboard import HISTORY, ids, text

DAY = timedelta(days=1)


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Somebody registered."""
    someone = Browser(app)
    someone.register()
    return someone


def lines(browser: Browser, narrowed: str = "") -> list[list[str]]:
    """The history's file, read as a Russian spreadsheet reads it."""
    answer = browser.get(f"{HISTORY}?format=csv{narrowed}")
    assert answer.mimetype == "text/csv"
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig")), delimiter=";"))


def words(browser: Browser, narrowed: str = "") -> str:
    """What the page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text(browser, f"{HISTORY}?{narrowed}")))


def refund(payment: Payment, amount: str, status: RefundStatus, moment: datetime, code: str = "") -> None:
    """Money of *payment* that went back, or was to."""
    with transaction() as session:
        session.add(
            Refund(
                payment_id=payment.id,
                gateway=payment.gateway,
                key=str(uuid.uuid4()),
                amount=Decimal(amount),
                currency="RUB",
                status=status,
                source=RefundSource.OPERATOR,
                created_at=moment,
                finished_at=moment + DAY if status is RefundStatus.SUCCEEDED else None,
                failure_code=code or None,
                checks=0,
            )
        )


def receipt(payment: Payment, kind: str, url: str) -> None:
    """What the cash register made of *payment*."""
    with transaction() as session:
        session.add(
            Receipt(
                payment_id=payment.id,
                gateway=payment.gateway,
                gateway_receipt_id=uuid.uuid4().hex,
                kind=kind,
                url=url,
                created_at=payment.created_at,
            )
        )


def test_the_history_is_paged_without_gaps(app: Flask, browser: Browser) -> None:
    """Newest first; a payment made between two pages neither repeats nor hides one."""
    with app.app_context():
        made = [a_payment(user_of(), status="failed").transaction_id for _ in range(45)]

    first = text(browser, HISTORY)
    seen = ids(first)
    assert len(seen) == history.PAGE
    with app.app_context():
        a_payment(user_of(), status="failed")
    page = first
    while more := re.search(rf'href="({HISTORY}\?cursor=[^"]+)"', page):
        page = text(browser, more[1])
        seen += ids(page)

    assert seen == made[::-1]


def test_a_history_holds_nobody_else_s_payments(app: Flask, browser: Browser) -> None:
    """Neither the page nor the file shows what another customer paid."""
    other = Browser(app)
    other.register("oleg@example.com")
    with app.app_context():
        strange = a_payment(user_of("oleg@example.com"), status="succeeded").transaction_id

    assert "Платежей пока нет" in text(browser, HISTORY)
    assert strange not in text(browser)
    assert len(lines(browser)) == 1
    assert lines(other)[1][1] == strange


@pytest.mark.parametrize("cursor", ("x", "%00", "cDk5OTk5OTk5OTk5OTk5OTk5OTk", "'", "9" * 500))
def test_a_bad_cursor_is_refused(browser: Browser, cursor: str) -> None:
    """Nonsense in the address is the asker's fault, not ours."""
    assert browser.get(f"{HISTORY}?cursor={cursor}").status_code == 400


def test_the_file_has_the_whole_history(
    app: Flask, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UTF-8 with its mark, Moscow time, money with a comma, what went back, every page of it."""
    monkeypatch.setattr(history, "_CSV_PAGE", 2)
    with app.app_context():
        for _ in range(4):
            a_payment(user_of(), status="failed")
        newest = a_payment(user_of(), status="succeeded", refunded_amount=Decimal("100.50"))

    answer = browser.get(f"{HISTORY}?format=csv")
    assert answer.data.startswith(b"\xef\xbb\xbf")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"] == "no-store"
    found = lines(browser)
    assert len(found) == 6
    assert found[0][:4] == ["Дата", "Номер", "Тариф", "Сумма"]
    assert found[1][1:] == [
        newest.transaction_id,
        "Про",
        "990,00",
        "100,50",
        "RUB",
        "Возврат части",
        "Visa •• 4242",
    ]
    assert found[1][0].endswith("МСК")


@pytest.mark.parametrize("title", ('=HYPERLINK("http://evil")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"))
def test_the_file_holds_no_formulas(app: Flask, browser: Browser, title: str) -> None:
    """A spreadsheet shows an operator's or a bank's words and calculates none of them."""
    with app.app_context():
        a_payment(user_of(), status="succeeded", plan_title=title, method_title=title)

    row = lines(browser)[1]
    assert row[2].startswith("'")
    assert row[7].startswith("'")


def test_the_history_is_narrowed_by_what_the_form_asks(app: Flask, browser: Browser) -> None:
    """By days on Moscow's calendar, by what became of a payment and by where it was paid; all at once too."""
    with app.app_context():
        user, night = user_of(), datetime(2026, 3, 9, 20, 59, tzinfo=UTC)  # 23:59 in Moscow
        old = a_payment(user, status="succeeded", created_at=night)
        new = a_payment(user, status="failed", gateway="yookassa", created_at=night + timedelta(minutes=1))
        back = a_payment(
            user, status="succeeded", refunded_amount=Decimal("1.00"), created_at=night + 5 * DAY
        )
        waits = a_payment(user, created_at=night + 6 * DAY)
    asked = {
        "to=2026-03-09": [old],
        "from=2026-03-10&to=2026-03-10": [new],
        "from=2026-03-10&to=2026-03-09": [new, old],
        "from=2026-03-10": [waits, back, new],
        "status=paid": [back, old],
        "status=returned": [back],
        "status=refused": [new],
        "status=open": [waits],
        "gateway=yookassa": [new],
        "gateway=cloudpayments&status=paid&to=2026-03-09": [old],
        "from=&to=&status=&gateway=": [waits, back, new, old],
    }
    for narrowed, found in asked.items():
        wanted = [payment.transaction_id for payment in found]
        assert ids(text(browser, f"{HISTORY}?{narrowed}")) == wanted, narrowed
        assert [row[1] for row in lines(browser, f"&{narrowed}")[1:]] == wanted, narrowed
        printed = browser.get(f"{HISTORY}?format=print&{narrowed}").text
        assert re.findall(r"ledger__number\">([0-9a-f-]{36})<", printed) == wanted, narrowed


@pytest.mark.parametrize(
    "narrowed",
    (
        "from=x&to=31.12.2026",
        "from=0001-01-01&to=9999-12-31",
        "status=explode",
        "gateway=paypal",
        "from=%00&status=%27&gateway=",
        "unheard=of",
    ),
)
def test_what_cannot_be_meant_narrows_nothing(app: Flask, browser: Browser, narrowed: str) -> None:
    """Nonsense in the address shows everything, and the form stands empty."""
    with app.app_context():
        made = a_payment(user_of(), status="succeeded").transaction_id
    page = text(browser, f"{HISTORY}?{narrowed}")
    assert ids(page) == [made]
    assert "selected" not in page
    assert "Сбросить" not in page


@pytest.mark.parametrize(
    ("narrowed", "said"),
    (
        ("from=2027-03-04&to=2027-04-03", "Выбраны дни с 4 марта 2027 по 3 апреля 2027."),
        ("from=2027-03-04", "Выбраны дни с 4 марта 2027."),
        ("to=2027-03-04", "Выбраны дни по 4 марта 2027."),
    ),
)
def test_the_days_are_said_in_words(browser: Browser, narrowed: str, said: str) -> None:
    """A browser of another language writes 03/04 into the fields; what it was taken for can be read."""
    page = words(browser, narrowed)
    assert said in page
    assert "С какого дня По какой день" in page


def test_the_next_page_is_narrowed_too(app: Flask, browser: Browser) -> None:
    """Links carry what was asked; the form remembers it."""
    with app.app_context():
        for n in range(history.PAGE + 3):
            a_payment(user_of(), status="failed" if n % 2 else "succeeded", created_at=clock.now())
        for _ in range(history.PAGE):
            a_payment(user_of(), status="succeeded")
    first = text(browser, f"{HISTORY}?status=paid&from=2020-01-01")
    assert '<option value="paid" selected>' in first
    assert 'name="from" value="2020-01-01"' in first
    (more,) = re.findall(rf'href="({HISTORY}\?cursor=[^"]+)"', first)
    assert "status=paid" in more
    assert "from=2020-01-01" in more
    second = text(browser, more)
    assert len(ids(second)) == 12
    assert f'href="{HISTORY}?from=2020-01-01&status=paid"' in second
    assert 'format=csv&from=2020-01-01&status=paid"' in second


def test_nothing_of_the_kind_is_no_empty_history(app: Flask, browser: Browser) -> None:
    """Who narrowed too much is led back to all; who never paid, to the plans."""
    assert "Платежей пока нет" in words(browser)
    assert "Статус" not in words(browser)
    with app.app_context():
        a_payment(user_of(), status="succeeded")
    page = words(browser, "status=refused")
    assert "Таких платежей нет" in page
    assert "Показать все платежи" in page
    assert "Статус" in page


def test_what_went_back_and_its_receipts_stand_under_the_payment(app: Flask, browser: Browser) -> None:
    """Each refund with its sum, day and state; each receipt with its link, never to what is no web page."""
    with app.app_context():
        paid_at = datetime(2026, 3, 9, 12, tzinfo=UTC)
        paid = a_payment(user_of(), status="succeeded", refunded_amount=Decimal("100.50"), created_at=paid_at)
        refund(paid, "10.00", RefundStatus.FAILED, paid_at, "error")
        refund(paid, "100.50", RefundStatus.SUCCEEDED, paid_at)
        refund(paid, "50.00", RefundStatus.PENDING, paid_at + 2 * DAY)
        receipt(paid, "Income", "https://receipts.example/1")
        receipt(paid, "IncomeReturn", "https://receipts.example/2")
        receipt(paid, "Income", "javascript:alert(1)")
        late = a_payment(user_of(), status="succeeded", created_at=paid_at)
        refund(late, "20.00", RefundStatus.FAILED, paid_at, "error")
    raw, page = browser.get(HISTORY).text, words(browser)
    assert "Возвращено 100,50 ₽, 10 марта 2026" in page
    assert "Возвращаем 50 ₽ с 11 марта 2026" in page
    assert "Возврат 20 ₽ задерживается" in page
    assert "Возврат 10 ₽" not in page
    assert re.search(r'href="https://receipts.example/1"[^>]*>Чек от', raw)
    assert re.search(r'href="https://receipts.example/2"[^>]*>Чек возврата от', raw)
    assert "javascript:" not in raw


@pytest.mark.parametrize("code", ("no_room", "above_capture", "chargeback_won"))
def test_nobody_is_promised_money_that_is_not_due(app: Flask, browser: Browser, code: str) -> None:
    """A booking that came to nothing, a chargeback that the shop won too, is no refund that is late."""
    with app.app_context():
        paid = a_payment(user_of(), status="succeeded")
        refund(paid, "990.00", RefundStatus.FAILED, paid.created_at, code)
    for page in (HISTORY, "/dashboard/", f"{HISTORY}?format=print"):
        assert "задерживается" not in text(browser, page), page


def test_the_sums_are_those_of_all_that_is_asked_for(app: Flask, browser: Browser) -> None:
    """Of every page of it, and of nothing that was not paid."""
    with app.app_context():
        for _ in range(history.PAGE + 1):
            a_payment(user_of(), status="succeeded")
        a_payment(user_of(), "START_MONTHLY", status="succeeded", refunded_amount=Decimal("90.00"))
        a_payment(user_of(), status="failed")
    assert "Оплачено 21 180 ₽ Возвращено 90 ₽ Итого 21 090 ₽" in words(browser)
    assert "Оплачено 390 ₽ Возвращено 90 ₽ Итого 300 ₽" in words(browser, "status=returned")


def test_on_paper_stand_the_seller_the_customer_and_the_days(app: Flask, browser: Browser) -> None:
    """A document: no way to other pages but back, the shop's details, who paid, for which time, the sums."""
    with app.app_context():
        for name, value in (("seller_name", "ООО «Ромашка»"), ("seller_inn", "7707083893")):
            settings.put(name, value, clock.now())
        paid = a_payment(user_of(), status="succeeded", created_at=datetime(2026, 3, 9, 12, tzinfo=UTC))
    raw = browser.get(f"{HISTORY}?format=print&from=2026-03-01&to=2026-03-31").text
    page = words(browser, "format=print&from=2026-03-01&to=2026-03-31")
    for said in (
        "ООО «Ромашка»",
        "ИНН 7707083893",
        "Покупатель ira@example.com",
        "с 1 марта 2026 по 31 марта 2026",
        paid.transaction_id,
        "Итого 990 ₽",
    ):
        assert said in page, said
    assert "top__nav" not in raw
    assert "<form" not in raw
    assert f'href="{HISTORY}?from=2026-03-01&amp;to=2026-03-31"' in raw
    with app.app_context():
        settings.forget()


def test_a_long_document_says_what_it_leaves_out(
    app: Flask, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sums are those of all payments, and nobody takes the sheet for the whole."""
    monkeypatch.setattr(history, "PRINTED", 2)
    with app.app_context():
        for _ in range(3):
            a_payment(user_of(), status="succeeded")
    page = words(browser, "format=print")
    assert "Показаны не все платежи" in page
    assert "Итого 2 970 ₽" in page


def test_a_document_of_nothing_says_so(browser: Browser) -> None:
    """Without payments there is a sentence and no table."""
    assert "За это время платежей не было" in words(browser, "format=print")
