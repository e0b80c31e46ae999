from __future__ import annotations

from pathlib import Path

import pytest

from spul.cli._flags import ConfigFlags
from spul.errors import ConfigError

DATA = {"model": "base", "forget": "forget.csv", "retain": "retain.csv"}


def test_flags_alone_make_a_configuration() -> None:
    config = ConfigFlags(
        **DATA,
        column=["text=sentence", "answer=stars=5"],
        label_name=["0=negative", "1=positive"],
        labels="negative, positive",
        generic_answers="unknown",
        extra_retain=["a.csv", "b.csv"],
        seed=7,
        trust_remote_code=True,
    ).build()
    assert config.model.path == "base"
    assert config.model.trust_remote_code is True
    assert config.data.columns == {"text": "sentence", "answer": "stars=5"}
    assert config.data.label_names == {"0": "negative", "1": "positive"}
    assert config.data.extra_retain == ("a.csv", "b.csv")
    assert config.task.labels == ("negative", "positive")
    assert config.task.generic_answers == ("unknown",)
    assert config.seed == 7


def test_flags_win_over_the_file_and_pairs_over_both(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("seed: 1\nname: file\nmodel: {path: file}\ndata: {folder: file, test_share: 0.2}\n")
    config = ConfigFlags(config=file, model="flag", seed=2, overrides=["seed=3"]).build()
    assert (config.name, config.model.path, config.seed) == ("file", "flag", 3)
    assert (config.data.folder, config.data.test_share) == ("file", 0.2)


def test_verbs_own_setting_wins_over_the_file_and_not_over_pairs(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("method: spul\nmodel: {path: m}\ndata: {folder: d}\n")
    assert ConfigFlags(config=file).build("method=retrain").method == "retrain"
    assert ConfigFlags(config=file, overrides=["method=finetune"]).build("method=retrain").method == "finetune"


@pytest.mark.parametrize("text", ["1e5", "no", "null", "[a]", "# x", "a: b", 'quo"ted', "line\nbreak", "naïve 🙂"])
def test_text_stays_text_whatever_yaml_would_read_in_it(text: str) -> None:
    config = ConfigFlags(**DATA, revision=text, template=f"{text} {{text}} {{answer}}").build()
    assert config.model.revision == text
    assert config.task.template == f"{text} {{text}} {{answer}}"


def test_base_model_must_be_named_and_a_pair_may_name_it() -> None:
    with pytest.raises(ConfigError, match=r"expected a base model.*--model.*--config"):
        ConfigFlags(folder="d").build()
    assert ConfigFlags(folder="d", overrides=["model.path=m"]).build().model.path == "m"


@pytest.mark.parametrize("item", ["text", "text=", "=sentence"])
def test_mapping_flag_must_be_a_pair(item: str) -> None:
    with pytest.raises(ConfigError, match="expected --column NAME=VALUE"):
        ConfigFlags(**DATA, column=[item]).build()


def test_mapping_flag_may_not_contradict_itself() -> None:
    with pytest.raises(ConfigError, match="--label-name names '0' twice"):
        ConfigFlags(**DATA, label_name=["0=bad", "0=good"]).build()


def test_given_names_what_the_user_gave() -> None:
    assert ConfigFlags().given() == []
    assert ConfigFlags(seed=0, forget="f", column=[]).given() == ["forget", "seed"]
