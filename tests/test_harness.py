"""A run inside lm-evaluation-harness: the prompt is applied whatever the tool does to tokenizers and contexts."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spul.api import load_model
from spul.errors import ConfigError
from spul.exports import write_export
from spul.runs import Run
from spul.types import Query
from tests.exports.made import TEXTS, make_source, write_run

pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed: pip install 'spul[harness]'")
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)

ASKED = [(text, f" {word}") for text in TEXTS for word in ("good", "the film")]


def requests(pairs: list[tuple[Any, ...]]) -> list[Any]:
    """Return requests of the tool: of each it reads the arguments alone."""
    return [SimpleNamespace(args=pair) for pair in pairs]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_run(tmp_path_factory.mktemp("harness"))


def lm(run: Run, **values: Any) -> Any:
    from spul.harness import SpulLM

    return SpulLM(run, **values)


def likelihoods(model: Any, pairs: list[tuple[str, str]] = ASKED) -> list[float]:
    return [value for value, _ in model.loglikelihood(requests(pairs), disable_tqdm=True)]


def test_the_model_type_is_registered_and_is_the_run(run: Run) -> None:
    from lm_eval.api.registry import get_model

    from spul.harness import SpulLM

    assert get_model("spul") is SpulLM
    model = SpulLM.create_from_arg_string(f"run={run.path}", {"batch_size": 2, "device": None})
    assert model.batch_size == 2
    with_prompt = likelihoods(model)
    without = likelihoods(lm(run, model="base"))
    assert all(abs(a - b) > 0.01 for a, b in zip(with_prompt, without, strict=True))
    # Against the run's own scores, token by token.
    own = load_model(run)
    for (context, answer), found in zip(ASKED, with_prompt, strict=True):
        ids = own.tokenizer(context)["input_ids"]
        rest = own.tokenizer(context + answer)["input_ids"][len(ids) :]
        ((score,),) = own.score([Query("x", tuple(ids), tuple(rest), "")], [[tuple(rest)]])
        assert found == pytest.approx(sum(score.logprobs), abs=1e-4)


def test_a_baked_checkpoint_agrees_until_a_default_of_the_tool_drops_its_prompt(tmp_path: Path) -> None:
    """``hf`` on the baked checkpoint equals ours where the tokenizer is left alone.

    With ``add_bos_token=True`` its tokenizer is rebuilt, with an empty context the text is encoded without special
    tokens, and in both cases the virtual tokens are gone without a word. Ours has them.
    """
    from lm_eval.models.huggingface import HFLM

    source = make_source(tmp_path)
    write_export(source, "baked", tmp_path / "baked")

    def hf(**how: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return HFLM(str(tmp_path / "baked"), device="cpu", dtype="float32", batch_size=4, **how)

    ours, plain = lm(source.run), lm(source.run, model="base")
    baked = hf()
    # Soft tokens of a random model get some mass as outputs, so a baked checkpoint's numbers are a little off.
    assert likelihoods(baked) == pytest.approx(likelihoods(ours), abs=0.3)
    assert min(abs(a - b) for a, b in zip(likelihoods(ours), likelihoods(plain), strict=True)) > 0.45
    dropped = hf(add_bos_token=True)
    assert len(dropped.tok_encode("anna")) == len(baked.tok_encode("anna")) - 4
    assert likelihoods(dropped) == pytest.approx(likelihoods(plain), abs=0.1), "the unprotected model, silently"
    empty = [("", "anna was in the film")]
    assert likelihoods(baked, empty) == pytest.approx(likelihoods(plain, empty), abs=0.1), "here too"
    assert abs(likelihoods(ours, empty)[0] - likelihoods(plain, empty)[0]) > 0.1


def test_long_contexts_lose_their_beginning_and_never_the_prompt(run: Run) -> None:
    """A context of 300 words is cut to what the context holds; the cut one, asked by itself, scores alike."""
    ours = lm(run)
    words = "the film was dull " * 75
    ids = ours.tok_encode(words)
    room = ours.max_length - len(ours.tok_encode(" good", add_special_tokens=False))
    ((value, _),) = ours._loglikelihood_tokens([(None, ids, ours.tok_encode(" good", add_special_tokens=False))])
    ((short, _),) = ours._loglikelihood_tokens(
        [(None, ids[-room:], ours.tok_encode(" good", add_special_tokens=False))]
    )
    assert value == pytest.approx(short, abs=1e-5)
    assert ours.max_length == lm(run, model="base").max_length - 4


def test_texts_are_scored_in_windows_and_written_until_told(run: Run) -> None:
    """A text that fits into one window: the sum over its tokens, each given all before it."""
    ours = lm(run)
    (rolled,) = ours.loglikelihood_rolling(requests([("anna was in the film",)]))
    ((direct, _),) = ours.loglikelihood(requests([("", "anna was in the film")]), disable_tqdm=True)
    assert rolled == pytest.approx(direct, abs=1e-4)
    (long,) = ours.loglikelihood_rolling(requests([("the film was dull " * 75,)]))
    assert math.isfinite(long) and long < rolled
    (whole,) = ours.generate_until(requests([("anna was", {"until": [], "max_gen_toks": 12})]))
    mark = whole[3:5]
    (cut,) = ours.generate_until(requests([("anna was", {"until": [mark], "max_gen_toks": 12})]))
    assert whole and cut == whole.split(mark)[0]


def test_what_does_not_fit_is_refused(run: Run) -> None:
    with pytest.raises(ConfigError, match=r"unknown model 'unlearnd'. Did you mean 'unlearned'"):
        lm(run, model="unlearnd")
    with pytest.raises(ConfigError, match="not add_bos_token"):
        lm(run, add_bos_token=True)


@pytest.mark.slow
def test_a_task_of_the_tool_runs_end_to_end(run: Run, tmp_path: Path) -> None:
    """A multiple-choice task of four questions in a file; accuracy is the share of right options by likelihood."""
    from spul.harness import evaluate

    rows = [{"q": text, "choices": ["good", "dull"], "gold": i % 2} for i, text in enumerate(TEXTS[:4])]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "tiny.yaml").write_text(
        "task: tiny_choice\ndataset_path: json\ndataset_kwargs:\n"
        f"  data_files:\n    test: {tmp_path / 'rows.jsonl'}\n"
        "output_type: multiple_choice\ntest_split: test\ndoc_to_text: '{{q}}'\n"
        "doc_to_choice: '{{choices}}'\ndoc_to_target: gold\n"
    )
    found = evaluate(run, ["tiny_choice"], include_path=str(tmp_path))
    pairs = [[(row["q"], f" {choice}") for choice in row["choices"]] for row in rows]
    values = [likelihoods(lm(run), pair) for pair in pairs]
    expected = sum((b > a) == row["gold"] for (a, b), row in zip(values, rows, strict=True)) / 4
    assert found["tiny_choice"]["acc"] == expected
    with pytest.raises(ConfigError, match="has no task mmlu_of_mine"):
        evaluate(run, ["mmlu_of_mine"])
