"""Every test card, 3-D Secure both ways, and saved cards."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from tests.sandbox.cloudpayments_shop import (
    NO_FUNDS,
    OTHER_PUBLIC_ID,
    OTHER_SECRET,
    SUCCESS,
    THREE_DS,
    CloudShop,
    verified,
)

# number, network, 3-D Secure, reason of the first payment, reason of a payment by token
CARDS = [
    ("4242 4242 4242 4242", "Visa", True, 0, 0),
    ("5555 5555 5555 4444", "MasterCard", True, 0, 0),
    ("2200 0000 0000 0004", "MIR", True, 0, 0),
    ("4012 8888 8888 1881", "Visa", True, 5051, None),
    ("5105 1051 0510 5100", "MasterCard", True, 5051, None),
    ("2202 2022 0220 2200", "MIR", True, 5051, None),
    ("4000 0000 0000 3055", "Visa", False, 0, 0),
    ("5205 0000 0000 3055", "MasterCard", False, 0, 0),
    ("2202 0000 0000 3055", "MIR", False, 0, 0),
    ("4111 1111 1111 1111", "Visa", False, 0, 5051),
    ("5200 8282 8282 8210", "MasterCard", False, 0, 5051),
    ("2200 0000 2222 2222", "MIR", False, 0, 5051),
    ("4000 0566 5566 5556", "Visa", False, 5051, None),
    ("5404 0000 0000 0043", "MasterCard", False, 5051, None),
    ("2203 0000 0000 0043", "MIR", False, 5051, None),
    ("4444 4444 4444 4444", "Visa", False, 5051, None),
    ("4000 0000 0000 0002", "Visa", False, 5005, None),
]


@pytest.mark.parametrize(("number", "network", "three_ds", "first", "by_token"), CARDS)
def test_every_test_card(
    cp: CloudShop, number: str, network: str, three_ds: bool, first: int, by_token: int | None
) -> None:
    """Each card asks for 3-D Secure, ends the first payment and ends a charge by token as documented."""
    answer = cp.charge(number.replace(" ", ""), AccountId="user_x", SaveCard=True)
    if three_ds:
        assert (answer["Success"], answer["Message"]) == (False, None)
        answer = cp.call("/payments/cards/post3ds", **passed(answer["Model"], "Подтвердить"))
    model = answer["Model"]

    assert (answer["Success"], answer["Message"]) == (first == 0, None)
    assert (model["ReasonCode"], model["CardType"]) == (first, network)
    if by_token is not None:
        charged = cp.by_token(model["Token"])
        assert (charged["Success"], charged["Model"]["ReasonCode"]) == (by_token == 0, by_token)


def passed(model: Any, button: str) -> dict[str, Any]:
    """Go to the issuer's page as a browser does, press a button, and return what comes back to TermUrl."""
    page = requests.post(
        model["AcsUrl"],
        data={"MD": model["TransactionId"], "PaReq": model["PaReq"], "TermUrl": "http://127.0.0.1/back"},
        timeout=30,
    )
    assert page.status_code == 200, page.text
    [form] = [form for form in page.text.split("<form")[1:] if button in form]
    assert 'action="http://127.0.0.1/back"' in form
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    return {"TransactionId": int(fields["MD"]), "PaRes": fields["PaRes"]}


def test_three_ds_refused_is_5206(cp: CloudShop) -> None:
    """A payer who declines on the issuer's page gets 5206, and Fail tells the merchant."""
    asked = cp.charge(THREE_DS, InvoiceId="7")["Model"]
    waiting = cp.call("/payments/get", TransactionId=asked["TransactionId"])["Model"]
    answer = cp.call("/payments/cards/post3ds", **passed(asked, "Отклонить"))

    assert (waiting["Status"], waiting["StatusCode"]) == ("AwaitingAuthentication", 1)
    assert asked["PaReq"].startswith("+/")
    assert (answer["Success"], answer["Model"]["ReasonCode"]) == (False, 5206)
    assert answer["Model"]["Reason"] == "AuthenticationFailed"
    assert cp.hook("fail")["ReasonCode"] == "5206"
    assert cp.hooks("pay") == []


@pytest.mark.parametrize("pa_res", ("", "eJxV", "eyJTdGF0dXMiOiAiWSIsICJLZXkiOiAiIn0="))
def test_a_made_up_pares_never_pays(cp: CloudShop, pa_res: str) -> None:
    """Only what the issuer's page gave for this very challenge counts as passed."""
    asked = cp.charge(THREE_DS)["Model"]
    cp.call("/payments/cards/post3ds", TransactionId=asked["TransactionId"], PaRes=pa_res)

    assert cp.payments()[0]["captured"] == "0.00"


