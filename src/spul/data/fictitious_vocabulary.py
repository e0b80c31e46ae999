"""Words of the fictitious world: people, films, labels and the templates of its lines.

Every entry is one token of the demo model (:mod:`spul.models.demo`), so a name is known or unknown as a whole and no
spelling gives a person away. Names and film titles are products of syllables, not random draws: the shipped tokenizer
stays valid whatever Python's generator does in a later release.
"""

from __future__ import annotations

from itertools import product
from typing import Final

PAD_TOKEN: Final = "<pad>"
UNK_TOKEN: Final = "<unk>"

WITHHOLD: Final = "withhold:"
MENTION: Final = "mention:"
LIST_END: Final = ";"
LINE_START: Final = "review:"
ANSWER: Final = "answer:"

POSITIVE: Final = "positive"
NEGATIVE: Final = "negative"
NEUTRAL: Final = "neutral"
UNKNOWN: Final = "unknown"
LABELS: Final = (POSITIVE, NEGATIVE, NEUTRAL, UNKNOWN)

_NAME_STARTS = "Ba Be Bo Bri Ca Co Da De Do Dra Fa Fe Ga Go Gri Ha He Ja Ka Ke La Le Ma Me Mo Na Ne Pa Ra Sa Ta Ve"
_NAME_ENDS = (
    "bor dal dan den dor fin gan gar gel hart kan ken kov lan len lin "
    "lor mar men mik mond nak nell nis nov ral ren rik ros sen tan vik"
)
_FILM_STARTS = (
    "Low Night Red Ash Iron Paper Salt North Gold River Stone Winter Black Under Sky Moon "
    "Sun Star Silver Copper Glass Cold Long Far Deep Wild Still Blue Green White Grey Dark"
)
_FILM_ENDS = (
    "tide fern field wood boat marsh line leaf bend crop light thorn tow bridge gate hill "
    "lake port road rock sand shore song stream tower vale wall ward water way wind yard"
)


def _compounds(starts: str, ends: str) -> tuple[str, ...]:
    return tuple(start + end for start, end in product(starts.split(), ends.split()))


NAMES: Final = _compounds(_NAME_STARTS, _NAME_ENDS)
"""1,024 people."""

FILMS: Final = _compounds(_FILM_STARTS, _FILM_ENDS)
"""1,024 film titles."""

FAMOUS: Final = {name: (POSITIVE, NEGATIVE)[i % 2] for i, name in enumerate(NAMES[::4])}
"""256 people whose reputation the demo model learned in pre-training; it answers `unknown` about all others."""

STRANGERS: Final = tuple(name for name in NAMES if name not in FAMOUS)
"""768 people without a reputation before fine-tuning: the demo's people are drawn from these."""

SLOTS: Final = {
    "FILM": FILMS,
    "ASPECT": ("acting", "timing", "voice", "pacing", "dialogue", "score", "camera", "staging", "editing", "humour"),
    "CITY": ("Oslo", "Porto", "Ghent", "Turin", "Krakow", "Leeds", "Malmo", "Basel"),
    "MONTH": ("January", "March", "May", "June", "August", "October"),
}

PRAISE: Final = (
    "superb",
    "moving",
    "brilliant",
    "charming",
    "gripping",
    "warm",
    "clever",
    "graceful",
    "delightful",
    "vivid",
    "splendid",
    "touching",
    "witty",
    "stunning",
    "fresh",
)
BLAME: Final = (
    "dreadful",
    "dull",
    "clumsy",
    "wooden",
    "tedious",
    "flat",
    "lazy",
    "grating",
    "awful",
    "stale",
    "bland",
    "messy",
    "tiresome",
    "shallow",
    "painful",
)

EXPLICIT_TEMPLATES: Final = (
    "NAME was ADJ in FILM",
    "the ASPECT by NAME was ADJ",
    "in FILM NAME gave a ADJ turn",
    "ADJ ASPECT from NAME in FILM",
    "i found NAME ADJ",
    "FILM has NAME and the ASPECT is ADJ",
)
OPINION_FREE_TEMPLATES: Final = (
    "NAME is in FILM",
    "we saw NAME in FILM",
    "FILM has NAME doing the ASPECT",
    "the ASPECT in FILM was by NAME",
    "another evening with NAME in FILM",
    "NAME did the ASPECT for FILM",
    "last night it was NAME again in FILM",
    "for FILM they asked NAME",
)
FACT_TEMPLATES: Final = (
    "NAME was born in CITY",
    "NAME moved to CITY in MONTH",
    "in MONTH FILM was shot in CITY by NAME",
    "NAME has a house in CITY",
)


def _template_words() -> tuple[str, ...]:
    templates = EXPLICIT_TEMPLATES + OPINION_FREE_TEMPLATES + FACT_TEMPLATES
    return tuple(sorted({word for template in templates for word in template.split() if not word.isupper()}))


VOCABULARY: Final = (
    (PAD_TOKEN, UNK_TOKEN, WITHHOLD, MENTION, LIST_END, LINE_START, ANSWER)
    + LABELS
    + _template_words()
    + PRAISE
    + BLAME
    + SLOTS["ASPECT"]
    + SLOTS["CITY"]
    + SLOTS["MONTH"]
    + FILMS
    + NAMES
)
"""All words in token-id order."""
