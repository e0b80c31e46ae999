"""The records and protocols that the layers hand to each other.

Nothing here imports torch at run time, so that the command line starts fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

__all__ = [
    "SPLIT_NAMES",
    "AnswerScores",
    "AnswerSpace",
    "AnswerTarget",
    "Continuation",
    "ContinuingModel",
    "Example",
    "ForwardPass",
    "FreeText",
    "GeneratingModel",
    "LanguageModel",
    "MetricResult",
    "Query",
    "Sample",
    "SplitName",
    "Splits",
    "Wording",
]

SplitName = Literal["train_forget", "train_retain", "test_forget", "test_retain"]
SPLIT_NAMES: tuple[SplitName, ...] = ("train_forget", "train_retain", "test_forget", "test_retain")


@dataclass(frozen=True, slots=True)
class Example:
    """One row of data, before any task has posed it.

    Attributes:
        id: unique among the examples of a :class:`Splits`; a digest of the content where the source has none.
        fields: what the template's placeholders name, without the answer (``{"text": "…"}``).
        answer: the true answer as text (for classification the label's name).
        group: what the row shares with other rows (a person, a document), for intervals; empty where nothing is said.
        alternatives: answers that are scored beside the true one and never trained, by what they are: ``paraphrase``
            (at most one, true as well) and ``perturbed`` (false ones).
    """

    id: str
    fields: Mapping[str, str]
    answer: str
    group: str = ""
    alternatives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Splits:
    """The four splits of the method, and the optional extras.

    ``validation_forget`` and ``validation_retain`` are parts of train that no gradient sees: the best checkpoint is
    chosen on them, never on test. ``holdout`` is data that no model saw (for membership inference). ``contrast_forget``
    and ``contrast_retain`` are rows with names exchanged that unlearning trains on beside the others, and
    ``test_forget_replaced`` is ``test_forget`` with other names (see :mod:`spul.data.contrast`). ``unseen_retain`` are
    rows to keep that the base was not trained on and that unlearning leaves as they are. ``extra`` are further
    sets that are only evaluated, by name (what the model knows of the world, say).
    """

    train_forget: tuple[Example, ...]
    train_retain: tuple[Example, ...]
    test_forget: tuple[Example, ...]
    test_retain: tuple[Example, ...]
    validation_forget: tuple[Example, ...] = ()
    validation_retain: tuple[Example, ...] = ()
    holdout: tuple[Example, ...] = ()
    contrast_forget: tuple[Example, ...] = ()
    contrast_retain: tuple[Example, ...] = ()
    test_forget_replaced: tuple[Example, ...] = ()
    unseen_retain: tuple[Example, ...] = ()
    extra: Mapping[str, tuple[Example, ...]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> tuple[Example, ...]:
        """Return the split called ``name``."""
        if name in self.extra:
            return self.extra[name]
        examples: tuple[Example, ...] = getattr(self, name)
        return examples

    @property
    def names(self) -> list[str]:
        """The names of the splits that are not empty."""
        own = (f.name for f in fields(self) if f.name != "extra")
        return [name for name in (*own, *self.extra) if self[name]]

    def digests(self) -> dict[str, str]:
        """Return a SHA-256 over ids, fields, answers and alternatives, for every split that is not empty."""
        import hashlib
        import json

        out: dict[str, str] = {}
        for name in self.names:
            digest = hashlib.sha256()
            for row in self[name]:
                # Without alternatives this is what it was before there were any.
                beside = [dict(row.alternatives)] if row.alternatives else []
                content = [row.id, dict(row.fields), row.answer, *beside]
                digest.update(json.dumps(content, sort_keys=True).encode())
            out[name] = digest.hexdigest()
        return out


@dataclass(frozen=True, slots=True)
class AnswerSpace:
    """What may be answered: the task's labels, and the generic answers outside them."""

    labels: tuple[str, ...]
    generic: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """An example posed to a model: token ids, cut to the context.

    Attributes:
        id: the example's id.
        prompt_ids: ids of everything before the answer, special tokens included; what a user would send.
        answer_ids: ids of the answer; never empty, never truncated.
        candidates: the ids of every label and every generic answer, by its name (which is its text, but for options
            that go by their letters); empty for free text.
        answer: the answer's text.
        truncated: whether the input text was cut.
        alternatives: the ids of answers that are scored beside the candidates and never trained, by name: labels worded
            in another way (an option's text where its letter is the answer), a free answer's paraphrase and false ones.
        group: the example's group.
        fields: the example's own text, uncut, by the template's fields: what a scope gate reads. Who asks something
            else in its place leaves it empty, and the gate reads the prompt.
        ends: whether the last of ``answer_ids`` is the end-of-sequence token.
    """

    id: str
    prompt_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]
    answer: str
    candidates: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    truncated: bool = False
    alternatives: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    group: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    ends: bool = False


