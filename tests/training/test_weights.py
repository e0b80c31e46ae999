"""The paper's baselines, and any objective with any trainable part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

import spul
from spul.errors import ConfigError, DivergedError, RunError
from spul.models.identity import model_digest
from spul.models.loading import load_base
from spul.runs import Run
from spul.training import train as train_module
from spul.training.parts import weights_part
from tests.tiny import tiny_model
from tests.training.setting import config_of, write_setting
from tests.training.test_invariants import Killed, log_and_kill

SHORT = ("train.max_steps=4", "train.keep=last")


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return write_setting(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def base(values: dict[str, Any]) -> Run:
    """A base that has memorised everything."""
    train = ("train.learning_rate=0.01", "train.max_steps=60", "train.batch_size=16")
    return spul.finetune(config_of({**values, "method": "finetune"}, *train))


def weights(run: Run) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = AutoModelForCausalLM.from_pretrained(run.model_dir).state_dict()
    return state


def changed(values: dict[str, Any], run: Run) -> set[str]:
    before = AutoModelForCausalLM.from_pretrained(values["model"]["path"]).state_dict()
    after = weights(run)
    return {name for name in before if not torch.equal(before[name], after[name])}


def steps(run: Run) -> list[dict[str, Any]]:
    return [row for row in run.train_log() if "loss" in row]


@pytest.mark.parametrize(
    ("method", "sign", "used"),
    [("ga", -1, set()), ("rl", 1, set()), ("ga_kl", -1, {"kl"}), ("ga_gd", -1, {"retain"})],
)
def test_every_baseline_trains_all_weights_with_its_own_terms(
    values: dict[str, Any], method: str, sign: int, used: set[str]
) -> None:
    """The loss is the forget term plus the retain terms of weight 1; ascent's forget term is negative."""
    run = spul.unlearn(config_of({**values, "method": method}, *SHORT, "train.learning_rate=0.001"))
    assert (run.manifest.kind, run.model_dir.is_dir(), run.adapter_dir.exists()) == ("unlearn", True, False)
    for row in steps(run):
        assert row["loss_forget"] * sign > 0
        assert row["loss"] == pytest.approx(row["loss_forget"] + row["loss_retain"] + row["loss_kl"], abs=1e-5)
    # The first step's KL is zero: the model is still its own teacher.
    assert {term for term in ("retain", "kl") if steps(run)[-1][f"loss_{term}"] > 0} == used
    total = sum(p.numel() for p in AutoModelForCausalLM.from_pretrained(values["model"]["path"]).parameters())
    assert run.cost["trained_parameters"] == total


def test_without_retain_terms_an_epoch_is_one_over_the_forget_set(values: dict[str, Any]) -> None:
    """6 forget rows (8 less a quarter for validation) in batches of 4: two steps; with 18 retain rows beside, six."""
    common = ("train.max_steps=null", "train.keep=last", "train.batch_size=4")
    assert spul.unlearn(config_of({**values, "method": "ga"}, *common)).cost["steps"] == 2
    assert spul.unlearn(config_of({**values, "method": "ga_gd"}, *common)).cost["steps"] == 6


def test_gradient_difference_forgets_and_keeps_and_stands_beside_its_base(values: dict[str, Any], base: Run) -> None:
    """Ascent has no end: the answer of one forgotten person sinks and sinks, and the other's may stay as it was."""
    config = config_of(
        {**values, "method": "ga_gd"},
        f"model.path={base.model_dir}",
        f"model.pretrained={values['model']['path']}",
        "train.learning_rate=0.01",
        "train.max_steps=40",
        "train.keep=last",
    )
    run = spul.evaluate(spul.unlearn(config))
    metrics = run.metrics
    assert metrics["base/train_forget/accuracy"].value == metrics["base/train_retain/accuracy"].value == 1.0
    assert metrics["unlearned/train_forget/accuracy"].value in (0.0, 0.5)
    assert (metrics["unlearned/train_retain/accuracy"].value or 0) > 0.8
    assert metrics["pretrained/test_retain/accuracy"].n == 12
    page = spul.report([run]).read_text(encoding="utf-8")
    assert "does not erase" not in page
    assert "before unlearning" in page
    loaded = spul.load_model(run.path)
    assert loaded.num_virtual_tokens == 0
    assert all(torch.equal(value, weights(run)[name]) for name, value in loaded.base.state_dict().items())
    assert model_digest(load_base(config.model).model) == run.manifest.base_digest


