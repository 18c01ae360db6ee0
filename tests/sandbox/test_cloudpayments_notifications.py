"""Notifications as a merchant gets them: Check, signatures, fields, retries, settings."""

from __future__ import annotations

import itertools
import json
import re
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from portal.sandbox.clock import parse_iso
from tests.sandbox.cloudpayments_shop import API_SECRET, NO_FUNDS, THREE_DS, CloudShop, mac, verified


def test_check_comes_before_pay(cp: CloudShop) -> None:
    """Check and Pay of a payment carry one TransactionId, in this order, both properly signed."""
    number = str(cp.charge(InvoiceId="7", AccountId="u")["Model"]["TransactionId"])
    check, pay = cp.hook("check"), cp.hook("pay")

    assert cp.kinds() == ["check", "pay"]
    assert check["TransactionId"] == pay["TransactionId"] == number
    assert check["Status"] == "Completed"
    assert "GatewayName" not in check
    assert all(verified(hook) for hook in cp.merchant.hooks)


def test_pay_is_written_as_on_the_wire(cp: CloudShop) -> None:
    """Pay is a .NET-encoded form: sums with two decimals, UTC time, empty strings for what is absent."""
    cp.charge(
        Amount=10,
        InvoiceId="7",
        AccountId="a@b.c",
        Email="a@b.c",
        Description="Подписка – Про",
        JsonData={"a": "б"},
    )
    cp.hook("pay")
    [hook] = [hook for hook in cp.merchant.hooks if hook.path == "/cp/pay/"]
    body, fields = hook.body.decode(), hook.form

    assert hook.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert body.startswith("TransactionId=")
    assert "&CardExpDate=12%2f40&" in body
    assert "&AccountId=a%40b.c&SubscriptionId=&Name=&Email=a%40b.c&DateTime=2" in body
    assert "Description=%d0%9f%d0%be%d0%b4%d0%bf%d0%b8%d1%81%d0%ba%d0%b0+%e2%80%93+" in body
    assert (fields["Amount"], fields["PaymentAmount"], fields["TotalFee"]) == ("10.00", "10.00", "0.00")
    assert (fields["TestMode"], fields["GatewayName"], fields["AuthCode"]) == ("1", "Test", "A1B2C3")
    assert (fields["OperationType"], fields["Status"]) == ("Payment", "Completed")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", fields["DateTime"])
    assert json.loads(fields["Data"]) == {"a": "б"}
    assert fields["Token"] == fields["PaymentMethod"] == fields["CustomFields"] == ""


@pytest.mark.parametrize(
    ("answer", "code", "name"),
    (
        ((200, '{"code": 10}'), 3001, "InvalidInvoiceId"),
        ((200, '{"code": 11}'), 3002, "InvalidAccountId"),
        ((200, '{"code": 12}'), 3003, "InvalidAmount"),
        ((200, '{"code": 13}'), 3008, "NotAccepted"),
        ((200, '{"code": 20}'), 3004, "OutOfDate"),
        ((200, '{"code": 99}'), 3005, "FormatError"),
        ((200, "<html>"), 3005, "FormatError"),
        ((200, "{}"), 3005, "FormatError"),
        ((200, '{"code": "x"}'), 3005, "FormatError"),
        ((302, '{"code": 0}'), 3005, "FormatError"),
        ((500, ""), 3006, "CheckResponseServiceUnavailable"),
        ((503, ""), 3006, "CheckResponseServiceUnavailable"),
        ((404, ""), 3007, "UnableToConnect"),
        ((504, ""), 3007, "UnableToConnect"),
    ),
)
def test_check_refuses(cp: CloudShop, answer: tuple[int, str], code: int, name: str) -> None:
    """Anything but code 0 declines the payment with its documented reason; Check is asked once."""
    cp.merchant.answers.append(answer)
    model = cp.charge(InvoiceId="7")["Model"]

    assert (model["Status"], model["ReasonCode"], model["Reason"]) == ("Declined", code, name)
    assert cp.hook("fail")["ReasonCode"] == str(code)
    assert cp.payments()[0]["captured"] == "0.00"
    cp.advance("1d")
    assert cp.kinds() == ["check", "fail"]