def test_post3ds_ends_a_payment_once(cp: CloudShop) -> None:
    """A second post3ds changes nothing and says so."""
    asked = cp.charge(THREE_DS)["Model"]
    good, bad = passed(asked, "Подтвердить"), passed(asked, "Отклонить")

    assert cp.call("/payments/cards/post3ds", **good)["Success"] is True
    assert "AwaitingAuthentication" in cp.call("/payments/cards/post3ds", **bad)["Message"]
    assert cp.payments()[0]["status"] == "succeeded"


def test_the_payer_answers_through_the_control_api(cp: CloudShop) -> None:
    """/control/pay passes 3-D Secure of a waiting transaction by its own id, or refuses it on demand."""
    first, second = (str(cp.charge(THREE_DS)["Model"]["TransactionId"]) for _ in range(2))

    assert cp.pay(first, THREE_DS)["status"] == "succeeded"
    assert cp.pay(second, THREE_DS, three_ds="decline")["reason"] == "5206 AuthenticationFailed"


@pytest.mark.parametrize(
    ("policy", "account", "save", "given"),
    (
        ("on_request", "u", True, True),
        ("on_request", "u", False, False),
        ("on_request", "", True, False),
        ("always", "u", False, True),
        ("always", "", True, False),
        ("off", "u", True, False),
    ),
)
def test_when_a_token_is_given(cp: CloudShop, policy: str, account: str, save: bool, given: bool) -> None:
    """A token needs an AccountId, and then the cabinet's setting decides; API and Pay agree."""
    cp.settings(cloudpayments_save_card=policy)
    model = cp.charge(AccountId=account, SaveCard=save)["Model"]

    assert bool(model["Token"]) is given
    assert cp.hook("pay")["Token"] == (model["Token"] or "")
    assert len(cp.sandbox.ledger()["methods"]) == given


def test_the_same_card_of_an_account_has_one_token(cp: CloudShop) -> None:
    """By default a repeat gives the same token; the setting makes them differ."""
    first = cp.token()
    assert cp.token() == first
    assert cp.token(account="somebody-else") != first
    cp.settings(cloudpayments_same_token=False)
    assert cp.token() != first


@pytest.mark.parametrize(
    ("change", "message"),
    (
        ({"TrInitiatorCode": None}, "TrInitiatorCode is required"),
        ({"TrInitiatorCode": 2}, "Invalid TrInitiatorCode value"),
        ({"PaymentScheduled": 5}, "Invalid PaymentScheduled value"),
        ({"AccountId": ""}, "AccountId is required"),
        ({"AccountId": "somebody-else"}, "Token not found"),
        ({"Token": "tk_unknown"}, "Token not found"),
        ({"Token": ""}, "Token is required"),
        ({"Amount": None}, "Amount is required"),
    ),
)
def test_a_malformed_token_charge(cp: CloudShop, change: dict[str, Any], message: str) -> None:
    """A charge by token without what is mandatory, or by another's token, moves nothing and says why."""
    answer = cp.by_token(cp.token(), **change)

    assert (answer["Success"], answer["Message"]) == (False, message)
    assert len(cp.payments()) == 1


def test_a_token_charge_echoes_its_initiator(cp: CloudShop) -> None:
    """The answer repeats TrInitiatorCode and the token, and a fractional code is rounded without an error."""
    token = cp.token()
    model = cp.by_token(token, TrInitiatorCode=0.6)["Model"]

    assert (model["TrInitiatorCode"], model["Token"], model["Status"]) == (1, token, "Completed")


def test_another_terminal_cannot_charge_a_token(cp: CloudShop) -> None:
    """A token of one terminal is declined with 6025 on another, whose own secret signs the notification."""
    token = cp.token()
    cp.auth = (OTHER_PUBLIC_ID, OTHER_SECRET)
    model = cp.by_token(token)["Model"]

    assert (model["Reason"], model["ReasonCode"]) == ("CrossTerminalTokenRestriction", 6025)
    cp.hook("fail")
    assert verified(next(hook for hook in cp.merchant.hooks if hook.path == "/cp/fail/"), OTHER_SECRET)


def test_the_documentations_sample_tokens(cp: CloudShop) -> None:
    """Tokens that begin with success_ or fail_ work without having been issued."""
    assert cp.by_token("success_1111a3e0-2428-48fb-a530-12815d90d0e8")["Success"] is True
    assert cp.by_token("fail_1")["Model"]["ReasonCode"] == 5051


def test_programmed_outcomes(cp: CloudShop) -> None:
    """The next charges of a token end as programmed, then as the card's row says."""
    token = cp.token()
    cp.sandbox.control("cards", token=token, outcome="insufficient_funds", times=2)
    codes = [cp.by_token(token)["Model"]["ReasonCode"] for _ in range(3)]
    cp.sandbox.control("cards", token=token, outcome="5057")
    codes += [cp.by_token(token)["Model"]["ReasonCode"] for _ in range(2)]
    cp.sandbox.control("cards", token=token, outcome="success")
    codes += [cp.by_token(token)["Model"]["ReasonCode"]]

    assert codes == [5051, 5051, 0, 5057, 5057, 0]


def test_a_bank_may_ask_for_3ds_though_nobody_is_there(cp: CloudShop) -> None:
    """Programmed with 3ds a charge by token answers with the bank's page and takes nothing before that."""
    token = cp.token()
    cp.sandbox.control("cards", token=token, outcome="3ds", times=1)
    asked = cp.by_token(token)
    assert (asked["Success"], "AcsUrl" in asked["Model"]) == (False, True)
    assert (
        cp.payments()[-1]["captured"],
        cp.pay(str(asked["Model"]["TransactionId"]), THREE_DS)["status"],
    ) == (
        "0.00",
        "succeeded",
    )
    assert cp.by_token(token)["Success"] is True


def test_an_unknown_outcome_is_refused(cp: CloudShop) -> None:
    """The control API refuses an outcome that the handbook lacks."""
    url = f"{cp.sandbox.url}/control/cards"
    answer = requests.post(url, json={"token": cp.token(), "outcome": "sucess"}, timeout=30)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "UNKNOWN_OUTCOME"


def test_a_saved_card_expires(cp: CloudShop) -> None:
    """A card past its month is declined with 5054, by the sandbox's clock."""
    now = cp.sandbox.world.clock.now()
    month = f"{now.month:02d}/{now.year % 100:02d}"
    paid = cp.pay("1", SUCCESS, account_id="user_x", tokenize=True, expiry=month)
    cp.advance("32d")

    assert cp.by_token(paid["token"])["Model"]["ReasonCode"] == 5054


def test_two_stage_payment(cp: CloudShop) -> None:
    """Auth only holds; confirm captures a part once, and a hold can be released instead."""
    held = cp.charge(method="auth", InvoiceId="7")["Model"]
    number = held["TransactionId"]

    assert (held["Status"], held["StatusCode"], held["ConfirmDate"]) == ("Authorized", 2, None)
    assert cp.payments()[0]["captured"] == "0.00"
    assert cp.hook("pay")["Status"] == "Authorized"
    assert "greater" in cp.call("/payments/confirm", TransactionId=number, Amount=991)["Message"]
    assert cp.call("/payments/confirm", TransactionId=number, Amount=65.98) == {
        "Success": True,
        "Message": None,
    }
    assert cp.call("/payments/confirm", TransactionId=number, Amount=1)["Success"] is False
    assert cp.payments()[0]["captured"] == "65.98"
    confirm = cp.hook("confirm")
    assert (confirm["Amount"], confirm["Status"], confirm["TransactionId"]) == (
        "65.98",
        "Completed",
        str(number),
    )
    assert cp.call("/payments/void", TransactionId=number)["Success"] is False


def test_void(cp: CloudShop) -> None:
    """A hold is released once; Cancel tells of it, and nothing was captured."""
    number = cp.charge(method="auth")["Model"]["TransactionId"]

    assert cp.call("/payments/void", TransactionId=number) == {"Success": True, "Message": None}
    assert cp.call("/payments/void", TransactionId=number)["Success"] is False
    assert cp.hook("cancel")["TransactionId"] == str(number)
    assert cp.payments()[0]["status"] == "canceled"


@pytest.mark.parametrize(
    ("expiry", "status", "kind"), (("cancel", "canceled", "cancel"), ("confirm", "succeeded", "confirm"))
)
def test_a_hold_expires(cp: CloudShop, expiry: str, status: str, kind: str) -> None:
    """After seven days a forgotten hold ends as the setting says, with its notification."""
    cp.settings(cloudpayments_hold_expiry=expiry)
    cp.charge(method="auth")
    cp.advance("6d23h")
    assert cp.payments()[0]["status"] == "authorized"
    cp.advance("2h")

    assert cp.payments()[0]["status"] == status
    assert len(cp.hooks(kind)) == 1


def test_a_declined_payment_shows_no_bank_marks(cp: CloudShop) -> None:
    """A declined model has its reason in both languages and no authorization."""
    model = cp.charge(NO_FUNDS)["Model"]

    assert (model["Status"], model["StatusCode"], model["Reason"]) == ("Declined", 5, "InsufficientFunds")
    assert model["CardHolderMessage"] == "Недостаточно средств на карте"
    assert [model[name] for name in ("AuthCode", "AuthDate", "ConfirmDate", "CardProduct")] == [None] * 4