@dataclass(frozen=True, slots=True)
class AnswerTarget:
    """What is wanted at the answer positions, as a distribution over a few tokens and everything else.

    Attributes:
        token_ids: [N, K] the tokens that are named, each once a row; places without mass hold any id.
        mass: [N, K + 1] probability of each, and in the last column of all other tokens together. A row adds up to the
            probability of its position being reached at all.
    """

    token_ids: Int[Tensor, "N K"]
    mass: Float[Tensor, "N K1"]


@dataclass(frozen=True, slots=True)
class ForwardPass:
    """A model's output at the answer positions only, already aligned with the labels.

    Attributes:
        logits: [N, V], N = answer tokens of all rows together; row n predicts ``labels[n]``.
        labels: [N] token ids.
        rows: [N] which example of the batch a token belongs to, ascending.
        num_rows: how many examples there are (0 is allowed).
        reference_logits: [N, V] of the reference model, where the objective asks for them.
        target: what the answers are to be distributed like, where the objective asks for it.
    """

    logits: Float[Tensor, "N V"]
    labels: Int[Tensor, " N"]
    rows: Int[Tensor, " N"]
    num_rows: int
    reference_logits: Float[Tensor, "N V"] | None = None
    target: AnswerTarget | None = None


@dataclass(frozen=True, slots=True)
class AnswerScores:
    """What a model says of one answer, teacher-forced.

    Attributes:
        logprobs: natural-log probability of every answer token.
        argmax_ids: the most probable token at every answer position.
    """

    logprobs: tuple[float, ...]
    argmax_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wording:
    """What a model says of an answer in other words: its log-probability in nats, summed over its tokens."""

    logprob: float
    num_tokens: int

    @property
    def mean(self) -> float:
        """Mean log-probability of a token."""
        return self.logprob / self.num_tokens


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a model goes on with after the first ``shown`` tokens of a text, greedily, as token ids."""

    shown: int
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FreeText:
    """What is kept of an answer in free text; what was not measured is ``None``, or empty.

    Attributes:
        token_logprobs: natural-log probability of every token of the true answer, teacher-forced.
        token_hits: whether the most probable token at that position is that token.
        ends: whether the last of these tokens is the end of the sequence, which is no part of the text.
        generated: the model's own answer to the prompt.
        paraphrase: the true answer in other words.
        perturbed: false answers of the same form.
        context_hits: of a text's own continuation, ``token_hits`` of what stands before it, its first token left out.
        text_ids: of a text's own continuation, the tokens of the whole text.
        continuations: what the model goes on with after beginnings of that text, each at most to where the text ends.
        similarity: cosine of the embeddings of the written and the true answer.
    """

    token_logprobs: tuple[float, ...] | None = None
    token_hits: tuple[bool, ...] | None = None
    ends: bool = False
    generated: str | None = None
    paraphrase: Wording | None = None
    perturbed: tuple[Wording, ...] = ()
    context_hits: tuple[bool, ...] | None = None
    text_ids: tuple[int, ...] | None = None
    continuations: tuple[Continuation, ...] = ()
    similarity: float | None = None

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> FreeText:
        """Build from the mapping that ``dataclasses.asdict`` makes of it.

        Raises:
            TypeError: a key is unknown, or a value of the wrong kind.
        """
        names = ("token_logprobs", "token_hits", "context_hits", "text_ids")
        lists = {name: tuple(row[name]) for name in names if row.get(name)}
        paraphrase = row.get("paraphrase")
        words = {
            "paraphrase": None if paraphrase is None else Wording(**paraphrase),
            "perturbed": tuple(Wording(**each) for each in row.get("perturbed", ())),
            "continuations": tuple(
                Continuation(each["shown"], tuple(each["ids"])) for each in row.get("continuations", ())
            ),
        }
        return cls(**{**row, **lists, **words})


@dataclass(frozen=True, slots=True)
class Sample:
    """One example's outcome on one model: everything a metric needs, and no model.

    Attributes:
        id: the example's id.
        answer: the true answer.
        prediction: the answer read from the model over the full vocabulary: a label of the task, a generic answer,
            or ``None`` where the arg-max is anything else.
        prediction_text: the arg-max tokens decoded.
        restricted_prediction: the most probable of the task's labels only.
        logprob: natural-log probability of the true answer, summed over its tokens; ``None`` where it was not measured
            (samples of other tools).
        num_tokens: length of the true answer in tokens.
        candidate_logprobs: summed log-probability of every allowed and every generic answer, by its name.
        input_tokens: length of the posed input (virtual tokens not counted).
        readings: the most probable label by each way of reading it that the task knows, by the way's name; empty where
            there is one way only.
        group: the example's group; empty where none is said.
        scope_score: of a gated model, the detector's score of the query; ``None`` without a gate.
        in_scope: of a gated model, whether the prompt was applied; ``None`` without a gate.
        text: what is kept of an answer in free text; ``None`` where answers are labels.
    """

    id: str
    answer: str
    prediction: str | None
    prediction_text: str
    restricted_prediction: str | None
    logprob: float | None
    num_tokens: int
    candidate_logprobs: Mapping[str, float]
    input_tokens: int
    readings: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    scope_score: float | None = None
    in_scope: bool | None = None
    text: FreeText | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; the inverse of :meth:`from_json`."""
        row = asdict(self)
        if self.text is None:
            del row["text"]
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Sample:
        """Build from :meth:`to_json`'s mapping.

        Raises:
            TypeError: a key is missing or unknown.
        """
        text = row.get("text")
        return cls(**{**row, "text": None if text is None else FreeText.from_json(text)})


