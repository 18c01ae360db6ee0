"""The shop's settings in the operator's hands: looked at with whence they come, set together, given back to
the environment. Every change is in the audit; of a secret it says only that it was replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import delete

from portal import running
from portal.billing import audit, settings
from portal.billing.audit import Actor, Subject
from portal.billing.setting_rules import WrongSetting
from portal.billing.settings import SECRETS, ShopSettings
from portal.database import after_commit, changed, exclusive, transaction
from portal.models import Setting
from portal.secrets import mask


class Origin(StrEnum):
    """Where the value in force comes from."""

    HERE = "here"
    ENVIRONMENT = "environment"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Standing:
    """One setting as an operator may see it; a secret is masked."""

    name: str
    value: Any
    origin: Origin
    #: What would count, were it not set here; a secret is masked.
    first: Any
    first_origin: Origin


class WrongSettings(WrongSetting):
    """Some of the texts do not fit; *errors* has a sentence for each, and nothing was changed."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        """*errors* by the setting's name."""
        super().__init__("Исправьте отмеченное: ничего ещё не сохранено.")
        self.errors = errors


def standing() -> dict[str, Standing]:
    """Every setting, read anew."""
    kept = settings.stored()
    settings.forget()
    return {name: _standing(name, getattr(settings.current(), name), kept) for name in settings.kinds()}


def put(texts: Mapping[str, str], actor: Actor, now: datetime) -> list[str]:
    """Set all of *texts* at once, and say which of them changed something.

    A secret that is empty stays as it is. Raises :class:`WrongSettings`, having changed nothing.
    """
    errors: dict[str, str] = {}
    rows: dict[str, tuple[Any, dict[str, Any]]] = {}
    for name, text in texts.items():
        if name in SECRETS and not text.strip():
            continue
        try:
            rows[name] = settings.row_of(name, text, now)
        except WrongSetting as error:
            errors[name] = error.message
    if errors:
        raise WrongSettings(errors)
    with transaction() as session:
        exclusive(session, "settings")
        before = standing()
        settings.forget()
        in_force = settings.current()
        new = {name: value for name, (value, _) in rows.items() if value != getattr(in_force, name)}
        for name, value in new.items():
            settings.write(session, rows[name][1])
            _note(actor, name, before[name].value, _shown(name, value), now)
    return list(new)


def give_back(name: str, actor: Actor, now: datetime) -> bool:
    """Forget what was set here, so that the environment's value, or the default, counts again.

    Says whether anything was set here. Raises WrongSetting for no setting.
    """
    if name not in settings.kinds():
        raise WrongSetting(f"Нет такой настройки: {name}.")
    with transaction() as session:
        exclusive(session, "settings")
        before = standing()[name]
        forgotten = changed(session.execute(delete(Setting).where(Setting.name == name)))
        if forgotten:
            after_commit(settings.forget)
            _note(actor, name, before.value, before.first, now)
    return forgotten


def _standing(name: str, value: Any, kept: Mapping[str, str]) -> Standing:
    first = settings.of_environment(running.config()).get(name)
    default = next(field.default for field in fields(ShopSettings) if field.name == name)
    whence = Origin.ENVIRONMENT if first not in {None, default} else Origin.DEFAULT
    before = _shown(name, first if whence is Origin.ENVIRONMENT else default)
    return Standing(name, _shown(name, value), Origin.HERE if name in kept else whence, before, whence)


def _shown(name: str, value: Any) -> Any:
    return mask(value) if name in SECRETS else value


def _note(actor: Actor, name: str, before: Any, after: Any, now: datetime) -> None:
    if name in SECRETS:
        audit.note(actor, "setting-replaced", Subject("setting", name), now)
        return
    audit.note(
        actor, "setting", Subject("setting", name), now, before={"value": before}, after={"value": after}
    )
