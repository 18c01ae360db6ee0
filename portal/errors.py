"""The one family of errors that a person may read.

An error has a ``code`` for programs, an HTTP ``status`` and a ``message`` for a person, in the language of
whoever caused it. Subclasses stand in the file that raises them; :mod:`portal.web.errors` is the only place
that turns them into pages or JSON.
"""

from __future__ import annotations

from portal.wording import marked, say


class PortalError(Exception):
    """Something the caller can be told in one sentence."""

    code = "INTERNAL_ERROR"
    status = 500
    message = marked("Что-то пошло не так. Мы уже разбираемся, деньги без вашего ведома не спишутся.")

    def __init__(self, message: str | None = None, *, code: str | None = None) -> None:
        """Keep the class's sentence and code unless this case has better ones."""
        self.message = message or say(type(self).message)
        self.code = code or type(self).code
        super().__init__(self.message)


class NotFound(PortalError):
    """There is no such thing, or it belongs to somebody else: the two are told alike."""

    code = "NOT_FOUND"
    status = 404
    message = marked("Такой записи нет.")


class InvalidRequest(PortalError):
    """The request lacks something or says something impossible."""

    code = "INVALID_REQUEST"
    status = 400
    message = marked("Запрос заполнен неверно.")


class NotAllowed(PortalError):
    """The person is known but may not do this."""

    code = "FORBIDDEN"
    status = 403
    message = marked("Это действие вам недоступно.")
