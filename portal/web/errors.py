"""The one place where an exception becomes an answer: JSON for a program, a page for a person.

What a person did wrong is one line in the log; what we did wrong is a traceback under a number that the
person is shown.
"""

from __future__ import annotations

import logging
import secrets
from types import TracebackType
from typing import Any

from flask import Flask, Response, g, jsonify, make_response, request
from flask_babel import lazy_gettext as _l
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException

from portal.accounts.throttle import TooOften
from portal.accounts.wall_clock import wall_now
from portal.errors import PortalError
from portal.extensions import limiter
from portal.web import error_pages
from portal.web.error_pages import Fault
from portal.web.guards import wants_json

log = logging.getLogger(__name__)


# Errors that Werkzeug and Flask raise have English words for developers; people read these.
_HTTP = {
    400: ("INVALID_REQUEST", _l("Запрос заполнен неверно.")),
    401: ("AUTH_REQUIRED", _l("Войдите, чтобы продолжить.")),
    403: ("FORBIDDEN", _l("Это действие вам недоступно.")),
    404: ("NOT_FOUND", _l("Такой страницы нет. Возможно, ссылка устарела или в ней опечатка.")),
    405: ("METHOD_NOT_ALLOWED", _l("Эту страницу нельзя открыть таким способом.")),
    413: ("TOO_LARGE", _l("Запрос слишком большой.")),
    415: ("UNSUPPORTED_MEDIA_TYPE", _l("Нужен запрос в формате JSON.")),
    429: ("RATE_LIMITED", _l("Слишком много попыток. Подождите немного и попробуйте снова.")),
    500: (
        "INTERNAL_ERROR",
        _l("Ошибка на нашей стороне, мы о ней уже знаем. Деньги без вашего ведома не спишутся."),
    ),
    503: ("UNAVAILABLE", _l("Мы обновляем сайт. Загляните через несколько минут.")),
}


def init_app(app: Flask) -> None:
    """Let *app* answer errors this way."""
    app.register_error_handler(PortalError, _tell_portal_error)
    app.register_error_handler(HTTPException, _tell_http_error)
    # Flask's own line holds the path, and paths hold the tokens of our letters' links.
    app.log_exception = _log_failure  # type: ignore[method-assign]  # documented to be replaced


def _tell_portal_error(error: PortalError) -> Response:
    wait = error.seconds if isinstance(error, TooOften) else 0
    answer = _answer(Fault(error.status, error.code, error.message, wait), error)
    if wait:
        answer.headers["Retry-After"] = str(wait)
    return answer


def _tell_http_error(error: HTTPException) -> Any:
    """Keep what the error says to programs (Allow, Retry-After, a redirect); give it our words."""
    status = error.code or 500
    if error.response is not None or status < 400:
        return error.get_response()
    code, message = _HTTP.get(status, _HTTP[400 if status < 500 else 500])
    wait = _seconds_to_wait() if isinstance(error, RateLimitExceeded) else 0
    answer = _answer(Fault(status, code, str(message), wait), error)
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After", "WWW-Authenticate"}:
            answer.headers[name] = value
    if wait:
        answer.headers["Retry-After"] = str(wait)
    return answer


def _answer(fault: Fault, error: Exception) -> Response:
    if fault.status < 500:
        log.info("%s %s -> %s %s", request.method, _place(), fault.status, fault.code)
    elif isinstance(error, PortalError):
        # Foreseen, a gateway that does not answer: one line for the operator, a number for the customer.
        g.error_number = _new_number()
        log.error(
            "%s %s -> %s %s, number %s", request.method, _place(), fault.status, fault.code, g.error_number
        )
    elif not g.get("error_number"):  # a failure already has its number and its traceback
        _log_failure((type(error), error, error.__traceback__))
    if wants_json():
        answer = jsonify(error={"code": fault.code, "message": fault.message})
    else:
        answer = make_response(error_pages.page(fault))
    answer.status_code = fault.status
    if g.get("error_number"):
        answer.headers["X-Error-Number"] = g.error_number
    return answer


def _log_failure(
    exc_info: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
) -> None:
    """An exception that nobody expected: its traceback, under the number that the person will be shown."""
    g.error_number = _new_number()
    log.error("%s %s -> failed, number %s", request.method, _place(), g.error_number, exc_info=exc_info)


def _new_number() -> str:
    return secrets.token_hex(4)


def _place() -> str:
    """The route, not the path: the path may hold the token of a letter's link."""
    return request.url_rule.rule if request.url_rule else request.path[:200]


def _seconds_to_wait() -> int:
    limit = limiter.current_limit
    # The limiter counts by the system's clock.
    return max(1, limit.reset_at - int(wall_now().timestamp())) if limit else 60
