"""No sentence stands outside the catalogues: whatever a customer can read goes through gettext."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

ROOT = Path(__file__).parents[1]

#: Whose words are for the shop's own people, who read Russian, or for whoever runs the program.
NOT_FOR_CUSTOMERS = (
    "portal/admin",
    "portal/cli",
    "portal/sandbox",
    "portal/web/letter_samples.py",
    "portal/web/sandbox.py",
    "portal/web/styleguide.py",
)
#: Sentences of the desk's acts: their rooms are Russian.
OF_THE_DESK = {
    "portal/accounts": ("disabling", "operators"),
    "portal/billing": (
        "accepting",
        "api_keys",
        "asking",
        "card_letters",
        "catalogue",
        "comparing_runs",
        "deciding",
        "disputed",
        "extending",
        "giving_back",
        "on_behalf",
        "price_moves",
        "replay",
        "replaying",
        "setting_rules",
        "settings",
        "shop_setup",
    ),
}
#: Words that are no sentence to a customer: the gateways' cabinets and the desk read them, or they are data.
DATA = {
    "portal/billing/cancellation.py": {"Отмена тарифа покупателем"},
    "portal/billing/late_money.py": {"Списание после отмены тарифа", "Оплата после закрытия аккаунта"},
    "portal/billing/saving.py": {"Проверка карты"},
    # The plans of a new shop are the shop's to word.
    "portal/billing/plans.py": {
        "Старт",
        "Для первых рассылок и небольших баз",
        "Про",
        "Для магазина, который пишет каждую неделю",
        "Бизнес",
        "Для больших баз и ежедневных писем",
        "Про на год",
        "Тариф «Про» на 365 дней",
        "Бизнес на год",
        "Тариф «Бизнес» на 365 дней",
    },
    "portal/gateways/cloudpayments/transport.py": {"не найден"},
    "portal/gateways/own_declines.py": {"деньги"},
    "portal/gateways/titles.py": {"мир"},
    "portal/web/language.py": {"Русский"},
}
SAID = {"_", "_l", "gettext", "lazy_gettext", "ngettext", "marked", "say", "say_many"}
CYRILLIC = re.compile("[А-Яа-яЁё]")
LETTERS = re.compile(r"[A-Za-zА-Яа-яЁё]{2,}")


def python_files() -> list[Path]:
    desk = {f"{room}/{name}.py" for room, names in OF_THE_DESK.items() for name in names}
    found = []
    for path in sorted((ROOT / "portal").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(NOT_FOR_CUSTOMERS) and name not in desk:
            found.append(path)
    return found


def bare_in_python(source: str) -> list[str]:
    """Russian constants that are neither docstrings nor given to gettext."""
    tree = ast.parse(source)
    covered = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAID:
            covered.update(map(id, node.args))
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and CYRILLIC.search(node.value)
        and id(node) not in covered
    ]


#: Attributes that are read out or shown.
SHOWN = {"alt", "aria-label", "aria-description", "placeholder", "title", "summary", "label"}
#: What stands in a letter's text beside words: the name of its first line's field, and the paths of links.
NO_WORDS = re.compile(r"Subject:|(?<=·)/[a-z/·-]*")
#: A script that shows words of its own.
OWN_WORDS = re.compile(r"(?:textContent|innerText|title|ariaLabel|alert\()\s*=?\s*[\"'`]\w")
#: Classes of the frame, which pages choose by a block.
NOT_SHOWN = "width"


def templates() -> list[Path]:
    found = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "templates").rglob("*.txt")]
    names = [
        path for path in found if path.relative_to(ROOT / "templates").parts[0] not in {"admin", "styleguide"}
    ]
    return sorted(names)


class Shown(HTMLParser):
    """What of a page's own text a person would see or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"style", "script"}:
            self._inside.append(tag)
        self.words += [value for name, value in attrs if name in SHOWN and value]

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.words.append(data)


