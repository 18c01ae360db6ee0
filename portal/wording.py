"""Sentences in the reader's language: Russian stands in the code, English in ``translations/``.

A sentence is translated where it is said: :func:`say` for one with facts in it, :func:`marked` for one that a
class or a table keeps until then. Facts (sums, days, counts) are written by :mod:`portal.written`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import flask_babel

#: The language of the sentences in the code, and of every reader who did not choose.
SOURCE = "ru"
LANGUAGES = (SOURCE, "en")


def marked(text: str) -> str:
    """Give *text* as it is, and have it collected for the catalogues: :func:`say` will be asked for it."""
    return text


def say(text: str, /, **values: object) -> str:
    """Say *text* to the present reader, with *values* in the places of its ``%(name)s``."""
    return str(flask_babel.gettext(text, **values))


def say_many(one: str, many: str, count: int, /, written: str | None = None, **values: object) -> str:
    """Say a sentence that depends on a *count*, which stands in it as ``%(num)s``, *written* that way."""
    sentence = flask_babel.get_translations().ungettext(one, many, count)
    return str(sentence % {"num": written or str(count), **values})


def language() -> str:
    """The language of the present reader."""
    locale = flask_babel.get_locale()
    return locale.language if locale and locale.language in LANGUAGES else SOURCE


@contextmanager
def speaking(tongue: str) -> Iterator[None]:
    """Speak *tongue* inside: a letter is written in its reader's language, whoever causes it."""
    with flask_babel.force_locale(tongue if tongue in LANGUAGES else SOURCE):
        yield
