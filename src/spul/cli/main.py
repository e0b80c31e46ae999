"""The command ``spul``: one file a verb."""

from __future__ import annotations

import logging
import sys

import typer

from spul.cli._group import SpulGroup
from spul.cli.advise import advise
from spul.cli.benchmark import benchmark
from spul.cli.data import data
from spul.cli.demo import demo
from spul.cli.evaluate import evaluate
from spul.cli.export import export
from spul.cli.finetune import finetune
from spul.cli.gate import gate
from spul.cli.list import list_registered
from spul.cli.lm_eval import lm_eval
from spul.cli.lr_range import lr_range
from spul.cli.probe import probe
from spul.cli.report import report
from spul.cli.reproduce import reproduce
from spul.cli.score import score
from spul.cli.serve import serve
from spul.cli.sweep import sweep
from spul.cli.unlearn import unlearn
from spul.cli.version import show_version

__all__ = ["app", "main"]

app = typer.Typer(
    name="spul",
    cls=SpulGroup,
    help="Soft prompting for unlearning: hide part of a language model's training data, and measure what that did.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo)
app.command("unlearn")(unlearn)
app.command("finetune")(finetune)
app.command("lr-range")(lr_range)
app.command("advise")(advise)
app.command("evaluate")(evaluate)
app.command("gate")(gate)
app.command("score")(score)
app.command("lm-eval")(lm_eval)
app.command("report")(report)
app.command("export")(export)
app.command("benchmark")(benchmark)
app.command("serve")(serve)
app.command("probe")(probe)
app.command("reproduce")(reproduce)
app.command("sweep")(sweep)
app.add_typer(data, name="data")
app.command("list")(list_registered)
app.command("version")(show_version)


@app.callback()
def configure() -> None:
    """Send the package's log to stderr, whatever the verb."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("spul")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)


def main() -> None:
    """Run the command line; the entry point of the package."""
    app()
