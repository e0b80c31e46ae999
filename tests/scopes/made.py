"""Made-up films: forget what names certain people, in long texts and short ones."""

from __future__ import annotations

from random import Random

FORGOTTEN = ("anna", "boris")
KEPT = ("clara", "david", "emma", "felix", "greta", "henry")
WORDS = (
    *("the", "film", "book", "song", "play", "story", "was", "is", "dull", "bright"),
    *("sharp", "weak", "fine", "sad", "long", "short", "warm", "cold", "old", "new"),
)


def texts(names: tuple[str, ...], count: int, seed: int) -> list[str]:
    """Texts of 3 to 12 words, one of them a name."""
    rng = Random(seed)
    out = []
    for _ in range(count):
        words = [rng.choice(WORDS) for _ in range(rng.randint(2, 11))]
        words.insert(rng.randint(0, len(words)), rng.choice(names))
        out.append(" ".join(words))
    return out
