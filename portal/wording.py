"""Sentences in the reader's language: Russian stands in the code, English in ``translations/``.

A sentence is translated where it is said: :func:`say` for one with facts in it, :func:`marked` for one that a
class or a table keeps until then. Facts (sums, days, counts) are written by :mod:`portal.written`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import flask_babel
from markupsafe import Markup, escape

#: The language of the sentences in the code, and of every reader who did not choose.
SOURCE = "ru"
LANGUAGES = (SOURCE, "en")

_TAG = re.compile(r"(<[^>]*>)")
#: From a Cyrillic letter to the last one before anything Latin.
_RUSSIAN = re.compile(r"[\u0400-\u04ff](?:[^A-Za-z]*[\u0400-\u04ff])?")


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


def russian(text: str | None) -> str:
    """*text* with what is Russian in it marked so, for a reader of another language: a plan's title and the
    seller's name are the shop's own words, an agreement stands as it was shown (WCAG 3.1.2).

    It stays one piece, wherever it stands: parts of a sentence must not become columns of a button.
    """
    if language() == SOURCE or not text:
        return text or ""
    escaped = escape(text)
    found = russian_within(escaped)
    is_one_piece = found == escaped or _RUSSIAN.fullmatch(escaped)
    return found if is_one_piece else Markup("<span>{}</span>").format(found)


def russian_within(page: Markup) -> Markup:
    """*page* with every run of Russian words between its tags marked, for a reader of another language."""
    if language() == SOURCE:
        return page
    pieces = _TAG.split(page)
    pieces[::2] = [_RUSSIAN.sub(rf'<span lang="{SOURCE}">\g<0></span>', words) for words in pieces[::2]]
    return Markup("").join(map(Markup, pieces))


@contextmanager
def speaking(tongue: str) -> Iterator[None]:
    """Speak *tongue* inside: a letter is written in its reader's language, whoever causes it."""
    with flask_babel.force_locale(tongue if tongue in LANGUAGES else SOURCE):
        yield
