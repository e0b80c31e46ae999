"""From arms to jobs: base and retrained model of a seed, and every method on that base."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from spul.benchmarks.bases import Base
from spul.benchmarks.profiles import Profile, merged
from spul.config import RunConfig
from spul.methods import METHODS
from spul.studies.jobs import Job

__all__ = ["ALPHA_BETA", "DEEP", "TITLES", "VIRTUAL_TOKENS", "Arm", "Maker", "Row"]

ALPHA_BETA = (1.0, 0.5)
VIRTUAL_TOKENS = 30
"""The paper's headline for SST-2, at α, β as above."""

DEEP = "spul_deep"
"""The arm whose soft prompt is one of every layer."""

TITLES = {
    "pretrained": "Vanilla (no fine-tuning)",
    "base": "Fine-tuned base (the paper's QLoRA row)",
    "retrained": "Retrained without the forget set",
    "ga": "GA",
    "rl": "RL",
    "ga_kl": "GA + KL",
    "ga_gd": "GA + GD",
    "spul": "SPUL, input level",
    "spul_deep": "SPUL, deep prompt (ours)",
}


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        key: unique in the table.
        title: what it is called.
        arm: which job of a seed has its numbers.
        model: under which name that run's metrics have them.
        paper: keys of the paper's row in the same table; empty where it has none.
        short: what it is called in a picture; its title if empty.
    """

    key: str
    title: str
    arm: str
    model: str = "unlearned"
    paper: tuple[str, ...] = ()
    short: str = ""


@dataclass(frozen=True)
class Arm:
    """A job of every seed that stands on the base.

    Attributes:
        name: unique in a table.
        method: registered method.
        values: what it says of the configuration beside the profile.
        title: what it is called in tables; what its name is called if empty.
        deep: whether its soft prompt is one of every layer, where it trains one.
        short: what it is called in pictures; its title if empty.
    """

    name: str
    method: str
    values: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    deep: bool = False
    short: str = ""


@dataclass(frozen=True)
class Maker(ABC):
    """Turns arms into jobs on one base; what the rows are and how they are posed is each subclass's own.

    Attributes:
        base: what everything starts from; its profile says how everything is trained.
        root: where the runs lie.
    """

    base: Base
    root: Path

    shares_base: ClassVar[bool] = False
    """Whether the base is the same for several forget sets. It is scored on each then, beside the first arm, and not in
    its own run."""

    evaluated: ClassVar[bool] = True
    """Whether runs are scored on their own splits; a benchmark that has views scores them on these instead."""

    @property
    def profile(self) -> Profile:
        """How everything is trained."""
        return self.base.profile

    @abstractmethod
    def prefix(self, seed: int) -> str:
        """Return what the names of a seed's jobs begin with."""

    @abstractmethod
    def common(self, seed: int, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what all jobs of a seed have in common: data, task, evaluation.

        Args:
            seed: of the draw of rows, of the training and of the intervals.
            values: the other values of the job, so that room is left for its virtual tokens.
        """

    def common_of_base(self, seed: int, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return :meth:`common` for the base, where that is not the same."""
        return self.common(seed, values)

    @abstractmethod
    def starting(self) -> Mapping[str, Any]:
        """Return how the base and the retrained model are trained, beside the profile."""

    def prompting(self) -> Mapping[str, Any]:
        """Return how prompts are trained, beside the profile."""
        return {}

    def job_name(self, arm: str, seed: int) -> str:
        """Return the name of the job that an arm is for a seed."""
        return f"{self.prefix(seed)}-{arm}"

    def jobs(
        self,
        seed: int,
        arms: Sequence[Arm],
        *,
        with_retrained: bool = True,
        beside: bool = True,
        pretrained: bool = True,
    ) -> list[Job]:
        """Return base, retrained model and one job an arm for a seed.

        Args:
            seed: see :meth:`common`.
            arms: what stands on the base.
            with_retrained: whether there is a model to compare with.
            beside: whether an arm's evaluation scores its base too, which the base's own has done already.
            pretrained: whether the base's evaluation scores the model before any fine-tuning too.
        """
        start = merged(self.profile.finetune, {"model": {"path": self.base.path}}, self.starting())
        common = self.common_of_base(seed, start)
        base = self._job("base", "finetune", merged(common, start), beside=pretrained, evaluate=not self.shares_base)
        found = [base]
        if with_retrained:
            found.append(self._job("retrained", "retrain", merged(self.common(seed, start), start), beside=beside))
        on_base = {"model": {"path": str(base.model_dir(self.root))}}
        for i, arm in enumerate(arms):
            own = merged(self._of_method(arm), arm.values, on_base)
            scores_base = beside or (self.shares_base and i == 0)
            values = merged(self.common(seed, own), own)
            found.append(self._job(arm.name, arm.method, values, needs=(base.name,), beside=scores_base))
        return found

    def _job(
        self,
        arm: str,
        method: str,
        values: Mapping[str, Any],
        needs: tuple[str, ...] = (),
        *,
        beside: bool,
        evaluate: bool = True,
    ) -> Job:
        config = RunConfig.build(merged({"method": method}, values))
        return Job(self.job_name(arm, config.seed), config, needs, evaluate and self.evaluated, beside)

    def _of_method(self, arm: Arm) -> dict[str, Any]:
        profile = self.profile
        if METHODS.get(arm.method).trainable != "prompt":
            rates = profile.rates.get(arm.method, profile.rates["*"])
            return merged(profile.weights, {"train": {"learning_rate_search": list(rates)}})
        level = profile.deep_prompt if arm.deep or arm.name == DEEP else profile.input_prompt
        alpha, beta = ALPHA_BETA
        chosen = {"prompt": {"num_virtual_tokens": VIRTUAL_TOKENS}, "retain": {"alpha": alpha, "beta": beta}}
        return merged(chosen, profile.prompt, level, self.prompting())
