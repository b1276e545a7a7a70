"""What people fill in."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    HiddenField,
    IntegerField,
    PasswordField,
    SelectField,
    SelectMultipleField,
    StringField,
    widgets,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange

from fieldops.access import ROLE_NAMES, STAFF, Role
from fieldops.accounts.service import PASSWORD_LENGTHS, TOKEN_DAYS
from fieldops.language import LANGUAGES

MISSING = _l("Fill this in.")
TOO_LONG = _l("This is too long.")
LANGUAGE_CHOICES = [SelectChoice(code, name) for code, name in LANGUAGES.items()]
ROLE_CHOICES = [SelectChoice(role.value, ROLE_NAMES[role]) for role in STAFF]


class RolesField(SelectMultipleField):  # type: ignore[misc]
    """One box a role."""

    widget = widgets.ListWidget(prefix_label=False)
    option_widget = widgets.CheckboxInput()


class SignInForm(FlaskForm):  # type: ignore[misc]
    """A name and a password."""

    login = StringField(
        _l("Sign-in name"),
        [InputRequired(MISSING), Length(max=200, message=TOO_LONG)],
        render_kw={"autocomplete": "username", "autofocus": True, "autocapitalize": "none"},
    )
    password = PasswordField(
        _l("Password"),
        [InputRequired(MISSING), Length(max=1000, message=TOO_LONG)],
        render_kw={"autocomplete": "current-password"},
    )
    next = HiddenField()


class NewPersonForm(FlaskForm):  # type: ignore[misc]
    """A person to add."""

    login = StringField(
        _l("Sign-in name"),
        [InputRequired(MISSING)],
        render_kw={"autocomplete": "off", "autocapitalize": "none"},
    )
    name = StringField(_l("Name"), [InputRequired(MISSING)], render_kw={"autocomplete": "off"})
    roles = RolesField(_l("Roles"), choices=ROLE_CHOICES, coerce=Role)
    password = PasswordField(
        _l("First password"),
        description=_l("Leave it empty for a machine that only uses tokens."),
        render_kw={"autocomplete": "new-password"},
    )


class ChangePersonForm(FlaskForm):  # type: ignore[misc]
    """What an administrator may change of a person."""

    name = StringField(_l("Name"), [InputRequired(MISSING)], render_kw={"autocomplete": "off"})
    roles = RolesField(_l("Roles"), choices=ROLE_CHOICES, coerce=Role)
    is_active = BooleanField(_l("May sign in and act"))


class NewPasswordForm(FlaskForm):  # type: ignore[misc]
    """A password that an administrator gives."""

    new = PasswordField(
        _l("New password"),
        [InputRequired(MISSING)],
        description=_l("At least %(least)s characters.", least=PASSWORD_LENGTHS[0]),
        render_kw={"autocomplete": "new-password"},
    )


class OwnPasswordForm(NewPasswordForm):
    """A password that somebody chooses for themselves."""

    old = PasswordField(
        _l("Present password"),
        [InputRequired(MISSING)],
        render_kw={"autocomplete": "current-password"},
    )


class LanguageForm(FlaskForm):  # type: ignore[misc]
    """The language to read."""

    language = SelectField(_l("Language"), choices=LANGUAGE_CHOICES)
    next = HiddenField()


class NewTokenForm(FlaskForm):  # type: ignore[misc]
    """A token to make."""

    name = StringField(
        _l("What it is for"), [InputRequired(MISSING)], render_kw={"autocomplete": "off"}
    )
    days = IntegerField(
        _l("Valid for days"),
        [InputRequired(MISSING), NumberRange(TOKEN_DAYS[0], TOKEN_DAYS[-1])],
        default=365,
    )


def errors_of(form: Any) -> str:  # noqa: ANN401 - WTForms has no types
    """Say in one line what is wrong with a form."""
    return " ".join(
        f"{form[name].label.text}: {error}" if name else str(error)
        for name, errors in form.errors.items()
        for error in errors
    )
