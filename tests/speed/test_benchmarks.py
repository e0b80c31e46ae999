"""The benchmark compares like with like, and runs; no test here measures time."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from benchmarks import gpu, ideas
from benchmarks.__main__ import main
from benchmarks.cases import CASES, Case, draw_rows
from benchmarks.formulations import Naive, Ours
from benchmarks.measure import Sizes, useful_flops

TOY = Case(
    "toy",
    vocab_size=60,
    hidden_size=64,
    num_layers=2,
    batch_size=6,
    num_virtual_tokens=3,
    text_tokens=(1, 3, 9),
    batches=1,
)


@pytest.mark.parametrize("architecture", ["llama", "opt"])
def test_both_formulations_have_the_same_gradient(architecture: str) -> None:
    case = dataclasses.replace(TOY, architecture=architecture)
    naive, ours = Naive(case).step(0), Ours(case).step(0)
    assert naive.abs().max() > 0
    assert (naive - ours).norm() <= 1e-5 * naive.norm()


def test_both_formulations_go_over_the_same_rows() -> None:
    case = dataclasses.replace(TOY, batches=3)
    naive, ours = Naive(case), Ours(case)
    assert sorted(row.id for row in naive.rows) == sorted(row.id for row in ours.rows)
    seen = [ours.plan[i].batch for i in range(ours.passes)]
    assert sorted(name for batch in seen if batch is not None for name in batch.ids) == sorted(r.id for r in naive.rows)
    assert ours.passes == naive.passes == 3


def test_useful_operations_worked_by_hand() -> None:
    """One row of 6 + 2 tokens behind p = 3, so 9 in front and 2 of its own, 11 in all, one of them read.

    Weights: 4·(20·11 − 5·(11 − 1)) − 2·4·2 = 664; pairs 2·9 + 3 + 45 = 66; the head 4·64·60.
    """
    assert useful_flops(TOY, Sizes(20, 4, 5), [8]) == 664 + 12 * 64 * 2 * 66 + 4 * 64 * 60


@pytest.mark.parametrize("architecture", ["llama", "opt"])
def test_sizes_count_whole_blocks(architecture: str) -> None:
    base = Naive(dataclasses.replace(TOY, architecture=architecture)).base
    sizes = Sizes.of(base)
    bias = architecture == "opt"
    assert sizes.first_inputs == 3 * (64 * 64 + 64 * bias)
    blocks = [m for name, m in base.named_modules() if name.endswith(("layers.0", "layers.1"))]
    assert sizes.last_unread == sum(p.numel() for p in blocks[1].parameters()) - sizes.first_inputs
    assert sum(p.numel() for block in blocks for p in block.parameters()) <= sizes.body


def test_lengths_stay_within_the_cases_bounds() -> None:
    for case in CASES:
        forget, retain = draw_rows(dataclasses.replace(case, batches=1))
        lengths = [len(row.prompt_ids) - case.template_tokens for row in [*forget, *retain]]
        assert case.text_tokens[0] <= min(lengths) <= max(lengths) <= case.text_tokens[2]


@pytest.mark.slow
def test_the_benchmark_runs_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = torch.get_num_threads()
    main(["--quick", "--repetitions", "1", "--out", str(tmp_path)])
    torch.set_num_threads(before)
    assert "these numbers mean nothing" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {
        "performance.md",
        "performance.json",
        "performance.csv",
        "performance_growth.png",
    }


def test_the_accelerators_benchmark_runs_as_a_toy(capsys: pytest.CaptureFixture[str]) -> None:
    rows = gpu.main(["--quick", "--repetitions", "1"])
    assert [row["formulation"] for row in rows] == ["naive", "ours"]
    assert "tokens/s over the naive formulation's" in capsys.readouterr().out


def test_what_each_shortcut_is_worth_runs_as_a_toy(capsys: pytest.CaptureFixture[str]) -> None:
    before = torch.get_num_threads()
    rows = ideas.main(["--quick", "--repetitions", "1"])
    torch.set_num_threads(before)
    assert [row["way"] for row in rows] == list(ideas.WAYS)
    assert "padded, whole last block" in capsys.readouterr().out


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an accelerator")
def test_the_accelerators_benchmark_says_where_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        gpu.main([])
    assert stopped.value.code == 2
    assert "expected an accelerator" in capsys.readouterr().err
