"""What a table runs: the paper's settings on a real base, runs shared between tables, clear refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spul.benchmarks.plan import TABLES, Plan
from spul.benchmarks.reproduce import Request, plans_of
from spul.errors import ConfigError, DataError
from tests.benchmarks.setting import tiny_request, write_root


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("plan")
    write_root(directory)
    return directory


def plan(place: Path, table: str, **values: object) -> Plan:
    (found,) = plans_of(tiny_request(place, table, **values))
    return found


def test_table_2_has_every_method_of_the_paper_and_the_models_to_compare_with(place: Path) -> None:
    found = plan(place, "table2", seeds=(1,))
    assert [row.key for row in found.rows] == [
        *("pretrained", "base", "retrained", "constant"),
        *("ga", "rl", "ga_kl", "ga_gd", "spul", "spul_deep"),
    ]
    assert [job.name.rpartition("-s1-")[2] for job in found.jobs] == [
        *("base", "retrained", "ga", "rl", "ga_kl", "ga_gd", "spul", "spul_deep"),
    ]
    base, retrained, *others = found.jobs
    assert retrained.config.method == "retrain"
    assert {job.config.model.path for job in others} == {str(base.model_dir(found.root))}
    assert {job.needs for job in others} == {(base.name,)}


def test_every_seed_has_rows_training_and_base_of_its_own(place: Path) -> None:
    found = plan(place, "table2", seeds=(4, 5))
    assert [(job.config.seed, job.config.data.seed) for job in found.jobs] == [(4, 4)] * 8 + [(5, 5)] * 8
    assert len({job.directory(found.root) for job in found.jobs}) == 16


def test_what_two_tables_have_in_common_is_one_run(place: Path) -> None:
    """α = β = 1, p = 30 on the whole forget set is a cell of table 3, of table 4 and of figure 2."""
    digests = {
        table: {job.name.rpartition("-s1-")[2]: job.digest(found.root) for job in found.jobs}
        for table in ("table3", "table4", "figure2")
        for found in [plan(place, table, seeds=(1,))]
    }
    shared = {digests["table3"]["spul-a1-b1"], digests["table4"]["spul-tau100"], digests["figure2"]["spul-p30"]}
    assert len(shared) == 1
    assert digests["table4"]["spul-tau50"] not in shared
    assert len({found["base"] for found in digests.values()}) == 1


def test_a_share_of_the_forget_set_is_that_many_rows(place: Path) -> None:
    found = plan(place, "table4", seeds=(1,))
    rows = [job.config.data.max_rows.get("train_forget") for job in found.jobs[2:]]
    assert rows == [6, None]  # of 3 people times 4 films


def test_the_text_has_the_same_room_with_a_prompt_and_without(place: Path) -> None:
    found = plan(place, "table2", seeds=(1,))
    lengths = {job.config.task.max_length - 30 * (job.config.trainable == "prompt") for job in found.jobs}
    assert lengths == {60}


def test_a_real_base_gets_the_papers_settings(place: Path) -> None:
    request = Request("table2", ("sst2_entity",), ("facebook/opt-1.3b",), seeds=(1,), data_root=place / "data")
    (found,) = plans_of(request)
    jobs = {job.name.rpartition("-s1-")[2]: job.config for job in found.jobs}
    base, spul, gd = jobs["base"], jobs["spul"], jobs["ga_gd"]
    assert (base.model.path, base.model.quantization, base.trainable) == ("facebook/opt-1.3b", "nf4", "lora")
    assert (base.lora.r, base.lora.alpha, base.train.num_epochs, base.train.learning_rate) == (16, 64, 10, 1e-4)
    assert (spul.prompt.kind, spul.prompt.num_virtual_tokens, spul.train.forget_ratio) == ("mlp", 30, "natural")
    assert (spul.retain.alpha, spul.retain.beta, spul.train.num_epochs) == (1.0, 0.5, 10)
    assert (gd.trainable, gd.train.num_epochs, len(gd.train.learning_rate_search)) == ("all", 1, 3)
    assert base.data.max_rows == {} and base.data.extra_retain == () and spul.model.quantization == "none"


def test_small_epochs_of_the_paper_on_other_data(place: Path) -> None:
    request = Request("table2", ("mcq_mmlu",), ("facebook/opt-1.3b",), seeds=(1,), data_root=place / "data")
    (found,) = plans_of(request)
    assert (found.jobs[0].config.train.num_epochs, found.jobs[0].config.task.name) == (5, "multiple_choice")


def test_all_of_it_is_every_table_on_its_own_data(place: Path) -> None:
    found = plans_of(Request("all", ("sst2_entity",), ("facebook/opt-1.3b",), seeds=(1,), data_root=place / "data"))
    assert [one.table for one in found] == list(TABLES)
    runs = {job.digest(place) for one in found for job in one.jobs}
    assert len(runs) < sum(len(one.jobs) for one in found)  # tables share runs


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"table": "table7"}, ConfigError, "unknown table 'table7'"),
        ({"data": ("sst2_entety",)}, ConfigError, "Did you mean 'sst2_entity'"),
        ({"data": ("wmdp_sciq",)}, DataError, "does not come with spul"),
        ({"methods": ("spull",)}, ConfigError, "unknown method 'spull'"),
        ({"methods": ("retrain",)}, ConfigError, "leave it out of --methods"),
        ({"table": "table3", "data": ("mcq_mmlu",)}, ConfigError, "is about sentiment"),
        ({"table": "figure2", "methods": ("ga",)}, ConfigError, "about SPUL alone"),
        ({"seeds": (1, 1)}, ConfigError, "different seeds"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(
    place: Path, values: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        plans_of(replace(tiny_request(place, "table2"), **values))  # type: ignore[arg-type]
    assert not (place / "runs").exists()
