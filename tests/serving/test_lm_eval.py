"""lm-evaluation-harness's own clients against our server: the numbers of the model type ``spul``, over HTTP."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spul.runs import Run
from spul.serving.loading import load_served, open_artefact
from tests.exports.made import TEXTS, write_run
from tests.serving.made import Live, live

pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed: pip install 'spul[harness]'")
pytest.importorskip("tenacity", reason="its clients need tenacity")
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)

PAIRS = [(text, f" {word}") for text in TEXTS for word in ("good", "the film")] + [("", "anna was sad")]
ASKED = [("anna was", {"until": ["</s>", "zz"], "max_gen_toks": 8}), ("the plot", {"until": [], "max_gen_toks": 5})]


def requests(rows: list[tuple[Any, ...]]) -> list[Any]:
    """Return requests of the tool: of each it reads the arguments alone."""
    return [SimpleNamespace(args=row) for row in rows]


def answered(server: Live) -> list[dict[str, Any]]:
    return [row for row in server.log() if row["event"] == "request"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def server(run: Run) -> Iterator[Live]:
    with live(load_served([open_artefact(f"m={run.path}")])) as running:
        yield running


def client(server: Live, run: Run, **more: Any) -> Any:
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    return LocalCompletionsAPI(
        base_url=f"{server.url}/v1/completions",
        model="m",
        tokenizer=str(run.config.model.path),
        tokenizer_backend="huggingface",
        tokenized_requests=False,
        max_length=123,
        max_retries=1,
        **more,
    )


@pytest.mark.parametrize("batch_size", [1, 4])
def test_likelihoods_are_those_of_our_model_type(server: Live, run: Run, batch_size: int) -> None:
    """Also behind an empty context, and of whole texts; and not those of the base."""
    from spul.harness import SpulLM

    over_http, ours, bare = client(server, run, batch_size=batch_size), SpulLM(run), SpulLM(run, model="base")
    expected = ours.loglikelihood(requests(PAIRS), disable_tqdm=True)
    found = over_http.loglikelihood(requests(PAIRS), disable_tqdm=True)
    assert [value for value, _ in found] == pytest.approx([value for value, _ in expected], abs=1e-3)
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]
    without = bare.loglikelihood(requests(PAIRS), disable_tqdm=True)
    assert min(abs(a - b) for (a, _), (b, _) in zip(found, without, strict=True)) > 0.01
    texts = requests([(text,) for text in TEXTS[:2]])
    assert over_http.loglikelihood_rolling(texts, disable_tqdm=True) == pytest.approx(
        ours.loglikelihood_rolling(texts), abs=1e-3
    )


def test_contexts_that_are_too_long_are_cut_to_what_a_server_takes(server: Live, run: Run) -> None:
    """A context of 128 tokens, 4 of them virtual, 1 BOS, 1 to write: 122 remain for a text of 300 words."""
    before = len(answered(server))
    ((value, _),) = client(server, run).loglikelihood(
        requests([("the film was dull " * 75, "good")]), disable_tqdm=True
    )
    assert math.isfinite(value) and value < 0
    end = time.monotonic() + 10
    while len(answered(server)) == before and time.monotonic() < end:
        time.sleep(0.01)  # a request is logged after its answer is sent
    assert answered(server)[-1]["prompt_tokens"] == 4 + 1 + 122


def test_what_is_written_is_what_our_model_type_writes(server: Live, run: Run) -> None:
    from lm_eval.models.openai_completions import LocalChatCompletion

    from spul.harness import SpulLM

    expected = SpulLM(run).generate_until(requests(ASKED))
    assert client(server, run).generate_until(requests(ASKED), disable_tqdm=True) == expected
    chat = LocalChatCompletion(base_url=f"{server.url}/v1/chat/completions", model="m", max_retries=1)
    talks = [(chat.apply_chat_template([{"role": "user", "content": text}]), how) for text, how in ASKED]
    assert chat.generate_until(requests(talks), disable_tqdm=True) == expected


@pytest.mark.parametrize("greedy_word", [True, False])
def test_a_greedy_continuation_is_called_so(server: Live, run: Run, greedy_word: bool) -> None:
    from spul.harness import SpulLM

    (written,) = SpulLM(run).generate_until(requests([("anna was", {"until": [], "max_gen_toks": 2})]))
    pair = ("anna was", written if greedy_word else " good")
    ((_, greedy),) = client(server, run).loglikelihood(requests([pair]), disable_tqdm=True)
    assert greedy is greedy_word


@pytest.mark.slow
def test_tasks_run_end_to_end(server: Live, run: Run, tmp_path: Path) -> None:
    """A task of choices and one of writing in files of four rows, by the tool's own command of Python."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from spul.harness import SpulLM

    rows = [{"q": text, "choices": ["good", "dull"], "gold": i % 2} for i, text in enumerate(TEXTS[:4])]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    common = (
        f"dataset_path: json\ndataset_kwargs:\n  data_files:\n    test: {tmp_path / 'rows.jsonl'}\n"
        "test_split: test\ndoc_to_text: '{{q}}'\n"
    )
    (tmp_path / "choice.yaml").write_text(
        f"task: tiny_choice\n{common}output_type: multiple_choice\n"
        "doc_to_choice: '{{choices}}'\ndoc_to_target: gold\n"
    )
    (tmp_path / "write.yaml").write_text(
        f"task: tiny_write\n{common}output_type: generate_until\ndoc_to_target: '{{{{choices[0]}}}}'\n"
        "generation_kwargs:\n  until: ['zz']\n  max_gen_toks: 6\n  do_sample: false\n"
        "metric_list:\n  - metric: exact_match\n    aggregation: mean\n    higher_is_better: true\n"
    )
    found = {}
    for name, model in (("http", client(server, run, batch_size=2)), ("ours", SpulLM(run))):
        found[name] = simple_evaluate(
            model=model,
            tasks=["tiny_choice", "tiny_write"],
            task_manager=TaskManager(include_path=str(tmp_path)),
            log_samples=True,
            bootstrap_iters=10,
        )
    (http, ours) = (found[name] for name in ("http", "ours"))
    assert http["results"]["tiny_choice"]["acc,none"] == ours["results"]["tiny_choice"]["acc,none"]
    for task in ("tiny_choice", "tiny_write"):
        for a, b in zip(http["samples"][task], ours["samples"][task], strict=True):
            if task == "tiny_write":
                assert a["resps"] == b["resps"]
            else:
                ((one, two), (three, four)) = ([float(resp[0][0]) for resp in each["resps"]] for each in (a, b))
                assert (one, two) == pytest.approx((three, four), abs=1e-3)
