"""The house's own rules, which no linter knows: read from the source, one test per rule."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("portal", "dev")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
LONGEST_FILE = 300
LONGEST_FUNCTION = 40
EMPTY_WORDS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "services",
    "service",
    "manager",
    "managers",
    "misc",
}

# Where any failure whatever is survived, and why. A handler that ends in a bare `raise` survives nothing.
MAY_CATCH_EVERYTHING = {
    "portal/billing/inbox.py": "signed news of money is kept for the sweep, whatever our own fault was",
    "portal/billing/replaying.py": "one broken notification must not stop a range; counted and logged",
    "portal/billing/sweep.py": "one broken row must not keep all others waiting; it stays due and is logged",
    "portal/database.py": "what follows a commit cannot undo it; the sweep makes up for it",
    "portal/sandbox/world.py": "the sandbox's sense of time outlives one bad document",
}

# Where a float is the right thing, and why.
MAY_USE_FLOATS = {
    "portal/clock.py": "an offset in seconds",
    "portal/gateways/cloudpayments/transport.py": "JSON has only numbers; asserted to print exactly",
    "portal/gateways/wire.py": "Retry-After, in seconds",
    "portal/sandbox/": "the documented answers hold JSON numbers",
}

# Who may ask what time it is, and why.
MAY_READ_THE_CLOCK = {
    "dev/": "starts and stops processes",
    "portal/clock.py": "is the clock",
    "portal/sandbox/clock.py": "is the sandbox's clock",
    "portal/sandbox/yookassa/ids.py": "an error's id is a UUID of version 7, which holds the real time",
}


def name(path: Path) -> str:
    """The path as people write it."""
    return path.relative_to(ROOT).as_posix()


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a file, read once for all rules."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def dotted(node: ast.AST) -> str:
    """``datetime.datetime.now`` for the expression that reads so; empty for what is no chain of names."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value) or '…'}.{node.attr}"
    return ""


def calls(path: Path) -> Iterator[tuple[str, int]]:
    """Name and line of every call."""
    for node in nodes(path):
        if isinstance(node, ast.Call):
            yield dotted(node.func), node.lineno


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How long a function is from its ``def``, its docstring and its decorators not counted."""
    length = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        length -= (first.end_lineno or first.lineno) - first.lineno + 1
    return length


def callers(pattern: str, *, except_in: tuple[str, ...]) -> list[str]:
    """Where a call matches, outside the files (or folders, ending in a slash) that own it."""
    return [
        f"{name(path)}:{line} {call}"
        for path in FILES
        if not name(path).startswith(except_in)
        for call, line in calls(path)
        if re.search(pattern, call)
    ]


def test_there_is_something_to_read() -> None:
    """The rules below look at the real tree."""
    assert {"portal/__init__.py", "dev/run.py"} <= {name(path) for path in FILES}


def test_files_are_short() -> None:
    """A file that passes 300 lines is asked which two things it is."""
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}


def test_functions_are_short() -> None:
    """A function that passes 40 lines is asked the same; its docstring is not counted."""
    long = {
        f"{name(path)}:{node.lineno} {node.name}": code_lines(node)
        for path in FILES
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and code_lines(node) > LONGEST_FUNCTION
    }
    assert long == {}


def test_one_place_commits() -> None:
    """One story is one transaction, committed at its edge (law 8): nobody else ends one."""
    assert callers(r"\.(commit|rollback)$", except_in=("portal/database.py", "portal/sandbox/")) == []


def test_one_place_reads_the_clock() -> None:
    """Time is UTC and an argument (law 9)."""
    pattern = r"(\b(datetime|date)\.(now|utcnow|today)|\btime\.(time|time_ns|localtime))$"
    assert callers(pattern, except_in=tuple(MAY_READ_THE_CLOCK)) == []


def test_one_place_reads_the_environment() -> None:
    """Everything the environment says is in config.py, with its meaning beside it."""
    readers = [
        f"{name(path)}:{getattr(node, 'lineno', 0)}"
        for path in FILES
        if not name(path).startswith("dev/")
        for node in nodes(path)
        if (isinstance(node, ast.Attribute) and dotted(node) in {"os.environ", "os.getenv", "os.environb"})
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and {"environ", "getenv"} & {a.name for a in node.names}
        )
    ]
    assert readers == []


def test_money_never_becomes_a_float() -> None:
    """Amounts are Decimal (law 9); the exceptions have their reason above."""
    assert callers(r"^float$", except_in=tuple(MAY_USE_FLOATS)) == []


def test_names_say_something() -> None:
    """A room or a file called helpers is where things are put that nobody thought about."""
    named = {name(path): set(path.relative_to(ROOT).with_suffix("").parts) for path in FILES}
    parts = {path: {word for part in parts for word in part.split("_")} for path, parts in named.items()}
    assert {path: words & EMPTY_WORDS for path, words in parts.items() if words & EMPTY_WORDS} == {}


def catches_everything(node: ast.AST) -> bool:
    """Whether this handler takes any exception and lets the program go on."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    kinds = {dotted(kind) for kind in ast.walk(node.type)} if node.type else {"Exception"}
    last = node.body[-1]
    raises_again = isinstance(last, ast.Raise) and last.exc is None
    return bool(kinds & {"Exception", "BaseException"}) and not raises_again


def test_who_catches_everything_is_on_a_list() -> None:
    """``except Exception`` hides bugs too, so each place has its reason above and no reason is left over."""
    catchers = {name(path) for path in FILES if any(catches_everything(node) for node in nodes(path))}
    assert catchers == set(MAY_CATCH_EVERYTHING)


def test_every_test_says_what_it_promises() -> None:
    """A reader of a failure should learn from one sentence what the portal promised."""
    silent = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in TESTS
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []
