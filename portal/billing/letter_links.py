"""Links in letters about a renewal: signed, good for some weeks, and enough by themselves to stop or to pay.

Opening one changes nothing: mail scanners open links too. The page behind it has the button.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from portal import clock, running
from portal.errors import PortalError
from portal.wording import marked

LASTS = timedelta(days=60)


class LetterLinkDead(PortalError):
    """The link is too old or none of ours."""

    code = "LINK_DEAD"
    status = 410
    message = marked(
        "Срок ссылки истёк, или она скопирована не целиком. В кабинете можно сделать всё то же самое."
    )


def of_renewal(subscription_id: Any, base_url: str) -> dict[str, str]:
    """The two addresses for the letter: where renewal is stopped, and where it is paid for now."""
    token = _serializer().dumps([int(subscription_id), int(clock.now().timestamp())])
    return {"stop_link": f"{base_url}/renewal/{token}/stop", "pay_link": f"{base_url}/renewal/{token}/pay"}


def subscription_of(token: str, now: datetime) -> int:
    """Whose renewal a link speaks of. Raises LetterLinkDead."""
    try:
        subscription_id, made_at = map(int, _serializer().loads(token))
    except (BadData, ValueError, TypeError):
        raise LetterLinkDead from None
    if now - datetime.fromtimestamp(made_at, UTC) > LASTS:
        raise LetterLinkDead
    return subscription_id


def _serializer() -> URLSafeSerializer:
    config = running.config()
    return URLSafeSerializer(config.secret_key, salt="letter about a renewal")
