"""What came around a notification's body, in an operator's words: who called, and by what it was proved."""

from __future__ import annotations

from typing import Any

from portal.admin.words import cell
from portal.models import GatewayName, WebhookEvent
from portal.models.webhook_event import PROVED_BY

#: By what a notification may be proved; see portal/web/evidence.py.
_SIGNATURES = ("Content-HMAC", "X-Content-HMAC", "X-Signature")


def lines(event: WebhookEvent) -> list[tuple[str, Any]]:
    """The address first, the proof after it, then the headers as they came."""
    found = [("Откуда", event.address), ("Подлинность", _proof(event))]
    for name, value in event.headers.items():
        if name != PROVED_BY:
            found.append((name, f"{value} — {_verdict(event, name)}" if name in _SIGNATURES else value))
    return [(label, cell(value)) for label, value in found]


def _proof(event: WebhookEvent) -> str:
    proved_by = event.headers.get(PROVED_BY)
    if proved_by:
        return f"подпись {proved_by} сошлась"
    if event.gateway is GatewayName.YOOKASSA:
        return "пришло из сети ЮKassa; применяется то, что прочитано у шлюза"
    return "подпись сошлась (заголовки тогда не хранились)"


def _verdict(event: WebhookEvent, name: str) -> str:
    if event.headers.get(PROVED_BY) == name:
        return "сошлась"
    return "есть; не проверялась" if name == "X-Content-HMAC" else "не сошлась"
