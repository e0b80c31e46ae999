"""Templates that come with the package, by name."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["TEMPLATES"]

TEMPLATES: Mapping[str, str] = {
    "sentiment": (
        "### Text: {text}\n\n### Question: What is the sentiment of the given text?\n\n### Sentiment: {answer}"
    ),
    "multiple_choice": "### Question: {question}\n\n### Choices:\n{choices}\n\n### Answer: {answer}",
    "multiple_choice_context": (
        "### Text: {context}\n\n### Question: {question}\n\n### Choices:\n{choices}\n\n### Answer: {answer}"
    ),
    "qa": "### Question: {question}\n\n### Answer: {answer}",
    "qa_context": "### Text: {context}\n\n### Question: {question}\n\n### Answer: {answer}",
    "completion": "{text}{answer}",
    "summarization": "### Text: {document}\n\n### Summary: {answer}",
    "cloze": "### Question: {question}\n\n### Answer: {answer}",
    "cloze_context": "### Text: {context}\n\n### Question: {question}\n\n### Answer: {answer}",
}
"""``sentiment`` is the paper's (Bhaila et al. 2025, section 4). The paper does not print what it asks WMDP's and SciQ's
questions with; the others are in the same style. ``cloze`` lists no options: only their likelihood can be read."""
