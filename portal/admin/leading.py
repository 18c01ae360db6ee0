"""Subscribers led to the other gateway: how far it is, what the letter says, the next batch of letters."""

from __future__ import annotations

import uuid

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from portal import clock, mail, running
from portal.accounts import present
from portal.admin.access import Room, needs
from portal.billing import card_letters, leading
from portal.errors import InvalidRequest, PortalError
from portal.mail import Letter
from portal.models import GatewayName, Role

#: A first batch is best a small one.
_FIRST = "100"


class Leading(Room):
    """Nobody is charged for being asked, and nobody is moved but by saving a card."""

    least = Role.OWNER
    what = (
        "Кто продлевается через другой шлюз, видит просьбу сохранить карту в своём кабинете; здесь ту же "
        "просьбу отправляют письмом. Сама она ничего не списывает и никого не переводит."
    )

    @expose("/")
    def index_view(self) -> str:
        """How far it is, and whom the next letters would reach."""
        return self._page({})

    @expose("/", methods=("POST",))
    @needs(Role.OWNER, fresh=True)
    def ask_view(self) -> ResponseReturnValue:
        """Write to the next of them."""
        typed = {name: request.form.get(name, "") for name in ("most", "again", "reason", "form_key")}
        target = leading.target()
        try:
            if target is None or target.value != request.form.get("gateway"):
                raise InvalidRequest("Пока страница была открыта, магазин перестал вести в этот шлюз.")
            most, again = _number(typed["most"]), _number(typed["again"]) if typed["again"].strip() else None
            asked, key = present.actor(), typed["form_key"]
            sent = card_letters.ask(target, most, again, asked, typed["reason"], key, clock.now())
        except PortalError as refused:
            return self._page(typed, refused.message), refused.status
        flash(f"Писем в отправке: {sent}." if sent else "Новых писем нет: писать больше некому.", "good")
        return redirect(url_for(".index_view"), 303)

    def _page(self, typed: dict[str, str], trouble: str = "") -> str:
        target, now = leading.target(), clock.now()
        page: str = self.render(
            "admin/leading.html",
            target=target,
            trouble=trouble,
            typed={"most": _FIRST, "again": "", "reason": ""} | typed,
            form_key=typed.get("form_key") or str(uuid.uuid4()),
            progress=card_letters.progress(target) if target else None,
            fresh=card_letters.would_reach(target, None, now) if target else 0,
            old=card_letters.would_reach(target, card_letters.LEAST_DAYS, now) if target else 0,
            letter=_example(target) if target else None,
            most=card_letters.MOST,
            least_days=card_letters.LEAST_DAYS,
        )
        return page


def _example(target: GatewayName) -> Letter | None:
    """The letter as the first of them would read it; its links lead nowhere."""
    facts = card_letters.an_example(target, clock.now())
    if facts is None:
        return None
    base_url = running.config().portal_base_url
    shown = {**facts, "base_url": base_url, "stop_link": f"{base_url}/renewal/…/stop"}
    return mail.compose(card_letters.KIND, shown)


def _number(text: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 6):
        raise InvalidRequest("Сколько писем и через сколько дней — целые числа.")
    return int(digits)
