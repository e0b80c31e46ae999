"""``spul data build``: the four splits from raw rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spul.cli._output import Debug, Json, results_only, show, show_json
from spul.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from spul.data.building import Rule

__all__ = ["build_data"]

_RULE = "What is to be forgotten: one of these ways"
Texts = list[str] | None


def build_data(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE...", help="Raw rows; see docs/data.md for kinds.")],
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="A new or empty directory.")],
    *,
    test: Annotated[
        Texts, typer.Option(metavar="SOURCE", help="Rows of a test set that exists; else a share is split off. Repeat.")
    ] = None,
    text: Annotated[
        Texts, typer.Option(metavar="COLUMN", help="Column of the text; `text` where missing. Repeat for more.")
    ] = None,
    answer: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the answer; `answer`, else `label`, where missing.")
    ] = None,
    entity: Annotated[
        Texts, typer.Option(metavar="NAME", help="Rows that name it, as whole words. Repeat.", rich_help_panel=_RULE)
    ] = None,
    entities: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names, one a line.", rich_help_panel=_RULE)
    ] = None,
    ner: Annotated[
        str | None,
        typer.Option(
            metavar="LIBRARY",
            help="Draw from the persons that a model of spacy or transformers finds.",
            rich_help_panel=_RULE,
        ),
    ] = None,
    ner_model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="With --ner: en_core_web_sm, say; of transformers a directory or hub id.",
            rich_help_panel=_RULE,
        ),
    ] = None,
    clusters: Annotated[
        int | None, typer.Option(help="Draw from that many clusters of the texts.", rich_help_panel=_RULE)
    ] = None,
    column: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Rows with certain values in it.", rich_help_panel=_RULE)
    ] = None,
    value: Annotated[
        Texts, typer.Option(help="With --column: a value; drawn where missing. Repeat.", rich_help_panel=_RULE)
    ] = None,
    embedder: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="With --clusters: a sentence-transformers model; TF-IDF where missing.",
            rich_help_panel=_RULE,
        ),
    ] = None,
    forget_share: Annotated[
        float | None,
        typer.Option(
            help="Of the training rows at most, where something is drawn. [default: 0.05]", show_default=False
        ),
    ] = None,
    test_share: Annotated[float, typer.Option(min=0.01, max=0.99, help="Of the rows, without --test.")] = 0.3,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Make train_forget, train_retain, test_forget and test_retain from raw rows, and say what leaks.

    Rows that say the same are taken once; near-duplicates stay on one side of train and test; test rows are to be
    forgotten by the rule that training rows are. The same rows and flags write the same bytes.

    Example: spul data build reviews.csv --output data/ --entity "Jean Reno" --entity Godard
    """
    from spul.data.building import build, write_splits
    from spul.data.sources import read_rows

    if ner is not None and ner_model is None:
        raise ConfigError(
            f"expected a model to find persons with, got --ner {ner} alone; name it too: --ner spacy --ner-model "
            "en_core_web_sm, or --ner transformers --ner-model DIR_OR_HUB_ID"
        )
    rule = _rule(
        Entities={"names": [*(entity or []), *_lines(entities)]},
        FoundEntities={"recogniser": ner, "model": ner_model, "forget_share": forget_share},
        Clusters={"count": clusters, "embedder": embedder, "forget_share": forget_share},
        ColumnValues={"column": column, "values": value, "forget_share": forget_share},
    )
    with results_only():
        built = build(
            [row for source in sources for row in read_rows(source)],
            rule,
            text=text or ["text"],
            answer=answer,
            test=[row for source in test for row in read_rows(source)] if test else None,
            test_share=test_share,
            seed=seed,
        )
        record = write_splits(built, output)
    if json_output:
        show_json(record)
    else:
        show(_table(record), "", *(f"warning: {warning}" for warning in record["warnings"]))
        show(f"Written to {output}; use it with --folder {output}.")


def _rule(**given: dict[str, Any]) -> Rule:
    """Return the one rule of which the flags name the first setting.

    Raises:
        ConfigError: there is none or there are several, or a flag goes with another rule.
    """
    from pydantic import ValidationError

    from spul.data import building

    named = [kind for kind, values in given.items() if next(iter(values.values()))]
    if len(named) != 1:
        raise ConfigError(
            "expected exactly one of --entity (or --entities), --ner, --clusters and --column, since one rule says "
            f"what is to be forgotten; got {len(named)}"
        )
    kinds: dict[str, type[Rule]] = {kind: getattr(building, kind) for kind in given}
    own = {name: value for name, value in given[named[0]].items() if value is not None}
    every = {name for values in given.values() for name, value in values.items() if value}
    if foreign := sorted(every - own.keys()):
        raise ConfigError(f"{', '.join(foreign)}: not a setting of {named[0]}; leave it out")
    try:
        return kinds[named[0]].model_validate(own)
    except ValidationError as error:
        detail = error.errors()[0]
        raise ConfigError(f"{detail['loc'][0]}: {detail['msg']}, got {detail['input']!r}") from error


def _lines(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"expected a file of names at {path}, one a line, but it cannot be read: {error}") from error


def _table(record: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("split", no_wrap=True)
    for heading in ("rows", "the same in train", "nearly", "part of a training text"):
        table.add_column(heading, justify="right")
    for name, rows in record["rows"].items():
        leak = record["leaks"].get(name, {})
        shares = [leak.get(key) for key in ("same", "near", "contained")]
        table.add_row(name, f"{rows:,}", *("" if share is None else f"{share:.1%}" for share in shares))
    return table