def test_a_base_that_has_changed_does_not_stand_beside(values: dict[str, Any], tmp_path: Path) -> None:
    model, tokenizer = tiny_model("llama")
    model.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    run = spul.unlearn(config_of({**values, "method": "ga"}, *SHORT, f"model.path={tmp_path / 'base'}"))
    tiny_model("llama", seed=5)[0].save_pretrained(tmp_path / "base")
    with pytest.raises(RunError, match="not the base model that run"):
        spul.evaluate(run)


def test_any_objective_with_any_trainable_part(values: dict[str, Any]) -> None:
    ascent = ("objective=gradient_ascent", *SHORT, "train.learning_rate=0.01")
    prompt = spul.unlearn(config_of(values, *ascent))
    assert prompt.adapter_dir.is_dir()
    assert steps(prompt)[-1]["loss_forget"] < steps(prompt)[0]["loss_forget"] < 0
    lora = spul.unlearn(config_of({**values, "method": "ga_kl"}, *SHORT, "trainable=lora", "lora.r=2"))
    assert {name.rpartition(".")[0].rpartition(".")[2] for name in changed(values, lora)} == {"q_proj", "v_proj"}


def test_a_named_subset_is_all_that_changes(values: dict[str, Any]) -> None:
    names = 'trainable_names=["*.layers.1.mlp.down_proj.weight"]'
    run = spul.unlearn(config_of({**values, "method": "ga_gd"}, *SHORT, "trainable=named", names))
    assert changed(values, run) == {"model.layers.1.mlp.down_proj.weight"}
    assert run.cost["trained_parameters"] == 32 * 64
    with pytest.raises(ConfigError, match=r"'\*\.fc1' fits no parameter"):
        spul.unlearn(config_of({**values, "method": "ga"}, "trainable=named", 'trainable_names=["*.fc1"]'))


def test_killed_and_resumed_gives_the_same_weights_bit_for_bit(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a KL term, so that the teacher's head must be the base's after the resume too."""
    config = config_of({**values, "method": "ga_kl"}, "train.learning_rate=0.001")
    whole = spul.unlearn(config)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(train_module, "TrainLog", log_and_kill(train_module.TrainLog, 6))
        spul.unlearn(config)
    stopped = max(Path(config.output_dir).iterdir(), key=lambda path: path.stat().st_mtime)
    resumed = spul.unlearn(config, resume=stopped)
    assert all(torch.equal(value, weights(resumed)[name]) for name, value in weights(whole).items())


def test_weights_that_are_not_finite_are_not_kept(values: dict[str, Any]) -> None:
    config = config_of({**values, "method": "ga"})
    part = weights_part(config, load_base(config.model))
    run = Run.create(config, "unlearn")
    with torch.no_grad():
        next(part.model.base.parameters()).view(-1)[0] = torch.nan
    with pytest.raises(DivergedError, match="weights are not finite"):
        part.keep(run)
    assert not run.model_dir.exists()


def test_weights_that_are_trained_are_held_in_full_precision(values: dict[str, Any]) -> None:
    """A step of 1e-5 is less than a 256th of nearly every weight: in bfloat16 it would be rounded away."""
    rate = ("train.learning_rate=1e-5", "train.max_steps=2", "train.keep=last", "train.warmup_ratio=0")
    run = spul.unlearn(config_of({**values, "method": "rl"}, *rate, "model.dtype=bfloat16"))
    rounded = AutoModelForCausalLM.from_pretrained(values["model"]["path"], dtype=torch.bfloat16).state_dict()
    after = AutoModelForCausalLM.from_pretrained(run.model_dir, dtype="auto").state_dict()
    name = "model.layers.0.self_attn.q_proj.weight"
    assert after[name].dtype == torch.float32
    moved = (after[name] - rounded[name].float()).abs()
    assert 0 < moved.max() < 3e-5
    assert (moved > 0).float().mean() > 0.9
