"""``make messages``: collect every sentence that is said, bring the catalogues up to date, compile them.

Russian is the source language, so its catalogue holds only what depends on a number. The catalogues name
files but no lines, and no day: they change with the sentences and with nothing else.
"""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path

from babel.messages import Catalog
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
TRANSLATIONS = ROOT / "translations"
SOURCE, OTHERS = "ru", ("en",)

#: The first that fits decides. The desk is in Russian, for the shop's own people; commands, the sandbox
#: and the styleguide speak to those who run and write this program.
_ROOMS = [
    ("templates/admin/**", "ignore"),
    ("templates/styleguide/**", "ignore"),
    ("templates/**.html", "jinja2"),
    ("templates/**.txt", "jinja2"),
    ("portal/admin/**", "ignore"),
    ("portal/cli/**", "ignore"),
    ("portal/sandbox/**", "ignore"),
    ("portal/web/letter_samples.py", "ignore"),
    ("portal/web/styleguide.py", "ignore"),
    ("portal/**.py", "python"),
]
_OPTIONS = {"templates/**.html": {"silent": "false"}, "templates/**.txt": {"silent": "false"}}
_KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "_l": None,
    "gettext": None,
    "ngettext": (1, 2),
    "marked": None,
    "say": None,
    "say_many": (1, 2),
}

#: Babel wants a day in the head of what it compiles; the same sentences shall make the same file.
_NO_DAY = datetime(2026, 1, 1, tzinfo=UTC)

Id = str | tuple[str, ...]


def said() -> dict[Id, set[str]]:
    """Every sentence of the code and the templates, with the files that say it."""
    found: dict[Id, set[str]] = {}
    for folder in ("portal", "templates"):
        rooms = [
            (pattern.removeprefix(f"{folder}/"), how) for pattern, how in _ROOMS if pattern.startswith(folder)
        ]
        options = {pattern.removeprefix(f"{folder}/"): given for pattern, given in _OPTIONS.items()}
        for name, _line, text, _comments, _context in extract_from_dir(
            ROOT / folder, rooms, options, keywords=_KEYWORDS
        ):
            found.setdefault(text if isinstance(text, str) else tuple(text), set()).add(f"{folder}/{name}")
    return found


def place(language: str, ending: str = "po") -> Path:
    """The catalogue of *language*, or with *ending* ``mo`` what is read at run time."""
    return TRANSLATIONS / language / "LC_MESSAGES" / f"messages.{ending}"


def kept(language: str) -> Catalog:
    """The catalogue as it is kept."""
    with place(language).open("rb") as file:
        return read_po(file, locale=language)


def renewed(language: str, sentences: dict[Id, set[str]]) -> Catalog:
    """The catalogue with what is said now: translations stay, new sentences are empty, old ones go."""
    old = kept(language) if place(language).exists() else Catalog(locale=language)
    catalog = Catalog(locale=language)
    for text, files in sentences.items():
        if language == SOURCE and isinstance(text, str):
            continue
        was = old.get(text if isinstance(text, str) else text[0])
        same = was is not None and was.id == text
        catalog.add(text, was.string if same and was else None, [(name, 0) for name in sorted(files)])
    return catalog


def as_text(catalog: Catalog) -> str:
    """The catalogue as a file: what concerns the file's own history is left out."""
    file = io.BytesIO()
    write_po(file, catalog, width=110, omit_header=True, sort_by_file=True, include_lineno=False)
    # Flags stand where translators' programs look for them; ours are checked by a test.
    body = re.sub(r"(?m)^#, .*\n", "", file.getvalue().decode())
    head = (
        f"Language: {catalog.locale}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        f"Plural-Forms: {catalog.plural_forms}",
    )
    lines = "".join(f'"{line}\\n"\n' for line in head)
    return f'msgid ""\nmsgstr ""\n{lines}\n{body}'


def compiled(catalog: Catalog) -> bytes:
    """What the portal reads at run time."""
    catalog.creation_date = catalog.revision_date = _NO_DAY
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def is_empty(message: Message) -> bool:
    """Whether a form of this message is not translated."""
    forms = message.string if isinstance(message.string, (list, tuple)) else (message.string,)
    return not all(forms)


def main() -> None:
    """Bring the catalogues up to date and say what waits for a translator."""
    sentences = said()
    for language in (SOURCE, *OTHERS):
        catalog = renewed(language, sentences)
        place(language).parent.mkdir(parents=True, exist_ok=True)
        place(language).write_text(as_text(catalog), encoding="utf-8")
        place(language, "mo").write_bytes(compiled(kept(language)))
        empty = [message for message in catalog if message.id and is_empty(message)]
        print(f"{language}: {len(catalog)} messages, {len(empty)} not translated")
        for message in empty:
            print(f"  {message.id!r}")


if __name__ == "__main__":
    main()
