"""What browsers are told besides the page: whence scripts may come, where forms may lead, what may be kept.

A page is strict unless its view asks for more: :func:`allow_widget` on the page with the CloudPayments
widget, :func:`allow_payment_page` where a form may be answered with a redirect to YooKassa. No page runs
inline scripts or styles.
"""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, g, has_request_context, request
from flask_login import current_user

from config import Config
from portal import running
from portal.gateways.yookassa.hosts import is_payment_page
from portal.wording import language

#: A year: browsers that have seen https keep to it.
HSTS = "max-age=31536000"

_STRICT = {
    "default-src": ("'none'",),
    "script-src": ("'self'",),
    "style-src": ("'self'",),
    "img-src": ("'self'", "data:"),
    "font-src": ("'self'",),
    "connect-src": ("'self'",),
    "manifest-src": ("'self'",),
    "form-action": ("'self'",),
    "base-uri": ("'none'",),
    "frame-ancestors": ("'none'",),
    "object-src": ("'none'",),
}

# Where YooKassa's confirmation pages live. Browsers hold a redirect that answers a form to form-action too:
# https://www.w3.org/TR/CSP3/#directive-form-action
_YOOKASSA = ("https://yookassa.ru", "https://*.yookassa.ru", "https://yoomoney.ru", "https://*.yoomoney.ru")

# What the real widget's frame and calls need besides the script's own origin: CloudPayments documents no
# policy, shops in production allow these hosts.
_CLOUDPAYMENTS = "https://*.cloudpayments.ru"


def init_app(app: Flask) -> None:
    """Put the headers on every answer of *app*."""
    app.add_template_global(nonce, "csp_nonce")
    app.after_request(_dress)


def nonce() -> str:
    """This answer's number for the few elements that carry one; made at the first question."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(18)
    found: str = g.csp_nonce
    return found


def allow_widget() -> None:
    """Let this page run the CloudPayments widget from its configured origin."""
    g.csp_widget = True


def allow_payment_page() -> None:
    """Let a form of this page be answered with a redirect to YooKassa's page."""
    g.csp_payment_page = True


def is_where_payers_go(url: str) -> bool:
    """Whether a redirect may lead to *url*: YooKassa's own hosts, or its simulator under the sandbox."""
    return is_payment_page(url, _config().yookassa_api_url)


def content_security_policy() -> str:
    """The policy of the present answer."""
    policy = {name: list(sources) for name, sources in _STRICT.items()}
    policy["script-src"].append(f"'nonce-{nonce()}'")
    if g.get("csp_widget"):
        _add_widget(policy, _origin(_config().cloudpayments_widget_url))
    if g.get("csp_payment_page"):
        policy["form-action"] += _payment_pages()
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in policy.items())


def _add_widget(policy: dict[str, list[str]], origin: str) -> None:
    """The script, its frame and its calls; the script sets style attributes on the frame it makes."""
    own = [origin]
    if (urlsplit(origin).hostname or "").endswith(".cloudpayments.ru"):
        own.append(_CLOUDPAYMENTS)
        policy["img-src"].append(_CLOUDPAYMENTS)
    policy["script-src"].append(origin)
    policy["connect-src"] += own
    policy["frame-src"] = own
    policy["style-src-attr"] = ["'unsafe-inline'"]


def _payment_pages() -> tuple[str, ...]:
    config = _config()
    return (*_YOOKASSA, _origin(config.yookassa_api_url)) if config.sandbox else _YOOKASSA


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _dress(response: Response) -> Response:
    """Add every header that the view did not set itself."""
    widget = bool(g.get("csp_widget"))
    is_page = response.mimetype == "text/html"
    headers = response.headers
    policy = content_security_policy() if is_page else "default-src 'none'; frame-ancestors 'none'"
    headers.setdefault("Content-Security-Policy", policy)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin" if widget else "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin-allow-popups" if widget else "same-origin")
    headers.setdefault("Permissions-Policy", _permissions(widget=widget))
    if _config().secure:
        headers.setdefault("Strict-Transport-Security", HSTS)
    if is_page:
        headers.setdefault("Content-Language", language())
        response.vary.add("Cookie")  # the language among other things
    _dress_for_caches(response, is_page=is_page)
    return response


def _permissions(*, widget: bool) -> str:
    """Nothing of the device is used; wallets inside the widget may ask for a payment."""
    payment = f'payment=(self "{_origin(_config().cloudpayments_widget_url)}")' if widget else "payment=()"
    return f"camera=(), geolocation=(), microphone=(), usb=(), {payment}"


def _dress_for_caches(response: Response, *, is_page: bool) -> None:
    """Static files are kept for ever under their mark, a person's pages nowhere; the rest is asked anew."""
    if request.endpoint == "static":
        if response.status_code == 200 and request.args.get("v"):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return
    if _is_somebody():
        response.headers["Cache-Control"] = "no-store"
    elif is_page:
        response.headers.setdefault("Cache-Control", "private, no-cache")


def _is_somebody() -> bool:
    """Whether this request learnt who it is from. Whoever was not asked was shown nothing of their own."""
    return has_request_context() and "_login_user" in g and bool(current_user.is_authenticated)


def _config() -> Config:
    return running.config()
