"""The text around an example: literal text, fields, and the answer at the very end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter

from spul.errors import ConfigError, DataError, unknown_name

__all__ = ["Template", "escaped"]

ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template, ``### Text: {text}\\n\\n### Sentiment: {answer}`` for example.

    What stands before ``{answer}`` is the prompt; the white space between the two belongs to neither. A prompt that
    ended in white space would ask most tokenizers for an answer in a form that they never saw in training: the space
    belongs to the answer's first token.

    Attributes:
        text: what was parsed.
        pieces: literal text and the field that follows it (``None``: none does), in order, up to the answer.
        separator: white space between prompt and answer.
    """

    text: str
    pieces: tuple[tuple[str, str | None], ...]
    separator: str

    @classmethod
    def parse(cls, text: str) -> Template:
        """Parse a template; ``{{`` and ``}}`` stand for braces.

        Raises:
            ConfigError: braces do not pair up, a placeholder is no plain name, ``{answer}`` is not there exactly once
                and last, or there is no other field.
        """
        pieces = _parse_pieces(text)
        names = [name for _, name in pieces if name is not None]
        if names.count(ANSWER) != 1 or pieces[-1][1] != ANSWER:
            raise ConfigError(f"expected a template with {{answer}} once and last, got {text!r}. Move it to the end.")
        literal, _ = pieces.pop()
        if len(names) == 1:
            raise ConfigError(f"expected a template with a field before {{answer}}, {{text}} say, got {text!r}")
        stripped = literal.rstrip()
        return cls(text, (*pieces, (stripped, None)), literal[len(stripped) :])

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the names of the fields in order of first appearance, the answer left out."""
        return tuple(dict.fromkeys(name for _, name in self.pieces if name is not None))

    def render_prompt(self, fields: Mapping[str, str]) -> str:
        """Return everything before the answer, without white space at its end.

        Raises:
            DataError: a field is missing.
        """
        return "".join(self._parts(fields)).rstrip()

    def render(self, fields: Mapping[str, str], answer: str) -> str:
        """Return prompt, separator and answer.

        Raises:
            DataError: a field is missing.
        """
        return f"{self.render_prompt(fields)}{self.separator}{answer}"

    def read_prompt(self, prompt: str) -> dict[str, str] | None:
        """Return the fields of a prompt of this template's form, ``None`` for any other text.

        The inverse of :meth:`render_prompt`, but where a field's own text holds what stands between fields: a field
        ends at the first chance.
        """
        pattern, seen = "", set[str]()
        for literal, name in self.pieces:
            pattern += re.escape(literal)
            if name is not None:
                pattern += f"(?P={name})" if name in seen else f"(?P<{name}>.*?)"
                seen.add(name)
        found = re.fullmatch(pattern, prompt, re.DOTALL)
        return None if found is None else found.groupdict()

    def start_of(self, name: str, fields: Mapping[str, str]) -> int:
        """Return where in the prompt the (first) value of field ``name`` starts, in characters.

        Raises:
            DataError: a field is missing.
            ValueError: the template has no such field (a programming error).
        """
        position = [field for _, field in self.pieces].index(name)
        return sum(map(len, self._parts(fields)[: 2 * position + 1]))

    def _parts(self, fields: Mapping[str, str]) -> list[str]:
        parts = []
        for literal, name in self.pieces:
            if name is not None and name not in fields:
                raise DataError(f"{unknown_name('field', name, fields)}; the template asks for {list(self.fields)}")
            parts += [literal, "" if name is None else fields[name]]
        return parts


def _parse_pieces(text: str) -> list[tuple[str, str | None]]:
    pieces: list[tuple[str, str | None]] = []
    pending = ""
    try:
        for literal, name, spec, conversion in Formatter().parse(text):
            if name is None:
                # An escaped brace ends a piece of the formatter's; to us the literal goes on.
                pending += literal
                continue
            if spec or conversion or not name.isidentifier():
                raise ConfigError(f"expected a template with plain placeholders such as {{text}}, got {text!r}")
            pieces.append((pending + literal, name))
            pending = ""
    except ValueError as error:
        raise ConfigError(f"template {text!r}: {error}. Write {{{{ and }}}} for braces that are meant.") from error
    if pending.strip() or not pieces:
        raise ConfigError(f"expected a template with {{answer}} once and last, got {text!r}. Move it to the end.")
    return pieces


def escaped(text: str) -> str:
    """Return a text as it stands in a template, its braces doubled."""
    return text.replace("{", "{{").replace("}", "}}")
