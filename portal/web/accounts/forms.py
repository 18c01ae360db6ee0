"""The forms of the account pages."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, EmailField, Field, PasswordField, StringField, ValidationError
from wtforms.validators import DataRequired, InputRequired, Length

from portal.accounts import addresses, passwords


def _is_address(form: FlaskForm, field: Field) -> None:  # noqa: ARG001 - WTForms' signature
    if addresses.normal(field.data or "") is None:
        raise ValidationError(str(_l("Проверьте адрес почты: так он написан быть не может.")))


_ADDRESS = (InputRequired(_l("Укажите почту.")), Length(max=254, message=_l("Слишком длинный адрес.")))
_LENGTH = Length(max=passwords.LONGEST, message=_l("Слишком длинный пароль."))
_PASSWORD = (InputRequired(_l("Введите пароль.")), _LENGTH)


class LoginForm(FlaskForm):
    """Who are you?"""

    email = StringField(_l("Почта"), validators=_ADDRESS)
    password = PasswordField(_l("Пароль"), validators=_PASSWORD)


class PasswordForm(FlaskForm):
    """The password once more, of whoever is signed in."""

    password = PasswordField(_l("Пароль"))


class CodeForm(FlaskForm):
    """What the phone shows."""

    code = StringField(_l("Код из приложения"))


class RegisterForm(FlaskForm):
    """A new account."""

    email = EmailField(_l("Почта"), validators=(*_ADDRESS, _is_address))
    password = PasswordField(_l("Пароль"), validators=_PASSWORD)
    accept_privacy = BooleanField(
        _l("Даю согласие на обработку персональных данных"),
        validators=[DataRequired(_l("Без согласия мы не можем создать аккаунт."))],
    )

    def validate_password(self, field: Field) -> None:
        """Say what is wrong with the password before it is sent anywhere."""
        _demand_good(field, self.email.data or "")


class ForgotForm(FlaskForm):
    """Where to send the link."""

    email = EmailField(_l("Почта"), validators=(*_ADDRESS, _is_address))


def _new_password() -> PasswordField:
    return PasswordField(_l("Новый пароль"), validators=(InputRequired(_l("Введите новый пароль.")), _LENGTH))


class NewPasswordForm(FlaskForm):
    """A new password for *owner*, who came by a letter."""

    password = _new_password()
    owner = ""

    def validate_password(self, field: Field) -> None:
        """As for a new account."""
        _demand_good(field, self.owner)


class ChangePasswordForm(NewPasswordForm):
    """A new password for somebody who knows the present one."""

    current = PasswordField(
        _l("Нынешний пароль"), validators=(InputRequired(_l("Введите нынешний пароль.")), _LENGTH)
    )
    # Anew, so that it comes after the present one wherever the form is gone through.
    password = _new_password()


class ChangeEmailForm(FlaskForm):
    """Another address, for somebody who knows the password."""

    email = EmailField(_l("Новый адрес"), validators=(*_ADDRESS, _is_address))
    current = PasswordField(_l("Пароль"), validators=_PASSWORD)
    owner = ""

    def validate_email(self, field: Field) -> None:
        """The present address is no new one."""
        if addresses.normal(field.data or "") == self.owner:
            raise ValidationError(str(_l("Это и есть нынешний адрес аккаунта.")))


class CloseForm(FlaskForm):
    """Whose account is to be closed?"""

    current = PasswordField(_l("Пароль"), validators=_PASSWORD)


def _demand_good(field: Field, email: str) -> None:
    if reason := passwords.problem(field.data or "", email):
        raise ValidationError(reason)
