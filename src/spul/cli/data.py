"""``spul data``: splits from raw rows, and what is in the data before any training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from spul.cli._data_build import build_data
from spul.cli._flags import ConfigFlags, takes_config
from spul.cli._output import Debug, Json, results_only, show, show_json

if TYPE_CHECKING:
    from spul.config import RunConfig
    from spul.types import Query, Splits

__all__ = ["data"]

data = typer.Typer(help="Make splits from raw rows; look at data before training on it.", no_args_is_help=True)
WARNED = 1


data.command("build")(build_data)


@data.command("check")
@takes_config
def check(
    flags: ConfigFlags,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where there is a warning.")] = False,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Report counts, balance, duplicates, overlaps and truncation of the data as a run would read it.

    Nothing is trained. With --model (its configuration and tokenizer are enough) lengths are counted in tokens too.

    Example: spul data check --forget forget.csv --retain retain.csv --column text=review --model ./base
    """
    from spul.data.check import check_splits
    from spul.data.loading import load_splits

    with_model = flags.names_a_model()
    # A configuration has to name a model; which one does not matter to data that are not posed.
    config = flags.build() if with_model else flags.build("model.path=none")
    with results_only():
        splits = load_splits(
            config.data,
            fields=config.task.fields,
            generic=config.task.generic_answers,
            continued=config.task.continued,
            alternatives=config.task.is_free_text,
        )
        posed = _posed(config, splits) if with_model else None
        report = check_splits(splits, posed, config.task.generic_answers)
    if json_output:
        show_json(report.model_dump(mode="json"))
    else:
        from spul.cli._data_report import renderables

        show(*renderables(report))
    if strict and report.warnings:
        raise typer.Exit(WARNED)


def _posed(config: RunConfig, splits: Splits) -> Mapping[str, list[Query]]:
    from spul.models.loading import context_length, load_outline
    from spul.tasks import build_task

    outline = load_outline(config.model)
    longest = config.task.max_length or context_length(outline.model)
    if config.trainable == "prompt":
        longest -= config.prompt.num_virtual_tokens
    answers = sorted({example.answer for example in (*splits.train_forget, *splits.train_retain)})
    task = build_task(config.task, outline.tokenizer, max_length=longest, labels=answers)
    return {name: task.pose_all(splits[name]) for name in splits.names}
