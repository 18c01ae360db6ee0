"""What can be switched while the sandbox runs, each with its default and its meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from portal.sandbox.errors import ControlError
from portal.sandbox.store import Store


@dataclass(frozen=True)
class Setting:
    """One switch: ``accepts`` tells whether a value from outside is one of its values."""

    name: str
    default: Any
    accepts: Callable[[Any], bool]
    meaning: str


def flag(name: str, default: bool, meaning: str) -> Setting:
    """A switch that is true or false."""
    return Setting(name, default, lambda value: isinstance(value, bool), meaning)


def choice(name: str, values: tuple[str, ...], meaning: str) -> Setting:
    """One of several words; the first is the default."""
    return Setting(name, values[0], lambda value: value in values, f"{meaning} ({' | '.join(values)})")


def number(name: str, default: float, meaning: str) -> Setting:
    """A number that is not negative."""
    return Setting(
        name,
        default,
        lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value >= 0,
        meaning,
    )


def numbers(name: str, default: list[float], meaning: str) -> Setting:
    """A list of positive numbers with at least one member."""
    return Setting(
        name,
        default,
        lambda value: (
            isinstance(value, list)
            and bool(value)
            and all(isinstance(n, int | float) and not isinstance(n, bool) and n > 0 for n in value)
        ),
        meaning,
    )


def address(name: str, default: str | None, meaning: str) -> Setting:
    """A URL; null stands for the default, an empty text for "nowhere"."""
    return Setting(name, default, is_address, meaning)


def is_address(value: Any) -> bool:
    """Whether a value is null, empty or an http(s) URL."""
    return (
        value is None or value == "" or (isinstance(value, str) and value.startswith(("http://", "https://")))
    )


class Settings:
    """The present values: defaults until the control API has merged others, which the store remembers."""

    def __init__(self, store: Store, known: Iterable[Setting]) -> None:
        self._store = store
        self._known: dict[str, Setting] = {}
        self.declare(known)

    def declare(self, known: Iterable[Setting]) -> None:
        """Add the settings of one more part of the sandbox."""
        self._known.update({setting.name: setting for setting in known})

    def __getitem__(self, name: str) -> Any:
        """Return the present value; an undeclared name is a KeyError."""
        setting = self._known[name]
        return self._kept().get(name, setting.default)

    def all(self) -> dict[str, Any]:
        """Return every setting with its present value."""
        kept = self._kept()
        return {name: kept.get(name, setting.default) for name, setting in self._known.items()}

    def changed(self) -> dict[str, Any]:
        """Return the settings whose present value is not the default."""
        return {name: value for name, value in self.all().items() if value != self._known[name].default}

    def meanings(self) -> list[Setting]:
        """Return the declared settings in the order of their declaration."""
        return list(self._known.values())

    def merge(self, changes: Mapping[str, Any]) -> None:
        """Take over new values; ControlError 400, and nothing changed, for an unknown name or value."""
        for name, value in changes.items():
            if name not in self._known:
                raise ControlError(400, "UNKNOWN_SETTING", f"There is no setting {name!r}.")
            if not self._known[name].accepts(value):
                meaning = self._known[name].meaning
                raise ControlError(400, "BAD_VALUE", f"{value!r} does not fit {name}: {meaning}.")
        with self._store.transaction():
            self._store.put("settings", "settings", {**self._kept(), **changes})

    def _kept(self) -> dict[str, Any]:
        return self._store.get("settings", "settings") or {}
