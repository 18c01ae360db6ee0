from __future__ import annotations

import re

import pytest

from dev import messages
from portal.gateways.declines import Action, explain

ENGLISH = messages.kept("en")

# Every cancellation_details.reason of the specification of 2026-07, then those that only SDK 3.13.0 knows.
YOOKASSA = [
    "permission_revoked",
    "card_expired",
    "payment_method_restricted",
    "invalid_card_number",
    "country_forbidden",
    "identification_required",
    "3d_secure_failed",
    "invalid_csc",
    "fraud_suspected",
    "call_issuer",
    "general_decline",
    "insufficient_funds",
    "payment_method_limit_exceeded",
    "issuer_unavailable",
    "internal_timeout",
    "expired_on_confirmation",
    "expired_on_capture",
    "canceled_by_merchant",
    "unsupported_mobile_operator",
    "deal_expired",
    "loan_declined",
    "loan_declined_by_payer",
    "loan_application_expired",
    "rejected_by_timeout",
    "unknown",
]

# Every ReasonCode of the handbook of 2026-07, and those of a Check that was not answered with 0.
CLOUDPAYMENTS = [
    "5001",
    "5003",
    "5004",
    "5005",
    "5006",
    "5007",
    "5012",
    "5013",
    "5014",
    "5015",
    "5017",
    "5019",
    "5030",
    "5031",
    "5033",
    "5034",
    "5036",
    "5041",
    "5043",
    "5051",
    "5054",
    "5055",
    "5057",
    "5058",
    "5059",
    "5061",
    "5062",
    "5063",
    "5065",
    "5082",
    "5091",
    "5092",
    "5096",
    "5113",
    "5204",
    "5206",
    "5207",
    "5300",
    "5303",
    "5761",
    "5762",
    "5763",
    "6001",
    "6002",
    "6003",
    "6004",
    "6005",
    "6006",
    "6007",
    "6008",
    "6009",
    "6010",
    "6011",
    "6013",
    "6014",
    "6015",
    "6016",
    "6017",
    "6021",
    "6022",
    "6025",
    "3001",
    "3002",
    "3003",
    "3004",
    "3005",
    "3006",
    "3007",
    "3008",
]

# What the portal itself writes down as the reason, at either gateway.
OURS = ["expired", "not_created", "canceled", "superseded", "needs_payer"]
OURS += ["YOOKASSA_FORBIDDEN", "GATEWAY_REJECTED"]
#: Money that was taken, and a method that is gone: no sentence about money that was not taken.
OURS_TOO = ["second_capture", "not_as_ordered", "method_gone", "declared_failed"]

YOOKASSA += OURS + OURS_TOO
CLOUDPAYMENTS += OURS + OURS_TOO

ALL = [("yookassa", code) for code in YOOKASSA] + [("cloudpayments", code) for code in CLOUDPAYMENTS]


@pytest.mark.parametrize(("gateway", "code"), ALL)
def test_every_documented_code_has_a_sentence_in_both_languages(gateway: str, code: str) -> None:
    """A customer is told what happened and what to do, never a code."""
    told = explain(gateway, code)

    assert told.known
    assert told.code == code
    assert re.fullmatch(r"[А-ЯЁ][^A-Z_]*(ЮMoney[^A-Z_]*)?\.", told.sentence)
    in_english = ENGLISH[told.sentence].string
    assert re.fullmatch(r"[A-Z][ -~’]*\.", in_english)
    assert told.sentence.count(".") >= 2
    assert code not in told.sentence + in_english


def test_the_table_has_no_code_that_is_not_documented() -> None:
    """A mistyped code would silently explain nothing."""
    from portal.gateways import declines

    assert sorted(declines._KNOWN["yookassa"]) == sorted(YOOKASSA)
    assert sorted(declines._KNOWN["cloudpayments"]) == sorted(CLOUDPAYMENTS)


@pytest.mark.parametrize("gateway", ("yookassa", "cloudpayments"))
@pytest.mark.parametrize("code", OURS)
def test_our_own_codes_say_where_the_money_is(gateway: str, code: str) -> None:
    """Nothing was taken, or what was held is released; a fault of the shop is not blamed on the card."""
    told = explain(gateway, code)

    assert ("деньги не списаны" in told.sentence) or (code in {"canceled", "superseded"})
    assert ("снова станут доступны" in told.sentence) == (code == "canceled")
    assert ("карта ни при чём" in told.sentence) == code.isupper()
    assert (told.action is Action.OPERATOR) == code.isupper()


#: Refusals of orders whose money moved all the same, or may have moved.
MOVED = {"canceled", "canceled_by_merchant", "expired_on_capture", "deal_expired"}
MOVED |= {"second_capture", "not_as_ordered", "declared_failed"}


@pytest.mark.parametrize(("gateway", "code"), ALL)
def test_nobody_whose_money_moved_reads_that_it_did_not(gateway: str, code: str) -> None:
    """What stands beside a sentence without the word is that no money was taken, so it must be true."""
    assert ("не списаны" in explain(gateway, code).whole) == (code not in MOVED)


# "Unconditionally negative" in CloudPayments' documentation: a scheduled payment will not pass again.
@pytest.mark.parametrize("code", ("5001", "5003", "5005", "5012", "5017", "5033", "5034", "5057"))
def test_the_hard_refusals_of_cloudpayments_stop_charging(code: str) -> None:
    """The token is not charged again; the customer must enter a card."""
    assert explain("cloudpayments", code).action is Action.STOP


@pytest.mark.parametrize("code", ("5051", "5065", "5096"))
def test_the_temporary_refusals_of_cloudpayments_may_be_tried_again(code: str) -> None:
    """CloudPayments calls these temporarily negative."""
    assert explain("cloudpayments", code).action is Action.RETRY_LATER


@pytest.mark.parametrize(
    ("code", "action"),
    (
        ("permission_revoked", Action.STOP),
        ("card_expired", Action.STOP),
        ("insufficient_funds", Action.RETRY_LATER),
        ("internal_timeout", Action.RETRY_LATER),
        ("3d_secure_failed", Action.ANOTHER_CARD),
        ("expired_on_capture", Action.OPERATOR),
    ),
)
def test_the_reasons_of_yookassa_lead_to_actions(code: str, action: Action) -> None:
    """A revoked or expired method is dropped; lack of money is waited out; a failed check needs
    the customer.
    """
    assert explain("yookassa", code).action is action


@pytest.mark.parametrize(
    ("gateway", "code"), (("yookassa", "new_reason"), ("cloudpayments", None), ("other", "5051"))
)
def test_an_unknown_code_may_be_tried_again_and_says_that_it_is_unknown(
    gateway: str, code: str | None
) -> None:
    """A code of tomorrow neither stops a subscription nor goes unseen."""
    told = explain(gateway, code)

    assert (told.action, told.known, told.code) == (Action.RETRY_LATER, False, code)
    assert told.sentence.endswith(".")
