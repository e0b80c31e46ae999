"""What a study is: a run, what it stands on, and what is varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from spul.config import explain, read_yaml, with_overrides
from spul.errors import ConfigError
from spul.files import expand_path
from spul.settings import Settings
from spul.studies.ranges import parse_range

__all__ = ["FORGET", "RETAIN", "VALIDATION", "StudyConfig"]

FORGET, RETAIN = "test_forget/accuracy", "test_retain/accuracy"
"""What pictures show: what is to go and what is to stay, on rows that nothing was trained on."""
VALIDATION = "validation/"
"""How goals begin that are numbers of a validation."""
METRICS = ("train_forget/accuracy", FORGET, "test_forget/generic_rate", "train_retain/accuracy", RETAIN)
FIXED = ("output_dir", "name")


class SearchSettings(Settings):
    """What a search is for.

    Attributes:
        goal: ``max:KEY`` or ``min:KEY``. KEY is ``validation/score``, ``validation/forget_generic`` or another number
            of the validation that chose what was kept; or a metric of a train split (``train_forget/accuracy``).
        on_test: allow a goal on anything else. What was tuned on test measures nothing there.
    """

    goal: Annotated[str, Field(pattern=r"^(min|max):.+$")]
    on_test: bool = False


class StudyConfig(Settings):
    """A run and what is varied in it. What is given of ``grid``, ``random`` and ``list`` is crossed.

    Attributes:
        run: the run's configuration, or the path of its YAML file, from where the study's file is.
        stages: name → configuration of a run that the others stand on, over the run's own data, task, evaluation and
            seed. The run names its model by ``stage:NAME`` where else a path stands.
        stages_follow: swept fields (``seed`` is one) that the stages are varied by too; by none if empty.
        grid: field → its values; every combination is a point.
        random: field → ``log:LOW:HIGH``, ``uniform:LOW:HIGH``, ``int:LOW:HIGH`` or ``choice:A,B,…``.
        samples: how many points are drawn from ``random``, or tried by a search.
        list: points of their own, field → value.
        seeds: training seeds that every point is run with; the run's own if empty.
        draw_seed: of the random points and the search. More samples leave the first ones as they are.
        metrics: columns of the table, ``<split>/<metric>`` of the unlearned model or ``<model>/<split>/<metric>``.
        runs: directory of the run directories, from where the study's file is; studies that share it share runs. In
            the study's own directory if missing.
        search: lets a search choose the points from ``random``, after what is found.
    """

    run: dict[str, Any]
    stages: dict[Annotated[str, Field(pattern=r"^[\w.-]+$")], dict[str, Any]] = Field(default_factory=dict)
    stages_follow: tuple[str, ...] = ()
    grid: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    random: dict[str, str] = Field(default_factory=dict)
    samples: Annotated[int, Field(ge=1)] | None = None
    list: tuple[dict[str, Any], ...] = ()
    seeds: tuple[int, ...] = ()
    draw_seed: int = 0
    metrics: Annotated[tuple[str, ...], Field(min_length=1)] = METRICS
    runs: str | None = None
    search: SearchSettings | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the swept fields, in the order they were given."""
        listed = (field for point in self.list for field in point)
        return tuple(dict.fromkeys((*self.grid, *self.random, *listed)))

    @field_validator("grid")
    @classmethod
    def _values_to_try(cls, grid: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        for field, values in grid.items():
            if not values:
                raise ValueError(f"expected at least one value of {field}, got none")
        return grid

    @model_validator(mode="after")
    def _each_field_once(self) -> StudyConfig:
        listed = {field for point in self.list for field in point}
        for field in self.fields:
            if (field in self.grid) + (field in self.random) + (field in listed) > 1:
                raise ValueError(f"{field} is varied in two ways; give it in one of grid, random and list")
            if field == "seed":
                raise ValueError("seed is varied by `seeds`, over which the table takes means")
            if field in FIXED:
                raise ValueError(f"{field} is the study's own to say; it cannot be varied")
        return self

    @model_validator(mode="after")
    def _something_to_do(self) -> StudyConfig:
        if not self.fields and len(self.seeds) < 2:
            raise ValueError("expected something to vary: a grid, random ranges, a list of points, or several seeds")
        if bool(self.random) != (self.samples is not None):
            raise ValueError("expected `random` and `samples` together: what is drawn, and how often")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"expected every seed once, got {self.seeds}")
        if any(not point for point in self.list):
            raise ValueError("expected every point of `list` to set a field, got one that sets none")
        if len({frozenset(point) for point in self.list}) > 1:
            raise ValueError("expected every point of `list` to set the same fields; write the others out as well")
        if self.search is not None and (not self.random or self.grid or self.list):
            raise ValueError("a search chooses from `random` alone; leave grid and list out")
        for field, text in self.random.items():
            try:
                parse_range(field, text)
            except ConfigError as error:
                raise ValueError(str(error)) from error
        unknown = [field for field in self.stages_follow if field not in (*self.fields, "seed")]
        if unknown:
            raise ValueError(f"stages_follow names what is not varied: {', '.join(unknown)}")
        return self

    @classmethod
    def build(cls, values: Mapping[str, Any], overrides: Sequence[str] = ()) -> StudyConfig:
        """Validate; ``key=value`` overrides are the run's.

        Raises:
            ConfigError: an unknown key, or values that are out of range or do not go together.
        """
        values = dict(values)
        if isinstance(values.get("run"), Mapping):
            values["run"] = with_overrides(values["run"], overrides)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(explain(error, cls)) from error

    @classmethod
    def read(cls, path: str | Path, changes: Mapping[str, Any], overrides: Sequence[str] = ()) -> StudyConfig:
        """Read a study, or the configuration of a run that is to be varied; ``changes`` replace keys of the study.

        Raises:
            ConfigError: a file does not read, or the study does not validate.
        """
        file = Path(path)
        values = read_yaml(file)
        if "run" not in values:
            values = {"run": values}
        elif isinstance(values["run"], str):
            values["run"] = read_yaml(file.parent / values["run"])
        if isinstance(values.get("runs"), str):
            values["runs"] = str((file.parent / expand_path(values["runs"])).absolute())
        return cls.build({**values, **changes}, overrides)

    def to_yaml(self) -> str:
        """Return the study as YAML; reading it back gives an equal one."""
        text: str = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        return text