@dataclass(frozen=True, slots=True)
class MetricResult:
    """One number and what makes it readable.

    Attributes:
        value: the number, or ``None`` where it is undefined (then ``reason`` says why).
        low, high: ends of the 95 % interval; ``None`` where there is none.
        n: how many examples it was computed from.
        unit: ``"share"``, ``"nats"``, ``"auc"``, ``"points"``, …
        higher_is_better: direction; ``None`` where neither way is better as such.
        reason: why the value is undefined.
        groups: how many groups of examples the interval was drawn over (a group may be a single row that shares none);
            ``None`` where it was drawn over the examples.
    """

    value: float | None
    n: int
    unit: str
    higher_is_better: bool | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    groups: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return asdict(self)


class LanguageModel(Protocol):
    """The narrow face that evaluation, metrics and attacks see; a ten-line fake satisfies it."""

    def score(self, queries: Sequence[Query], answers: Sequence[Sequence[tuple[int, ...]]]) -> list[list[AnswerScores]]:
        """Score, for every query, each of its given answers (token ids) by teacher forcing."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids, special tokens left out."""
        ...


@runtime_checkable
class GeneratingModel(LanguageModel, Protocol):
    """A language model that writes too, as tasks with free answers need."""

    def complete(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        stop: Sequence[str] = (),
        seed: int = 0,
    ) -> list[str]:
        """Return the continuation of every prompt (token ids), greedy at temperature 0."""
        ...


@runtime_checkable
class ContinuingModel(LanguageModel, Protocol):
    """A language model that goes on with a text token by token, as extraction likelihood needs."""

    def continue_greedily(self, prompts: Sequence[Sequence[int]], *, max_new_tokens: int) -> list[tuple[int, ...]]:
        """Return the most probable continuation of every prompt as token ids."""
        ...