def own_text(tree: nodes.Node) -> str:
    """The template without what is computed; a character that is no letter stands for that."""
    if isinstance(tree, nodes.TemplateData):
        return tree.data
    if isinstance(tree, nodes.Block) and tree.name == NOT_SHOWN:
        return ""
    if isinstance(tree, nodes.Expr):
        return "·"
    return "".join(map(own_text, tree.iter_child_nodes()))


def bare_constants(tree: nodes.Node) -> Iterator[str]:
    """Russian constants of expressions that are not given to gettext."""
    if isinstance(tree, nodes.Call) and isinstance(tree.node, nodes.Name) and tree.node.name in SAID:
        for value in tree.kwargs:
            yield from bare_constants(value)
        return
    if isinstance(tree, nodes.Const) and isinstance(tree.value, str) and CYRILLIC.search(tree.value):
        yield tree.value
    for child in tree.iter_child_nodes():
        yield from bare_constants(child)


def bare_in_template(source: str, *, is_page: bool) -> list[str]:
    """Words of a template that do not go through gettext, in whatever language."""
    tree = Environment(extensions=["jinja2.ext.i18n"], autoescape=True).parse(source)
    text = own_text(tree)
    if is_page:
        parser = Shown()
        parser.feed(text)
        shown = parser.words
    else:
        shown = [NO_WORDS.sub("", line) for line in text.splitlines()]
    return [words.strip() for words in shown if LETTERS.search(words)] + list(bare_constants(tree))


@pytest.mark.parametrize("path", python_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_python_says_nothing_past_the_catalogues(path: Path) -> None:
    """Every Russian sentence of the rooms that customers hear from is marked or said."""
    bare = bare_in_python(path.read_text(encoding="utf-8"))
    assert set(bare) == DATA.get(path.relative_to(ROOT).as_posix(), set())


@pytest.mark.parametrize("path", templates(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_templates_say_nothing_past_the_catalogues(path: Path) -> None:
    """Neither text nor what is read out stands in a template as it is."""
    assert bare_in_template(path.read_text(encoding="utf-8"), is_page=path.suffix == ".html") == []


def test_scripts_say_nothing_of_their_own() -> None:
    """What a script shows was given to it by the page."""
    for path in (ROOT / "static" / "js").glob("*.js"):
        code = re.sub(r"(?m)^\s*//.*$", "", path.read_text(encoding="utf-8"))
        assert not CYRILLIC.search(code), path.name
        assert not re.search(r"(?:textContent|innerText|title|ariaLabel|alert\()\s*=?\s*[\"'`]\w", code), (
            path.name
        )


@pytest.mark.parametrize(
    ("planted", "found"),
    (
        ("<p>Готово</p>", ["Готово"]),
        ("<p>Done</p>", ["Done"]),
        ('<a aria-label="Закрыть">·</a>', ["Закрыть"]),
        ('{{ button("Купить") }}', ["Купить"]),
        ('{% set title = "Кабинет" if x else y %}', ["Кабинет"]),
        ('{{ _("Осталось %(left)s", left="много") }}', ["много"]),
        ('<p>{{ _("Готово") }} — {{ sum }} ₽</p><style>p { color: red }</style>', []),
    ),
)
def test_a_planted_sentence_is_found_in_a_template(planted: str, found: list[str]) -> None:
    """The search sees what it is for."""
    assert bare_in_template(planted, is_page=True) == found


@pytest.mark.parametrize(
    ("planted", "found"),
    (
        ('flash("Готово")', ["Готово"]),
        ('raise Wrong(f"Осталось {left}")', ["Осталось "]),
        ('NAMES = {"a": "Имя"}', ["Имя"]),
        ('def f():\n    """Пояснение."""\n    return _("Готово"), say("Всё"), marked("Да")', []),
    ),
)
def test_a_planted_sentence_is_found_in_python(planted: str, found: list[str]) -> None:
    """Docstrings are for readers of the code."""
    assert bare_in_python(planted) == found
