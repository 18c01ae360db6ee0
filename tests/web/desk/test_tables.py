"""What an operator reads in the desk's tables: words where there are words, the Russian form of all else."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import pytest

from portal.admin import words
from portal.admin.story import reason_in_short
from portal.models import GatewayName, PaymentPurpose, PaymentStatus, RefundSource
from tests.desk import Browser, Desk


def cells(page: str) -> list[str]:
    """The cells of a page's first table, as text."""
    found = re.findall(
        r"<td[^>]*>(.*?)</td>", page.partition("<tbody>")[2].partition("</tbody>")[0], re.DOTALL
    )
    return [" ".join(re.sub("<[^>]+>", " ", cell).split()) for cell in found]


def test_a_refusal_stands_in_words_under_the_state(desk: Desk, viewer: Browser) -> None:
    """Beside what was bought, what for, and where; nothing of it as a code."""
    order = desk.customer().order("cloudpayments")["transaction_id"]
    desk.sandbox.pay("cloudpayments", order, card="4444444444444444")
    desk.settle()

    row = cells(viewer.get("/admin/payments/").text)

    assert "отклонён На карте или счёте не хватило денег" in row
    assert "Про покупка" in row
    assert "5051" not in " ".join(row)


@pytest.mark.parametrize(
    ("kept", "read"),
    (
        ({"since": "2027-03-09", "until": "2027-03-13"}, "С: 09.03.2027<br>По: 13.03.2027"),
        ({"ends_at": "2027-03-13T09:00:00+00:00"}, "До: 13.03.2027 12:00"),
        ({"amount": "3290.00", "gateway": "yookassa"}, "Сумма: 3290,00<br>Шлюз: ЮKassa"),
        ({"role": "owner"}, "Роль: владелец"),
        ({"plan_titles": ["Старт", "Про"], "gone": True}, "Тарифы: Старт, Про<br>Возвращено раньше: да"),
        ({"no_word_for_it": 1}, "<code>no_word_for_it</code>: 1"),
        ({"days": None, "days_": "<b>"}, "Дней: —<br><code>days_</code>: &lt;b&gt;"),
    ),
)
def test_what_is_kept_as_json_is_read_in_russian(desk: Desk, kept: dict[str, object], read: str) -> None:
    """Names, days, moments, sums; what has no word stays as it is, and harmless."""
    with desk.app.app_context():
        assert words.cell(kept) == read


def test_names_are_words_and_states_have_colours(desk: Desk) -> None:
    """A gateway in a grey pill on every row is noise; a chargeback in red is not."""
    with desk.app.app_context():
        assert words.cell(GatewayName.YOOKASSA) == "ЮKassa"
        assert words.cell(PaymentPurpose.RENEWAL) == "продление"
        assert "badge--good" in words.cell(PaymentStatus.SUCCEEDED)
        assert "badge--bad" in words.cell(RefundSource.BANK)
        assert words.cell(date(2027, 3, 9)) == "09.03.2027"
        assert words.cell(Decimal("1234567.5")) == "1\N{NO-BREAK SPACE}234\N{NO-BREAK SPACE}567,50"
        assert (words.number(9999), words.number(50_000)) == ("9999", "50\N{NO-BREAK SPACE}000")
        assert reason_in_short(GatewayName.YOOKASSA, "never-heard-of") == "never-heard-of"
