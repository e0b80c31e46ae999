"""The configuration: defaults, precedence, overrides, typos, and a round trip through YAML."""

from __future__ import annotations

import copy
import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spul.config import RunConfig
from spul.errors import ConfigError
from spul.methods import METHODS
from spul.objectives.generic_label import GenericLabel
from spul.objectives.learn import Learn

MINIMAL: dict[str, Any] = {"model": {"path": "some/model"}, "data": {"builtin": "fictitious"}}


def build(*overrides: str, **values: Any) -> RunConfig:
    return RunConfig.build({**MINIMAL, **values}, overrides)


def complaint(*overrides: str, **values: Any) -> str:
    """Return what a configuration that is refused is told."""
    with pytest.raises(ConfigError) as caught:
        build(*overrides, **values)
    return str(caught.value)


def test_defaults_are_the_paper_s() -> None:
    """Bhaila et al. 2025: p = 30, MLP of 128, α = 1, β = 0.5, lr 1e-4, batch 32, 10 epochs, cosine with 10 % warm-up,

    weight decay 1e-3, gradient norm 0.3; the generic answers neutral and unknown.
    """
    config = build()
    assert (config.method, config.trainable) == ("spul", "prompt")
    assert config.objective == GenericLabel()
    assert (config.retain.alpha, config.retain.beta) == (1.0, 0.5)
    prompt, train = config.prompt, config.train
    assert (prompt.kind, prompt.num_virtual_tokens, prompt.encoder_hidden_size) == ("mlp", 30, 128)
    assert (train.learning_rate, train.batch_size, train.num_epochs) == (1e-4, 32, 10)
    assert (train.schedule, train.warmup_ratio, train.weight_decay, train.max_grad_norm) == ("cosine", 0.1, 1e-3, 0.3)
    assert config.task.generic_answers == ("neutral", "unknown")


def test_a_method_s_defaults_stand_above_the_settings_and_below_the_user_s() -> None:
    """``finetune``: all weights, the truth, no KL, warm-up 5 %, whatever of it the user does not say otherwise."""
    config = build("train.warmup_ratio=0.2", method="finetune", retain={"beta": 0.25})
    assert (config.trainable, config.objective) == ("all", Learn())
    assert config.train.forget_ratio == "natural"
    assert (config.retain.alpha, config.retain.beta) == (1.0, 0.25)
    assert config.train.warmup_ratio == 0.2
    assert config.data.validation_share == 0.0
    assert config.data.builtin == "fictitious"


def test_retrain_leaves_the_forget_set_out() -> None:
    config = build(method="retrain")
    assert config.objective is None
    assert (config.retain.alpha, config.retain.beta) == (1.0, 0.0)


@pytest.mark.parametrize("method", METHODS.names())
def test_every_method_s_defaults_make_a_configuration(method: str) -> None:
    recipe = METHODS.get(method)
    config = build(method=method)
    assert config.trainable == recipe.trainable
    assert (config.objective.name if config.objective else None) == recipe.objective
    assert dataclasses.is_dataclass(recipe)


def test_overrides_stand_above_the_file_and_the_last_one_counts(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump({**MINIMAL, "train": {"batch_size": 8, "learning_rate": 0.5}}))
    config = RunConfig.from_yaml(file, ["train.batch_size=16", "train.batch_size=64"])
    assert (config.train.batch_size, config.train.learning_rate) == (64, 0.5)


def test_an_override_of_the_method_brings_its_defaults() -> None:
    assert build("method=retrain").trainable == "all"


def test_overrides_are_yaml() -> None:
    config = build(
        "task.labels=[yes it is, 'no']",
        "train.learning_rate=1e-4",
        "train.max_steps=null",
        "train.group_by_length=false",
        "data.label_names={'0': negative}",
        "train.forget_ratio=natural",
    )
    assert config.task.labels == ("yes it is", "no")
    assert config.train.learning_rate == 1e-4
    assert config.train.max_steps is None
    assert config.train.group_by_length is False
    assert config.data.label_names == {"0": "negative"}
    assert config.train.forget_ratio == "natural"


def test_words_that_yaml_takes_for_truth_values_are_refused_and_never_renamed() -> None:
    """YAML reads ``no`` as false; a label silently called ``False`` would be the worse."""
    assert "task.labels.1: Input should be a valid string, got False" in complaint("task.labels=[maybe, no]")


def test_an_objective_is_replaced_by_name_or_with_its_settings() -> None:
    assert build("objective=learn").objective == Learn()
    assert build("objective.name=learn").objective == Learn()
    assert build(objective={"name": "learn"}).objective == Learn()


def test_building_leaves_the_given_values_alone() -> None:
    values = {**MINIMAL, "train": {"batch_size": 8}}
    before = copy.deepcopy(values)
    RunConfig.build(values, ["train.batch_size=16", "data.seed=5"])
    assert values == before


def test_a_configuration_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        build().seed = 3  # type: ignore[misc]


