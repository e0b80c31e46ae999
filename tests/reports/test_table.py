from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from spul.errors import RunError
from spul.reports import cost_table, results_table
from spul.reports._numbers import number
from spul.runs import Run
from tests.reports.made import make_run


def written(result: RenderableType, width: int) -> str:
    file = StringIO()
    Console(file=file, width=width, markup=False, highlight=False).print(result)
    return file.getvalue()


def test_models_and_splits_stand_with_their_numbers_and_intervals(run: Run) -> None:
    text = written(results_table(run), 120)
    names = ("base", "retrained", "unlearned", "pre-trained", "always “negative”", "always “positive”")
    lines = {name: line for line in text.splitlines()[:10] for name in names if line.startswith(name)}
    assert set(lines) == set(names)
    for split in ("train_forget", "test_forget", "train_retain", "test_retain"):
        assert number(run.metrics[f"unlearned/{split}/accuracy"]) in lines["unlearned"]
    for metric in ("restricted_accuracy", "generic_rate"):
        assert number(run.metrics[f"unlearned/test_forget/{metric}"]) in text


def test_membership_inference_stands_below_for_every_model_and_both_scores(run: Run) -> None:
    below = written(results_table(run), 120).partition("AUC of membership inference")[2]
    for model in ("base", "retrained", "unlearned"):
        (line,) = [line for line in below.splitlines() if line.startswith(model)]
        for metric in ("membership_auc", "membership_auc_generic"):
            assert number(run.metrics[f"{model}/{metric}"]) in line


def test_says_that_a_prompt_does_not_erase(run: Run) -> None:
    assert "suppresses; it does not erase" in written(results_table(run), 120)


@pytest.mark.parametrize("width", [80, 90, 120, 200])
def test_fits_the_terminal_and_cuts_no_number(run: Run, width: int) -> None:
    text = written(results_table(run), width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    interval = number(run.metrics["unlearned/test_retain/accuracy"]).partition(" ")[2]
    assert interval in text


def test_what_is_undefined_is_a_dash(tmp_path: Path) -> None:
    bare = make_run(tmp_path, sizes={"train_forget": 0, "test_forget": 4, "train_retain": 4, "test_retain": 4})
    (line,) = [line for line in written(results_table(bare), 120).splitlines() if line.startswith("base")][:1]
    assert line.split()[1] == "–"


def test_cost_of_every_run(run: Run, alone: Run) -> None:
    lines = written(cost_table([run, alone]), 120).splitlines()
    assert lines[1].split() == ["made", "10.2", "0.5", "200", "4,321", "1.23e+15", "3,840", "15.5", "kB", "–"]
    assert lines[2].startswith("<img src=x onerror=alert(1)> & co")


def test_run_without_metrics_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="evaluate it"):
        results_table(make_run(tmp_path, evaluated=False))


@pytest.mark.parametrize("width", [80, 120])
def test_gated_model_has_lines_of_its_own(run: Run, gated: Run, width: int) -> None:
    text = written(results_table(gated), width)
    lines = text.splitlines()
    assert max(len(line) for line in lines) <= width
    assert sum(line.startswith("unlearned, gated") for line in lines) == 5, "four sections, and the gate's rate"
    assert sum(line.startswith("unlearned ") for line in lines) == 4, "the ungated prompt has no rate of the gate"
    assert number(gated.metrics["unlearned_gated/test_retain/gate_rate"]).partition(" ")[0] in text
    assert "the prompt for every query" in text
    assert "gate" not in written(results_table(run), width)
