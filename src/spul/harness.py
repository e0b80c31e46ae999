"""lm-evaluation-harness: a run as a model there, with its prompt applied. An extra, ``spul[harness]``.

Importing this module registers the model type ``spul``::

    import spul.harness
    lm_eval.simple_evaluate(model="spul", model_args="run=runs/…", tasks=["mmlu"])

The prompt stands in front of whatever the tool asks, by construction and not by a tokenizer: also where the context is
empty, cut from the left, or where ``add_bos_token`` rebuilds a tokenizer, each of which drops the virtual tokens of a
baked checkpoint under the tool's own model type ``hf``, silently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from spul.api import load_gated_model, load_model
from spul.errors import ConfigError, MissingDependencyError, unknown_name
from spul.models.loading import context_length
from spul.models.prompted import PromptedModel, WithoutPrompt
from spul.runs import Run
from spul.types import GeneratingModel, Query

try:
    from lm_eval.api.model import TemplateLM
    from lm_eval.api.registry import register_model
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
except ImportError as missing:
    raise MissingDependencyError(
        "scoring a run with lm-evaluation-harness needs it installed: pip install 'spul[harness]'"
    ) from missing

__all__ = ["SpulLM", "evaluate"]

Which = Literal["unlearned", "base", "unlearned_gated"]
MODELS = ("unlearned", "base", "unlearned_gated")
NEW_TOKENS = 256
"""The tool's own default, for tasks that say nothing."""

Scored = tuple[float, bool]


@register_model("spul")
class SpulLM(TemplateLM):  # type: ignore[misc]
    """A run's model for lm-evaluation-harness.

    Args:
        run: run directory, or the run.
        model: ``unlearned``, ``base`` (the same without its prompt), or ``unlearned_gated``, behind the run's gate.
        batch_size: rows of one forward pass; the run's own if missing.
        options: other values that the tool passes to every model; they are refused where they would change anything.

    Raises:
        ConfigError: an unknown model or option.
    """

    def __init__(
        self, run: Run | str, model: str = "unlearned", batch_size: int | str | None = None, **options: Any
    ) -> None:
        super().__init__()
        if model not in MODELS:
            raise ConfigError(unknown_name("model", model, MODELS))
        # The tool passes these of itself; None is as good as nothing.
        unknown = [
            name for name, value in options.items() if value is not None and name not in ("device", "max_batch_size")
        ]
        if unknown:
            raise ConfigError(f"the model type spul takes run, model and batch_size, not {', '.join(unknown)}")
        opened = run if isinstance(run, Run) else Run.open(run)
        gated = load_gated_model(opened) if model == "unlearned_gated" else None
        prompted: PromptedModel = gated.model if gated is not None else load_model(opened)
        if batch_size is not None and str(batch_size).isdigit():
            prompted.batch_size = int(batch_size)
        self.batch_size = prompted.batch_size
        self.model: GeneratingModel = gated or (WithoutPrompt(prompted) if model == "base" else prompted)
        self.tokenizer = prompted.tokenizer
        virtual = 0 if model == "base" else prompted.num_virtual_tokens
        self.max_length = context_length(prompted.base) - virtual

    @property
    def eot_token_id(self) -> int:
        """The token that ends a text."""
        return int(self.tokenizer.eos_token_id)

    @property
    def prefix_token_id(self) -> int:
        """What an empty context is, behind the virtual tokens."""
        bos = self.tokenizer.bos_token_id
        return self.eot_token_id if bos is None else int(bos)

    @property
    def tokenizer_name(self) -> str:
        """What the tool's caches call the tokenizer."""
        return str(self.tokenizer.name_or_path).replace("/", "__")

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **kwargs: Any) -> list[int]:
        """Return a text's token ids, with the tokenizer's own special tokens unless said."""
        special = add_special_tokens is not False
        return list(self.tokenizer.encode(string, add_special_tokens=special))

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Return a conversation as text."""
        return str(
            self.tokenizer.apply_chat_template(
                chat_history, tokenize=False, add_generation_prompt=add_generation_prompt
            )
        )

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], disable_tqdm: bool = False, **kwargs: Any
    ) -> list[Scored]:
        queries = [
            # Cut from the left, as the tool does; the virtual tokens are not part of what is cut.
            Query(str(i), tuple(context[-(self.max_length - len(answer)) :]), tuple(answer), "")
            for i, (_, context, answer) in enumerate(requests)
        ]
        scores = self.model.score(queries, [[query.answer_ids] for query in queries])
        found = [
            (sum(score.logprobs), score.argmax_ids == query.answer_ids)
            for query, (score,) in zip(queries, scores, strict=True)
        ]
        for (asked, _, _), answer in zip(requests, found, strict=True):
            if asked is not None:
                self.cache_hook.add_partial("loglikelihood", asked, answer)
        return found

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """Return the log-likelihood of whole texts, in windows of the context that virtual tokens leave."""
        totals = []
        for (text,) in (request.args for request in requests):
            windows = get_rolling_token_windows(
                token_list=self.tok_encode(text, add_special_tokens=False),
                prefix_token=self.prefix_token_id,
                max_seq_len=self.max_length - 1,
                context_len=1,
            )
            rows = [(None, *make_disjoint_window(window)) for window in windows]
            totals.append(sum(value for value, _ in self._loglikelihood_tokens(rows)))
            self.cache_hook.add_partial("loglikelihood_rolling", (text,), totals[-1])
        return totals

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Return what the model writes to every context, until one of the request's own ends."""
        return [self._written(*request.args) for request in requests]

    def _written(self, context: str, options: Mapping[str, Any]) -> str:
        until = options.get("until") or ()
        stop = (until,) if isinstance(until, str) else tuple(until)
        new = int(options.get("max_gen_toks", NEW_TOKENS))
        sampled = bool(options.get("do_sample", False))
        ids = self.tok_encode(context)[-(self.max_length - new) :]
        (text,) = self.model.complete(
            [ids],
            max_new_tokens=new,
            temperature=float(options.get("temperature", 1.0)) if sampled else 0.0,
            top_p=float(options.get("top_p", 1.0)),
            stop=stop,
        )
        self.cache_hook.add_partial("generate_until", (context, options), text)
        return text


def evaluate(
    run: Run | str,
    tasks: Sequence[str],
    *,
    model: Which = "unlearned",
    num_fewshot: int | None = None,
    limit: int | None = None,
    include_path: str | None = None,
) -> dict[str, Any]:
    """Return the tool's results for a run: its numbers by task, as it names them.

    Args:
        run: run directory, or the run.
        tasks: names of the tool's tasks or groups.
        model: see :class:`SpulLM`.
        num_fewshot: worked examples in front of every question; each task's own if missing.
        limit: at most that many questions a task.
        include_path: directory with further tasks (YAML files).

    Raises:
        ConfigError: an unknown task.
    """
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=include_path)
    missing = [name for name in tasks if name not in manager.all_tasks]
    if missing:
        raise ConfigError(f"lm-evaluation-harness has no task {', '.join(missing)}; `lm-eval ls tasks` lists them")
    found: dict[str, Any] = simple_evaluate(
        model=SpulLM(run, model),
        tasks=list(tasks),
        num_fewshot=num_fewshot,
        limit=limit,
        task_manager=manager,
        log_samples=False,
        bootstrap_iters=1000,
    )
    return {
        name: {key.removesuffix(",none"): value for key, value in numbers.items() if isinstance(value, int | float)}
        for name, numbers in found["results"].items()
    }
