"""``spul score``: the metrics once more from stored samples, a run's or another tool's, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spul.cli._output import Debug, Json, results_only, show, show_json
from spul.cli._runs import show_run
from spul.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spul.types import MetricResult

__all__ = ["score"]

Samples = Annotated[
    Path,
    typer.Argument(
        metavar="RUN|SAMPLES",
        help="Run directory; or a file or directory of samples that another tool wrote (docs/samples.md).",
        show_default=False,
    ),
]


def score(
    samples: Samples,
    *,
    retrained: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN|SAMPLES", help="Samples of the retrained model, from another run or file.", show_default=False
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="The task of another tool's samples: VerbMem and KnowMem need it.", show_default=False),
    ] = None,
    generic_answer: Annotated[
        list[str] | None,
        typer.Option(help="A generic answer of another tool's samples. Repeat for more.", show_default=False),
    ] = None,
    embedder: Annotated[
        str | None,
        typer.Option(
            metavar="PATH_OR_HUB_ID",
            help="Sentence encoder, for the similarity of written and true answers (spul[clusters]).",
            show_default=False,
        ),
    ] = None,
    bootstrap: Annotated[int, typer.Option(min=100, help="Resamples behind an interval.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the intervals.")] = 0,
    output: Annotated[Path | None, typer.Option(help="Write the numbers there as JSON.", show_default=False)] = None,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Recompute metrics from stored samples, without model or data.

    Of a run directory alone, its metrics.json is written anew. Anything else is only shown, or written to --output.

    Example: spul score samples/ --retrained retrained.jsonl --task qa --json
    """
    from spul.evaluation import recompute_metrics
    from spul.runs import Run

    is_run = (samples / "manifest.json").is_file()
    others = (retrained, task, generic_answer, embedder, output)
    if is_run and all(other is None for other in others):
        opened = Run.open(samples)
        with results_only(), opened.lock():
            opened.unseal("metrics.json")
            recompute_metrics(opened)
            opened.seal()
        show_run(opened, json_output=json_output)
        return
    if is_run and (task or generic_answer):
        raise ConfigError("a run directory names its own task and generic answers; leave out --task, --generic-answer")
    metrics = _of_files(samples, retrained, task, generic_answer or [], embedder, bootstrap, seed)
    if output is not None:
        from spul.files import write_json

        write_json(output, {"metrics": _rows(metrics)})
    if json_output:
        show_json({"metrics": {name: found.to_json() for name, found in metrics.items()}})
    else:
        from spul.reports import metrics_table

        show(metrics_table(metrics))


def _of_files(
    samples: Path,
    retrained: Path | None,
    task: str | None,
    generic: list[str],
    embedder: str | None,
    bootstrap: int,
    seed: int,
) -> Mapping[str, MetricResult]:
    from spul.evaluation import compute_metrics
    from spul.evaluation.evaluate import ANSWERS_FACT
    from spul.evaluation.files import raise_if_labels, read_places, with_retrained
    from spul.runs import Run
    from spul.types import AnswerSpace

    answers = AnswerSpace((), tuple(generic))
    if (samples / "manifest.json").is_file():
        run = Run.open(samples)
        known = run.manifest.facts.get(ANSWERS_FACT, {"labels": [], "generic": []})
        answers = AnswerSpace(tuple(known["labels"]), tuple(known["generic"]))
        task = run.config.task.name
    found = dict(read_places(samples))
    places = found if retrained is None else with_retrained(found, read_places(retrained))
    if not answers.labels:
        raise_if_labels(places)
    with results_only():
        if embedder is not None:
            from spul.data.sentences import sentence_encoder
            from spul.evaluation.similarity import with_similarity

            places = with_similarity(places, sentence_encoder(embedder))
        return compute_metrics(places, answers, bootstrap=bootstrap, seed=seed, task=task)


def _rows(metrics: Mapping[str, MetricResult]) -> list[dict[str, object]]:
    parts = [(*key.rpartition("/"), found) for key, found in metrics.items()]
    return [{"where": where, "metric": metric, **found.to_json()} for where, _, metric, found in parts]
