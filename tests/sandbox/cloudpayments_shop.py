"""A shop as CloudPayments' documentation describes one: Basic auth, JSON or form, signatures verified."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

import requests

PUBLIC_ID = "test_api_00000000000000000000002"
API_SECRET = "sandbox-api-secret"
OTHER_PUBLIC_ID = "test_api_00000000000000000000001"
OTHER_SECRET = "sandbox-api-secret-1"

SUCCESS = "4000000000003055"
THREE_DS = "4242424242424242"
NO_FUNDS = "4000056655665556"

_NONCES = count()


def packet(number: str, exp: str = "12/40") -> str:
    """The cryptogram that the sandbox's checkout.js would make."""
    month, year = exp.split("/")
    card = {
        "cardNumber": number,
        "expDateMonth": month,
        "expDateYear": year,
        "publicId": PUBLIC_ID,
        "nonce": next(_NONCES),
    }
    return base64.b64encode(json.dumps(card).encode()).decode()


def mac(secret: str, message: bytes) -> str:
    """base64(HMAC-SHA256), written here anew so that the sandbox does not check itself."""
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()


@dataclass
class CloudShop:
    """Talks to one sandbox; ``merchant`` is the recording server of the conftest."""

    sandbox: Any
    merchant: Any
    wait_for: Callable[..., Any]
    auth: tuple[str, str] = (PUBLIC_ID, API_SECRET)

    def raw(self, path: str, body: Any = None, **kwargs: Any) -> requests.Response:
        """POST JSON to the API and return the response as it came."""
        kwargs.setdefault("auth", self.auth)
        kwargs.setdefault("timeout", 30)
        return requests.post(f"{self.sandbox.url}/cloudpayments{path}", json=body or {}, **kwargs)

    def call(self, path: str, **body: Any) -> Any:
        """POST JSON, demand HTTP 200 and return the envelope."""
        answer = self.raw(path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def charge(self, number: str = SUCCESS, method: str = "charge", **more: Any) -> Any:
        """Pay with a card's cryptogram."""
        body = {"Amount": 990, "IpAddress": "203.0.113.5", "CardCryptogramPacket": packet(number), **more}
        return self.call(f"/payments/cards/{method}", **body)

    def token(self, number: str = SUCCESS, account: str = "user_x") -> str:
        """Save a card by paying with it and return its token."""
        paid = self.charge(number, AccountId=account, SaveCard=True)
        if paid["Model"].get("AcsUrl"):
            own_id = paid["Model"]["TransactionId"]
            self.pay(str(own_id), number)
            paid = self.call("/payments/get", TransactionId=own_id)
        return str(paid["Model"]["Token"])

    def by_token(self, token: str, account: str = "user_x", **more: Any) -> Any:
        """Charge a saved card as a scheduled merchant-initiated payment."""
        body = {
            "Amount": 990,
            "AccountId": account,
            "Token": token,
            "TrInitiatorCode": 0,
            "PaymentScheduled": 1,
        }
        return self.call("/payments/tokens/charge", **{**body, **more})

    def pay(self, reference: str, card: str = SUCCESS, **more: Any) -> Any:
        """Do what the payer does in the widget."""
        return self.sandbox.control(
            "pay", gateway="cloudpayments", transaction_id=reference, card=card, **{"amount": 990, **more}
        )

    def settings(self, **changes: Any) -> None:
        """Change settings of the sandbox."""
        self.sandbox.control("settings", **changes)

    def advance(self, duration: str) -> Any:
        """Move the sandbox's clock."""
        return self.sandbox.control("clock", advance=duration)

    def payments(self) -> Any:
        """This gateway's payments of the ledger."""
        return [entry for entry in self.sandbox.ledger()["payments"] if entry["gateway"] == "cloudpayments"]

    def hooks(self, kind: str) -> list[Any]:
        """The notifications of one kind that have arrived, each as its form's fields."""
        return [hook.form for hook in self.merchant.hooks if hook.path == f"/cp/{kind}/"]

    def hook(self, kind: str, number: int = 0) -> Any:
        """Wait for the n-th notification of a kind and return its fields."""
        return self.wait_for(lambda: len(self.hooks(kind)) > number and self.hooks(kind)[number])

    def kinds(self) -> list[str]:
        """The kinds of everything that has arrived, in order."""
        return [hook.path.split("/")[2] for hook in self.merchant.hooks]


def verified(hook: Any, secret: str = API_SECRET) -> bool:
    """Check both signatures of a form notification as the documentation says."""
    headers = {name.lower(): value for name, value in hook.headers.items()}
    decoded = "&".join(
        f"{name}={value}" for name, value in parse_qsl(hook.body.decode(), keep_blank_values=True)
    )
    expected = {"content-hmac": mac(secret, hook.body), "x-content-hmac": mac(secret, decoded.encode())}
    return expected == {name: headers[name] for name in expected}
