"""Questions with choices: a field called ``choices`` holds the options, and the answer is one of them.

Options travel as the other fields do, as text: a JSON array, which is what a list in JSON Lines or Parquet is read as,
and what several columns mapped to one field become. The answer is the letter of the right option from here on, however
the data says it. Where none of the options is right, it may be a generic answer instead, and stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from string import ascii_uppercase

from spul.errors import DataError

__all__ = ["CHOICES", "LETTERS", "letters_of", "listed", "parse_choices"]

CHOICES = "choices"
"""The field that makes an example a question with choices."""

LETTERS = tuple(ascii_uppercase)
"""What options are called, in their order."""


def parse_choices(text: str, place: str) -> tuple[str, ...]:
    """Return the options that a field holds.

    Args:
        text: a JSON array of texts or numbers.
        place: where it stands, for errors.

    Raises:
        DataError: it is no such array, has fewer than 2 or more than 26 options, or an empty one.
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError:
        values = None
    if not isinstance(values, list) or not all(isinstance(value, str | int | float) for value in values):
        raise DataError(
            f"{place}: expected {CHOICES!r} as a list of texts (in CSV: a JSON array, or one column an option named "
            f"in data.columns.{CHOICES}=[COLUMN, COLUMN, …]), got {text[:60]!r}"
        )
    options = tuple(value.strip() if isinstance(value, str) else json.dumps(value) for value in values)
    if not 2 <= len(options) <= len(LETTERS) or not all(options):
        raise DataError(f"{place}: expected 2 to {len(LETTERS)} options, none empty, got {list(options)}")
    return options


def listed(options: Sequence[str]) -> str:
    """Return the options as a prompt lists them: ``A. …``, one a line."""
    return "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))


def letters_of(
    answers: Sequence[str], choices: Sequence[Sequence[str]], where: str, generic: Sequence[str] = ()
) -> list[str]:
    """Return the letter of the right option of every question, or the generic answer that is true of it.

    A source says it in one way throughout: by letter, by position counted from 0, or by the option's own text. An
    answer that is generic and the text of an option as well means the option.

    Args:
        answers: as the source has them.
        choices: the options, one row a question.
        where: the source, for errors.
        generic: the generic answers; none of them looks like a letter or a position.

    Raises:
        DataError: no way fits every question, or two do and disagree (options that are numbers themselves).
    """

    def read(way: Callable[[str, Sequence[str]], str | None], answer: str, options: Sequence[str]) -> str | None:
        return answer if answer in generic and answer not in options else way(answer, options)

    tried = {name: [read(way, *pair) for pair in zip(answers, choices, strict=True)] for name, way in _WAYS.items()}
    fitting = {name: [letter for letter in found if letter] for name, found in tried.items() if all(found)}
    if not fitting:
        row, answer, options = _worst(tried, answers, choices)
        raise DataError(
            f"{where}, row {row + 1}: expected an answer that is a letter, a position counted from 0 or the text of "
            f"exactly one option, the same way in every row, or a generic answer{_listed_in_brackets(generic)} where "
            f"no option is right; got {answer!r} for {list(options)}. Translate other codes with data.label_names."
        )
    first, *others = fitting
    for other in others:
        if fitting[other] != fitting[first]:
            row = next(
                i for i, pair in enumerate(zip(fitting[first], fitting[other], strict=True)) if len(set(pair)) > 1
            )
            raise DataError(
                f"{where}: the answers can be read as {first} and as {other} of the options throughout, and row "
                f"{row + 1} ({answers[row]!r} for {list(choices[row])}) would differ. Write letters instead."
            )
    return fitting[first]


def _listed_in_brackets(generic: Sequence[str]) -> str:
    return f" ({', '.join(generic)})" if generic else ""


def _by_letter(answer: str, options: Sequence[str]) -> str | None:
    letter = answer.upper()
    return letter if letter in LETTERS[: len(options)] else None


def _by_position(answer: str, options: Sequence[str]) -> str | None:
    return LETTERS[int(answer)] if answer.isascii() and answer.isdigit() and int(answer) < len(options) else None


def _by_text(answer: str, options: Sequence[str]) -> str | None:
    return LETTERS[options.index(answer)] if options.count(answer) == 1 else None


_WAYS: Mapping[str, Callable[[str, Sequence[str]], str | None]] = {
    "letters": _by_letter,
    "positions": _by_position,
    "texts": _by_text,
}


def _worst(
    tried: Mapping[str, Sequence[str | None]], answers: Sequence[str], choices: Sequence[Sequence[str]]
) -> tuple[int, str, Sequence[str]]:
    """Return the first row that the way which fits most rows does not fit."""
    best = max(tried.values(), key=lambda found: sum(letter is not None for letter in found))
    row = next(i for i, letter in enumerate(best) if letter is None)
    return row, answers[row], choices[row]
