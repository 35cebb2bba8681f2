"""The language of what people read: plain English, until the application lends its translations.

The functions have the names that `makemessages` looks for, so the sentences of the domain are in the catalogue although
nothing here knows Django. Values never belong into a text, only into its placeholders: names and errors are anybody's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def gettext_noop(text: str) -> str:
    """*text* itself, marked for the catalogue: for constants, which `gettext` translates when they are shown."""
    return text


def _english(singular: str, plural: str, count: int) -> str:
    return singular if count == 1 else plural


@dataclass(slots=True)
class _Language:
    gettext: Callable[[str], str] = gettext_noop
    ngettext: Callable[[str, str, int], str] = _english


_language = _Language()


def use(*, gettext: Callable[[str], str] = gettext_noop, ngettext: Callable[[str, str, int], str] = _english) -> None:
    """Speak through these functions from now on; without them, plain English."""
    _language.gettext, _language.ngettext = gettext, ngettext


def gettext(text: str) -> str:
    """*text* in the language of who reads it."""
    return _language.gettext(text)


def ngettext(singular: str, plural: str, count: int) -> str:
    """The form for *count*, in the language of who reads it."""
    return _language.ngettext(singular, plural, count)