def test_check_that_cannot_be_reached_is_3007(cp: CloudShop) -> None:
    """Nobody listening at the Check address, or no answer in time, declines every payment."""
    cp.settings(cloudpayments_notify={"check": "http://127.0.0.1:9/check"})
    assert cp.charge()["Model"]["ReasonCode"] == 3007


def test_without_check_the_payment_goes_on(cp: CloudShop) -> None:
    """A merchant who switched Check off is not asked."""
    cp.settings(cloudpayments_notify={"check": None, "pay": f"{cp.merchant.url}/cp/pay/"})

    assert cp.charge()["Success"] is True
    cp.hook("pay")
    assert cp.kinds() == ["pay"]


def test_check_before_three_ds(cp: CloudShop) -> None:
    """A refusal by Check comes before the issuer is asked."""
    cp.merchant.answers.append((200, '{"code": 13}'))
    model = cp.charge(THREE_DS)["Model"]

    assert "AcsUrl" not in model
    assert model["ReasonCode"] == 3008


@pytest.mark.parametrize(("asked", "kinds"), ((True, ["check", "pay"]), (False, ["pay"])))
def test_check_of_token_charges_is_a_setting(cp: CloudShop, asked: bool, kinds: list[str]) -> None:
    """Whether Check is sent for charges by token is not documented, so it can be switched."""
    token = cp.token()
    cp.hook("pay")
    cp.merchant.hooks.clear()
    cp.settings(cloudpayments_check_tokens=asked)
    cp.by_token(token)
    cp.hook("pay")

    assert cp.kinds() == kinds


def test_retries_follow_the_published_intervals(cp: CloudShop) -> None:
    """An answer other than code 0 is repeated after 1, 2, 5, 10, 30, 30… minutes, a hundred tries in all."""
    cp.merchant.usual = (200, '{"code": 13}')
    cp.settings(cloudpayments_notify={"check": None, "pay": f"{cp.merchant.url}/cp/pay/"})
    cp.charge()
    cp.advance("5d")
    [entry] = cp.sandbox.ledger()["notifications"]
    moments = [parse_iso(attempt["at"]) for attempt in entry["attempts"]]
    minutes = [
        round((later - earlier) / timedelta(minutes=1)) for earlier, later in itertools.pairwise(moments)
    ]

    assert minutes[:7] == [1, 2, 5, 10, 30, 30, 30]
    assert (len(moments), len(cp.hooks("pay")), entry["state"]) == (100, 100, "given_up")


@pytest.mark.parametrize("bad", ((500, ""), (200, "OK"), (200, "{}"), (201, '{"code": 0}')))
def test_a_bad_answer_is_repeated_until_code_0(cp: CloudShop, bad: tuple[int, str]) -> None:
    """Only HTTP 200 with code 0 ends the repeats, and every repeat is the same body."""
    cp.settings(cloudpayments_notify={"check": None, "pay": f"{cp.merchant.url}/cp/pay/"})
    cp.merchant.answers[:] = [bad, bad]
    cp.charge()
    cp.hook("pay")
    cp.advance("1h")

    assert len(cp.hooks("pay")) == 3
    assert len({hook.body for hook in cp.merchant.hooks}) == 1


def test_fail_carries_its_reason_and_retry_after(cp: CloudShop) -> None:
    """Fail has Reason and ReasonCode, and RetryAfter a day ahead when the setting is on."""
    cp.charge(NO_FUNDS)
    plain = cp.hook("fail")
    cp.settings(cloudpayments_retry_after=True)
    cp.charge(NO_FUNDS)
    dated = cp.hook("fail", 1)

    assert (plain["Reason"], plain["ReasonCode"], plain["RetryAfter"]) == ("InsufficientFunds", "5051", "")
    wait = parse_iso(dated["RetryAfter"]) - parse_iso(dated["DateTime"])
    assert abs(wait - timedelta(days=1)) < timedelta(minutes=1)
    assert "Status" not in plain
    assert "GatewayName" not in plain


