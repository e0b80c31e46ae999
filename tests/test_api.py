"""The public functions on a tiny setting, from the base stage to the report, and what they refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

import spul
from spul.config import RunConfig
from spul.errors import AdapterError, ConfigError, DataError, ModelError, RunError
from spul.models.identity import model_digest
from spul.runs import Run
from tests.tiny import tiny_model
from tests.training.setting import TEMPLATE, config_of, write_setting

FAST = ("train.max_steps=4", "train.keep=last")
DIVERGING = ("prompt.kind=mlp", "train.learning_rate=1e30")


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return write_setting(tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module")
def evaluated(values: dict[str, Any]) -> Run:
    """A base that has memorised everything, a retrained model beside it, a prompt, all numbers."""
    train = ("train.learning_rate=0.01", "train.max_steps=60", "train.batch_size=16")
    base = spul.finetune(config_of({**values, "method": "finetune"}, *train))
    retrained = spul.finetune(config_of({**values, "method": "retrain"}, *train))
    run = spul.unlearn(
        config_of(
            values,
            f"model.path={base.model_dir}",
            f"model.retrained={retrained.model_dir}",
            f"model.pretrained={values['model']['path']}",
            "train.max_steps=20",
            "train.keep=last",
        )
    )
    return spul.evaluate(run)


def test_every_model_stands_beside_the_unlearned_one(evaluated: Run) -> None:
    metrics = evaluated.metrics
    assert metrics["base/train_forget/accuracy"].value == 1.0
    assert metrics["base/train_retain/accuracy"].value == 1.0
    assert metrics["retrained/train_retain/accuracy"].value == 1.0
    assert metrics["constant:positive/train_forget/accuracy"].value == 0.5
    assert metrics["test_forget/generic_rate"].n == 4
    assert metrics["pretrained/test_forget/accuracy"].value is not None
    assert metrics["train_forget/accuracy"] == metrics["unlearned/train_forget/accuracy"]


def test_stored_samples_give_the_same_numbers_again(evaluated: Run) -> None:
    from spul.evaluation import recompute_metrics

    before = dict(evaluated.metrics)
    assert recompute_metrics(evaluated) == before


def test_the_report_is_written_into_the_run_and_sealed(evaluated: Run) -> None:
    path = spul.report([evaluated])
    assert path == evaluated.path / "report.html"
    assert "suppress" in path.read_text(encoding="utf-8")
    assert "report.html" in Run.open(evaluated.path).manifest.files


def test_the_loaded_model_is_the_trained_one(evaluated: Run) -> None:
    """Its scores are those of the evaluation, and disabling the prompt gives the base's."""
    model = spul.load_model(evaluated.path)
    assert model.num_virtual_tokens == 4
    assert not model.chat
    text = "text : anna was in the film question : what sentiment ? answer :"
    prompted = model.generate(text, max_new_tokens=1)
    with model.prompt_disabled():
        assert model.generate(text, max_new_tokens=1) == ["negative"]
    samples = {s.id: s for s in evaluated.read_samples("unlearned/train_forget")}
    assert prompted[0] in {s.prediction_text for s in samples.values()}


def test_lora_is_merged_into_an_ordinary_checkpoint(values: dict[str, Any]) -> None:
    run = spul.finetune(config_of({**values, "method": "finetune"}, *FAST, "trainable=lora", "lora.r=2"))
    before = AutoModelForCausalLM.from_pretrained(values["model"]["path"]).state_dict()
    after = AutoModelForCausalLM.from_pretrained(run.model_dir).state_dict()
    changed = {
        name.rpartition(".")[0].rpartition(".")[2] for name in before if not torch.equal(before[name], after[name])
    }
    assert before.keys() == after.keys()
    assert changed == {"q_proj", "v_proj"}
    assert run.cost["trained_parameters"] == 2 * 2 * (32 + 32 + 32 + 16)


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
@pytest.mark.filterwarnings("ignore")
def test_qlora_trains_on_quantised_weights_and_leaves_a_checkpoint_in_full_precision(
    values: dict[str, Any], tmp_path: Path, quantization: str
) -> None:
    pytest.importorskip("bitsandbytes", reason="the extra spul[quantized] is not installed")
    # Blocks of four-bit weights hold 64 numbers, so the usual tiny model is too narrow.
    shape = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    LlamaForCausalLM(LlamaConfig(vocab_size=100, max_position_embeddings=128, **shape)).save_pretrained(tmp_path)
    tiny_model()[1].save_pretrained(tmp_path)
    config = (*FAST, f"model.path={tmp_path}", f"model.quantization={quantization}")
    run = spul.finetune(config_of({**values, "method": "finetune"}, *config, "trainable=lora", "lora.r=2"))
    before = AutoModelForCausalLM.from_pretrained(tmp_path).state_dict()
    after = AutoModelForCausalLM.from_pretrained(run.model_dir).state_dict()
    changed = {
        name.rpartition(".")[0].rpartition(".")[2] for name in before if not torch.equal(before[name], after[name])
    }
    assert changed == {"q_proj", "v_proj"}
    prompt = spul.unlearn(config_of(values, *config, "train.keep=best", "train.eval_steps=2"))
    assert [row["step"] for row in prompt.train_log() if "loss" in row] == [1, 2, 3, 4]
    assert spul.load_model(prompt).num_virtual_tokens == 4


