"""Names in texts, found by a model: one function a library, looked up by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from spul.errors import DataError, MissingDependencyError

__all__ = ["RECOGNISERS", "Recogniser"]

Recogniser = Callable[[str, Sequence[str], Sequence[str]], Iterable[str]]
"""Takes a model, the texts and the types of entities that are wanted, and yields names as the texts have them."""

TEXTS_A_CALL = 16


def with_spacy(model: str, texts: Sequence[str], types: Sequence[str]) -> Iterable[str]:
    """Yield the entities that a spaCy pipeline finds.

    Raises:
        MissingDependencyError: spaCy or the model is not installed.
    """
    try:
        import spacy
    except ImportError as error:
        raise MissingDependencyError(
            "finding entities with spaCy needs it: pip install 'spul[entities]', use a model of transformers (--ner "
            "transformers), or give the names yourself (--entity)"
        ) from error
    try:
        pipeline = spacy.load(model)
    except OSError as error:
        raise MissingDependencyError(f"spaCy has no model {model!r}: python -m spacy download {model}") from error
    for document in pipeline.pipe(texts):
        yield from (entity.text for entity in document.ents if entity.label_ in types)


def with_transformers(model: str, texts: Sequence[str], types: Sequence[str]) -> Iterable[str]:
    """Yield the entities that a token-classification model of transformers finds, word by word.

    Weights are read from safetensors only, and no code that comes with a model is run.

    Raises:
        DataError: nothing loadable is there, or the model knows none of the types.
    """
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    try:
        classifier = AutoModelForTokenClassification.from_pretrained(model, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise DataError(
            f"expected a token-classification model of transformers at {model!r} (a directory or a hub id, its weights "
            f"in safetensors), but it does not load: {str(error).splitlines()[0]}"
        ) from error
    known = sorted({label.removeprefix("B-").removeprefix("I-") for label in classifier.config.id2label.values()})
    if not set(types) & set(known):
        raise DataError(f"expected a model that knows {' or '.join(types)}, but {model!r} knows {', '.join(known)}")
    # A word goes by its first piece, so that no name is cut within a word.
    recognise = pipeline("token-classification", classifier, tokenizer=tokenizer, aggregation_strategy="first")
    for start in range(0, len(texts), TEXTS_A_CALL):
        chunk = [text for text in texts[start : start + TEXTS_A_CALL] if text.strip()]
        for text, found in zip(chunk, recognise(chunk, batch_size=TEXTS_A_CALL) if chunk else [], strict=True):
            yield from (text[int(one["start"]) : int(one["end"])] for one in found if one["entity_group"] in types)


RECOGNISERS: Mapping[str, Recogniser] = {"spacy": with_spacy, "transformers": with_transformers}