def test_json_notifications(cp: CloudShop) -> None:
    """With "POST + JSON" both signatures are over the raw bytes, and TestMode is a boolean."""
    cp.settings(cloudpayments_notify_format="json")
    number = cp.charge(Description="тариф")["Model"]["TransactionId"]
    cp.wait_for(lambda: "pay" in cp.kinds())
    hook = cp.merchant.hooks[-1]

    assert hook.headers["Content-Type"] == "application/json"
    assert (hook.json["TransactionId"], hook.json["TestMode"], hook.json["Amount"]) == (number, True, 990)
    assert hook.headers["Content-Hmac"] == hook.headers["X-Content-Hmac"] == mac(API_SECRET, hook.body)


def test_get_notifications_and_the_settings_api(cp: CloudShop) -> None:
    """site/notifications sets address, method and encoding; a GET signs its query string."""
    before = cp.call("/site/notifications/Pay/get")["Model"]
    address = f"{cp.merchant.url}/cp/other/?a=1"
    done = cp.call(
        "/site/notifications/pay/update",
        IsEnabled=True,
        Address=address,
        HttpMethod="GET",
        Encoding="Windows1251",
    )
    cp.charge(Description="Жук")
    cp.wait_for(lambda: "other" in cp.kinds())
    [entry] = [entry for entry in cp.sandbox.ledger()["notifications"] if entry["kind"] == "pay"]
    query = urlsplit(entry["url"]).query.removeprefix("a=1&")

    assert done == {"Success": True, "Message": None}
    assert before == {
        "IsEnabled": True,
        "Address": f"{cp.merchant.url}/cp/pay/",
        "HttpMethod": "POST",
        "Encoding": "UTF8",
        "Format": "CloudPayments",
    }
    assert entry["headers"]["Content-HMAC"] == mac(API_SECRET, query.encode())
    assert "Description=%c6%f3%ea" in query
    assert dict(parse_qsl(query, encoding="cp1251"))["Description"] == "Жук"
    assert cp.call("/site/notifications/fail/get")["Model"]["Address"] == f"{cp.merchant.url}/cp/fail/"


def test_the_settings_apis_dangerous_defaults(cp: CloudShop) -> None:
    """Without IsEnabled a kind is switched off, without HttpMethod it becomes GET; Check cannot be set."""
    cp.call("/site/notifications/fail/update")
    cp.call("/site/notifications/pay/update", IsEnabled=True, Address=f"{cp.merchant.url}/cp/pay/")

    assert cp.call("/site/notifications/fail/get")["Model"]["IsEnabled"] is False
    assert cp.call("/site/notifications/pay/get")["Model"]["HttpMethod"] == "GET"
    check = cp.call("/site/notifications/check/update", IsEnabled=True, Address="http://127.0.0.1/")
    assert check["Success"] is False
    assert cp.call("/site/notifications/pay/update", IsEnabled=True)["Message"] == "Address is required"
    assert cp.call("/site/notifications/nonsense/get")["Success"] is False


def test_switches_for_a_receivers_tests(cp: CloudShop) -> None:
    """Missing keys, a pretty-printed Data and a wrong signature can each be switched on."""
    cp.settings(cloudpayments_missing_keys=True, cloudpayments_data_pretty=True)
    cp.charge(JsonData={"a": 1})
    sparse = cp.hook("pay")
    cp.settings(cloudpayments_wrong_hmac=True)
    cp.charge()
    cp.hook("pay", 1)

    assert "SubscriptionId" not in sparse
    assert sparse["Data"] == '{\n  "a": 1\n}'
    hooks = [hook for hook in cp.merchant.hooks if hook.path == "/cp/pay/"]
    assert [verified(hook) for hook in hooks] == [True, False]


@pytest.mark.parametrize(("mode", "count"), (("drop", 0), ("duplicate", 2)))
def test_delivery_modes(cp: CloudShop, mode: str, count: int) -> None:
    """Dropped notifications never arrive, doubled ones come twice; Check is not touched by either."""
    cp.settings(webhooks=mode)
    assert cp.charge()["Success"] is True
    cp.advance("1h")

    assert len(cp.hooks("pay")) == count
    assert len(cp.hooks("check")) == 1
