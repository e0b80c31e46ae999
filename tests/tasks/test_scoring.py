from __future__ import annotations

from spul.tasks._scoring import QUERIES_A_CALL, score_split
from tests.fakes import FakeModel, FakeTask, make_query


def test_samples_come_in_the_order_of_the_queries_whatever_their_length() -> None:
    queries = [make_query(str(i), "positive", length=9 - i) for i in range(5)]
    samples = score_split(FakeModel({query.id: "positive" for query in queries}), FakeTask(), queries)
    assert [sample.id for sample in samples] == ["0", "1", "2", "3", "4"]
    assert [sample.input_tokens for sample in samples] == [9, 8, 7, 6, 5]


def test_reads_what_the_model_says() -> None:
    queries = [make_query("right", "positive"), make_query("generic", "positive"), make_query("other", "negative")]
    model = FakeModel({"right": "positive", "generic": "unknown", "other": "maybe"})
    samples = score_split(model, FakeTask(), queries)
    assert [sample.prediction for sample in samples] == ["positive", "unknown", None]


def test_model_is_given_some_at_a_time_and_progress_is_told() -> None:
    queries = [make_query(str(i), "positive") for i in range(QUERIES_A_CALL + 10)]
    model, told = FakeModel({query.id: "positive" for query in queries}), []
    score_split(model, FakeTask(), queries, lambda done, total: told.append((done, total)))
    assert model.calls == [QUERIES_A_CALL, 10]
    assert told == [(QUERIES_A_CALL, len(queries)), (len(queries), len(queries))]


def test_queries_of_like_length_go_together() -> None:
    """Sorted by length, the first call has the short inputs: batches without padding."""
    lengths = [3, 40] * QUERIES_A_CALL
    queries = [make_query(str(i), "positive", length) for i, length in enumerate(lengths)]
    seen: list[set[int]] = []

    class Watching(FakeModel):
        def score(self, queries, answers):  # type: ignore[no-untyped-def]
            seen.append({len(query.prompt_ids) for query in queries})
            return super().score(queries, answers)

    score_split(Watching({query.id: "positive" for query in queries}), FakeTask(), queries)
    assert seen == [{3}, {40}]


def test_no_queries_make_no_samples() -> None:
    model = FakeModel({})
    assert score_split(model, FakeTask(), []) == []
    assert model.calls == []