def test_quantised_weights_are_not_trained(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="trainable=lora"):
        spul.finetune(config_of({**values, "method": "finetune"}, "model.quantization=nf4"))


def test_lora_on_modules_that_are_not_there_says_which_are(values: dict[str, Any]) -> None:
    config = config_of({**values, "method": "finetune"}, "trainable=lora", "lora.target_modules=[query]")
    with pytest.raises(ConfigError, match=r"not in LlamaForCausalLM; it has .*'q_proj'"):
        spul.finetune(config)


def test_the_method_decides_which_command_it_is(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="spul finetune"):
        spul.unlearn(config_of({**values, "method": "finetune"}))
    for trainable in ("prompt", "all"):
        with pytest.raises(ConfigError, match="spul unlearn"):
            spul.finetune(config_of(values, f"trainable={trainable}"))
    with pytest.raises(ConfigError, match="made of weights"):
        spul.finetune(config_of({**values, "method": "finetune"}, "trainable=prompt"))


def test_a_changed_base_is_refused(values: dict[str, Any], tmp_path: Path) -> None:
    shutil.copytree(values["model"]["path"], tmp_path / "base")
    run = spul.unlearn(config_of(values, *FAST, f"model.path={tmp_path / 'base'}"))
    other, _ = tiny_model("llama", seed=5)
    other.save_pretrained(tmp_path / "base")
    with pytest.raises(AdapterError, match=r"digest|base model"):
        spul.load_model(run)


