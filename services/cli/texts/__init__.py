"""What people see, in English or French. English texts stand where they are said; `french.py` and
`french_words.py` have each of them in French. JSON is the same in both.
"""

import os
from collections.abc import Mapping
from string import Formatter
from typing import Final

LANGUAGES: Final = ("en", "fr")
LOCALES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
_chosen: list[str] = []  # of this process; empty until somebody speaks


class _French(Formatter):
    """Numbers as French writes them: 1 234,5."""

    def format_field(self, value: object, format_spec: str) -> str:
        told: str = super().format_field(value, format_spec)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return told.replace(",", "\N{NARROW NO-BREAK SPACE}").replace(".", ",")
        return told


_FRENCH: Final = _French()


def speak(language: str) -> None:
    """Have everything said in this language from now on: `en` or `fr`."""
    assert language in LANGUAGES, language
    _chosen[:] = [language]


def language() -> str:
    """The language that was chosen, else that of the settings, else of the locale."""
    if not _chosen:
        _chosen.append(_of_settings() or of_locale(os.environ))
    return _chosen[0]


def _of_settings() -> str | None:
    from shared.runtime.settings import SettingsError, StackSettings

    try:
        return StackSettings().language
    except (SettingsError, ValueError):
        return None  # it is told in the locale's language


def of_locale(environ: Mapping[str, str]) -> str:
    """French where the locale is, English anywhere else."""
    told = next((environ[name] for name in LOCALES if environ.get(name)), "")
    return "fr" if told.lower().startswith("fr") else "en"


def tr(text: str, /, **values: object) -> str:
    """The text in the chosen language, with its values in their places."""
    if language() == "en":
        return text.format(**values)
    from services.cli.texts.french import FRENCH
    from services.cli.texts.french_words import COLUMNS, WORDS

    found = FRENCH.get(text) or COLUMNS.get(text) or WORDS.get(text, text)
    return _FRENCH.vformat(found, (), values)


def word(value: object) -> object:
    """A word of the contracts, such as a bucket or a term, in the chosen language."""
    if language() == "en" or not isinstance(value, str):
        return value
    from services.cli.texts.french_words import WORDS

    return WORDS.get(value, value)
