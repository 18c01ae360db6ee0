"""The catalogues: everything that is said stands in them, translated whole, and compiled as it is written."""

from __future__ import annotations

import gettext
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Message

from dev import messages

ROOT = Path(__file__).parents[1]
LANGUAGES = (messages.SOURCE, *messages.OTHERS)
PLACE = re.compile(r"%\((\w+)\)s|%%")
CYRILLIC = re.compile("[А-Яа-яЁё]")
#: What Russian typography has and English has not.
RUSSIAN_SIGNS = re.compile("[«»№]|\\s—\\s")


@pytest.fixture(scope="module")
def sentences() -> dict[messages.Id, set[str]]:
    return messages.said()


def forms(message: Message) -> tuple[str, ...]:
    """Every form of a translation."""
    return tuple(message.string) if isinstance(message.string, (list, tuple)) else (message.string,)


def texts(message: Message) -> tuple[str, ...]:
    """Every form of what is translated."""
    return tuple(message.id) if isinstance(message.id, (list, tuple)) else (message.id,)


def kept(language: str) -> list[Message]:
    return [message for message in messages.kept(language) if message.id]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_holds_what_is_said_now(language: str, sentences: dict[messages.Id, set[str]]) -> None:
    """No sentence is missing and none is left over; the cure is `make messages`."""
    expected = messages.as_text(messages.renewed(language, sentences))

    assert messages.place(language).read_text(encoding="utf-8") == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    """A start needs no step of its own: the compiled file is kept beside the written one, and fits it."""
    with messages.place(language, "mo").open("rb") as file:
        read = gettext.GNUTranslations(file)
    for message in kept(language):
        if len(texts(message)) == 1:
            assert read.gettext(texts(message)[0]) == forms(message)[0]
        else:
            one, many = texts(message)
            assert {read.ngettext(one, many, number) for number in range(200)} == set(forms(message))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_translated_whole(language: str) -> None:
    """Every form of every sentence, the same facts and links in it, ended the same way, none uncertain."""
    catalog = messages.kept(language)
    for message in filter(lambda one: one.id, catalog):
        assert not message.fuzzy, message.id
        assert len(forms(message)) == (catalog.num_plurals if len(texts(message)) > 1 else 1), message.id
        for form in forms(message):
            whole = texts(message)[-1]
            assert form, message.id
            assert sorted(PLACE.findall(form)) == sorted(PLACE.findall(whole)), message.id
            assert form.count("[") == whole.count("["), message.id
            assert form.strip() == form, message.id
            assert (form[-1] in ".:?") == (whole[-1] in ".:?"), message.id


def test_english_is_english() -> None:
    """No letter and no sign of Russian is left; both languages are calm."""
    for message in kept("en"):
        for form in forms(message):
            assert not CYRILLIC.search(form), form
            assert not RUSSIAN_SIGNS.search(form), form
            assert "'" not in form, form
            assert "!" not in form + "".join(texts(message)), form


def test_the_catalogues_name_our_own_files_only() -> None:
    """No path of a machine and no day: they change with the sentences alone."""
    for language in LANGUAGES:
        text = messages.place(language).read_text(encoding="utf-8")
        assert not re.search(r"-Date:|Generated-By|\d{4}-\d\d-\d\d", text)
        for line in re.findall(r"(?m)^#: (.+)$", text):
            assert all((ROOT / name).is_file() for name in line.split())