def test_changed_data_is_refused(values: dict[str, Any], tmp_path: Path) -> None:
    forget = Path(values["data"]["forget"]).read_text()
    (tmp_path / "forget.jsonl").write_text(forget)
    run = spul.unlearn(config_of(values, *FAST, f"data.forget={tmp_path / 'forget.jsonl'}"))
    (tmp_path / "forget.jsonl").write_text(forget + json.dumps({"text": "greta is new", "label": "positive"}) + "\n")
    with pytest.raises(RunError, match=r"train_forget.*restore it"):
        spul.evaluate(run)


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        ("prompt.num_virtual_tokens=128", ConfigError, "no room for text"),
        ("task.max_length=1000", ConfigError, "exceeds the model's context of 128"),
        ("task.max_length=12", DataError, "room"),
        ("data.validation_share=0", ConfigError, "train.keep=best"),
        ("prompt.kind=mlp train.learning_rate=1e30", RunError, "not finite"),
        ("prompt.kind=mpl", ConfigError, "Did you mean 'mlp'"),
        ("task.name=clasification", ConfigError, "Did you mean 'classification'"),
        ("task.generic_answers=[positive]", DataError, "label"),
        ("model.path=/nowhere/model", ModelError, "/nowhere/model"),
        ("model.device=tpuu", ModelError, "tpuu"),
    ],
)
def test_settings_that_cannot_be_met_are_clear_errors(
    values: dict[str, Any], override: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        spul.unlearn(config_of(values, *override.split()))


def test_a_failed_run_says_so(values: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not finite"):
        spul.unlearn(config_of(values, *DIVERGING, f"output_dir={tmp_path}"))
    (path,) = tmp_path.iterdir()
    with pytest.raises(RunError, match=r"'failed'.*not finite"):
        Run.open(path)


def test_resume_wants_the_same_configuration(values: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RunError):
        spul.unlearn(config_of(values, *DIVERGING, f"output_dir={tmp_path}"))
    (path,) = tmp_path.iterdir()
    with pytest.raises(RunError, match="another configuration"):
        spul.unlearn(config_of(values, f"output_dir={tmp_path}"), resume=path)


def test_a_tokenizer_without_a_pad_token_will_do(values: dict[str, Any], tmp_path: Path) -> None:
    """Padding is never looked at, so its token does not matter: the prompt is the same bit for bit."""
    shutil.copytree(values["model"]["path"], tmp_path / "base")
    config_file = tmp_path / "base" / "tokenizer_config.json"
    settings = json.loads(config_file.read_text())
    del settings["pad_token"]
    config_file.write_text(json.dumps(settings))
    start = (*FAST, "prompt.init=text", "prompt.init_text=the film was dull")
    run = spul.unlearn(config_of(values, *start, f"model.path={tmp_path / 'base'}"))
    plain = spul.unlearn(config_of(values, *start))
    assert [row["loss"] for row in run.train_log()] == [row["loss"] for row in plain.train_log()]


def test_the_checkpoint_on_disk_is_never_touched(values: dict[str, Any], evaluated: Run) -> None:
    expected, _ = tiny_model("llama")
    assert model_digest(AutoModelForCausalLM.from_pretrained(values["model"]["path"])) == model_digest(expected)


def gate_of(values: dict[str, Any]) -> list[str]:
    """A gate's settings for so small a setting: the twelve test rows set the threshold."""
    return ["scope.epsilon=0.1", f"scope.calibration={values['data']['test_retain']}"]


def test_gate_is_added_to_a_finished_run(values: dict[str, Any], evaluated: Run, tmp_path: Path) -> None:
    """Its numbers come from the stored samples, and the loaded model gives the same answers."""
    run = Run.open(shutil.copytree(evaluated.path, tmp_path / "run"))
    before = dict(run.metrics)
    with pytest.raises(RunError, match="spul gate"):
        spul.load_gated_model(run)
    spul.add_gate(run, gate_of(values))
    again = Run.open(run.path)
    again.verify()
    metrics = again.metrics
    assert {key: metrics[key] for key in before} == before
    assert metrics["unlearned_gated/test_forget/gate_rate"].value == 1.0, "anna and boris alone are to be forgotten"
    assert metrics["unlearned_gated/test_retain/gate_rate"].value == 0.0
    for split, model in (("test_forget", "unlearned"), ("test_retain", "base")):
        assert metrics[f"unlearned_gated/{split}/nll"].value == metrics[f"{model}/{split}/nll"].value
    assert RunConfig.from_yaml(again.path / "config.yaml").scope.epsilon == 0.1
    gated = spul.load_gated_model(again)
    asked = [TEMPLATE.format(text=f"{who} was in the film", answer="").strip() for who in ("anna", "greta")]
    assert gated.in_scope(asked) == [True, False]
    with gated.model.prompt_disabled():
        plain = gated.model.generate(asked, max_new_tokens=3)
    assert gated.generate(asked, max_new_tokens=3) == [gated.model.generate(asked, max_new_tokens=3)[0], plain[1]]


def test_gate_is_learned_before_training_and_evaluated_with_the_run(values: dict[str, Any]) -> None:
    """The detector of the base's hidden states: the one that needs the model."""
    settings = ["scope=gate", "scope.detector=hidden_states", *gate_of(values), *FAST]
    run = spul.evaluate(spul.unlearn(config_of(values, *settings)))
    rates = {split: run.metrics[f"unlearned_gated/{split}/gate_rate"] for split in ("train_forget", "test_retain")}
    assert rates["test_retain"].value == 0.0, "n = 12, ε = 0.1: the threshold is the largest score of these very rows"
    assert (rates["train_forget"].value or 0.0) > 0.5
    assert (run.path / "scope" / "detector.safetensors").is_file()


def test_too_few_calibration_rows_are_found_out_before_training(values: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"at least 49 calibration rows for scope\.epsilon=0\.02, got 12"):
        spul.unlearn(
            config_of(
                values,
                "scope=gate",
                f"scope.calibration={values['data']['test_retain']}",
                f"output_dir={tmp_path / 'runs'}",
            )
        )
    assert not (tmp_path / "runs").exists()