@pytest.mark.parametrize("method", METHODS.names())
def test_yaml_and_back_is_the_same(method: str, tmp_path: Path) -> None:
    config = build("train.report_to=[tensorboard]", "name=größer", method=method, task={"labels": ["ja", "nein"]})
    file = tmp_path / "config.yaml"
    file.write_text(config.to_yaml(), encoding="utf-8")
    again = RunConfig.from_yaml(file)
    assert again == config
    assert again.to_yaml() == config.to_yaml()


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(-(2**40), 2**40),
    rate=st.floats(1e-12, 1e3),
    ratio=st.floats(0.001, 0.999) | st.just("natural"),
    template=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}"), max_size=20),
)
@example(seed=0, rate=1.0, ratio="natural", template="\x850\u2028 \u20290")
def test_any_value_survives_yaml(seed: int, rate: float, ratio: float | str, template: str) -> None:
    config = build(
        seed=seed,
        train={"learning_rate": rate, "forget_ratio": ratio},
        task={"template": f"{{text}}{template} {{answer}}"},
    )
    assert RunConfig.build(yaml.safe_load(config.to_yaml())) == config


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            ["method=spull"],
            "unknown method 'spull'. Did you mean 'spul'? Known: finetune, ga, ga_gd, ga_kl, retrain, rl, spul",
        ),
        (["trian.batch_size=3"], "unknown setting 'trian'. Did you mean 'train'?"),
        (["train.learning_rat=3"], "unknown setting 'learning_rat'. Did you mean 'learning_rate'?"),
        (["prompt.virtual_tokens=3"], "unknown setting 'virtual_tokens'. Did you mean 'num_virtual_tokens'?"),
        (["objective=generic_lable"], "unknown objective 'generic_lable'. Did you mean 'generic_label'?"),
        (["trainable=prmpt"], "trainable: Input should be 'prompt', 'lora', 'all' or 'named', got 'prmpt'"),
        (["trainable=named"], "got trainable=named and 0 name(s)"),
        (['trainable_names=["*.bias"]'], "got trainable=prompt and 1 name(s)"),
        (["train.learning_rate_search=[0.1, 0.2, 0.1]"], "to name each rate once"),
        (["train.batch_size=0"], "train.batch_size: Input should be greater than or equal to 1, got 0"),
        (["seed=1.5"], "seed: Input should be a valid integer"),
        (["train.learning_rate=.nan"], "train.learning_rate: Input should be a finite number, got nan"),
        (["train.learning_rate=fast"], "train.learning_rate: Input should be a valid number"),
        (["train.batch_size=8", "train.micro_batch_size=3"], "multiple of micro_batch_size, got 8 and 3"),
        (["model=path"], "model: Input should be a valid dictionary"),
        (["prompt.init=text"], "expected `init: text` together with `init_text`"),
        (["task.labels=[good, unknown]"], "['unknown'] are in both"),
        (["data.forget=a.csv"], "got 2 of them"),
        (["data.builtin=null"], "got 0 of them"),
        (["data.builtin=null", "data.forget=a.csv"], "`retain` is missing"),
        (["train.batch_size"], "expected an override of the form key=value, got 'train.batch_size'"),
        (["=3"], "expected an override of the form key=value, got '=3'"),
        (["train.batch_size=[1"], "the value of override 'train.batch_size=[1' is not valid YAML"),
    ],
)
def test_a_mistake_is_told_in_words(overrides: list[str], expected: str) -> None:
    assert expected in complaint(*overrides)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^model: Field required$"):
        RunConfig.build({"data": {"builtin": "fictitious"}})


def test_every_mistake_is_told_at_once() -> None:
    lines = complaint("train.batch_size=0", "prompt.num_virtual_tokens=0", "colour=red").splitlines()
    assert len(lines) == 3
    assert any("colour" in line for line in lines)


def test_a_setting_of_several_kinds_is_named_without_the_kinds() -> None:
    assert complaint("train.forget_ratio=2") == (
        "train.forget_ratio: Input should be less than 1, got 2\ntrain.forget_ratio: Input should be 'natural', got 2"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"- a\n- b\n", "expected a mapping at the top of"),
        (b"", "expected a mapping at the top of"),
        (b"a: [1", "is not valid YAML"),
        (b"a: caf\xe9", "is not valid YAML"),
        (b"a: !!python/object/apply:os.getcwd []", "is not valid YAML"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(content: bytes, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=expected):
        RunConfig.from_yaml(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml.*No such file"):
        RunConfig.from_yaml(tmp_path / "nothing.yaml")


def test_numbers_that_are_no_numbers_are_refused_from_python_too() -> None:
    assert "finite" in complaint(train={"learning_rate": math.inf})


@pytest.mark.parametrize("name", ["a/b", "", "a b", "../x"])
def test_a_name_becomes_part_of_a_directorys_name(name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        RunConfig.build({"model": {"path": "m"}, "data": {"folder": "d"}, "name": name})
