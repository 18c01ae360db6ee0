"""The form of the checkout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, RadioField, ValidationError
from wtforms.validators import DataRequired

from portal.models import GatewayName


class CheckoutForm(FlaskForm):
    """How to pay, and what the customer agrees to. Nothing here costs money: the price is the plan's."""

    gateway = RadioField(_l("Как оплатить"), validate_choice=False)
    accept_offer = BooleanField(
        _l("Принимаю условия оферты"),
        validators=[DataRequired(_l("Чтобы оплатить, нужно принять условия оферты."))],
    )
    accept_recurring = BooleanField(_l("Продлевать автоматически"))

    @classmethod
    def offering(
        cls, gateways: Sequence[GatewayName], *, recurring: bool, preferred: str | None = None
    ) -> Any:
        """The form for these open gateways; the agreement to renewals only where it is offered, unticked."""
        chosen = preferred if preferred in gateways else next(iter(gateways), None)
        form = cls(gateway=chosen and str(chosen))
        form.gateway.choices = [(name.value, name.value) for name in gateways]
        if not recurring:
            del form.accept_recurring
        return form

    def validate_gateway(self, field: RadioField) -> None:
        """Only what is offered can be chosen."""
        if field.data not in {value for value, _ in field.choices}:
            raise ValidationError(str(_l("Выберите способ оплаты.")))


class ChangeForm(CheckoutForm):
    """How an upgrade is paid. The offer was accepted with the first purchase and is named on the page."""

    accept_offer = None
