"""Define the sections of a sweep file on what is searched for, and how: one model for each key.

`run_sections` has those on how often, how long and where. Rules over several sections are in `rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from rothamsted.caps import MOST_STEPS
from rothamsted.catalog import PRUNERS, SAMPLERS
from rothamsted.expression import Expression
from rothamsted.registries import NameOf
from rothamsted.rows import epochs_in
from rothamsted.space.values import shortened
from rothamsted.spec.field_values import (
    ExpressionText,
    Name,
    Seed,
    Storage,
    Text,
    read_over,
    read_reduction,
    refusal,
)

CONFIG = ConfigDict(frozen=True, extra="forbid", strict=True)
SCORE = "score"  # the name of a composite score that has none of its own


class Objective(BaseModel):
    """Says what is optimised: one metric, a direction, and how its curve becomes one number.

    Attributes:
        metric: The name of what is optimised: a metric that is logged, the `name` of a composite score, or a dotted key
            of an artifact.
        direction: Whether less is better (minimize) or more (maximize). It may be left out if the study declares it.
        reduce: How a curve becomes one number: "last", "best" (over the steps), or {mean_of_last: K}.
        over: What stands for a condition over its replicates, and is optimised, ranked and confirmed: "mean", "median",
            "iqm" (mean of the middle half) or {quantile: Q}.
        expression: The formula of a composite score, from metrics that are logged.
        name: The name under which a composite score is logged.
        artifact: The JSON or YAML file among the artifacts of a foreign project's run that holds the number.
    """

    model_config = CONFIG

    metric: Text
    direction: Literal["minimize", "maximize"]
    reduce: Annotated[str, BeforeValidator(read_reduction)] = "last"
    over: Annotated[str, BeforeValidator(read_over)] = "mean"
    expression: ExpressionText | None = None
    name: Text | None = None
    artifact: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_the_score(cls, raw: Any) -> Any:
        """An expression's score is the metric: `name`, or score."""
        if not isinstance(raw, Mapping):
            example = "{metric: val_loss, direction: minimize}"
            raise refusal(f"must be a mapping such as {example}, or a list of them, not {shortened(raw)}")
        if not isinstance(raw.get("expression"), str):
            return raw
        name = raw.get("name") or SCORE
        if raw.get("metric") not in (None, name):
            raise refusal(f"metric {raw['metric']!r} cannot be given with expression; give one of the two")
        return {**raw, "name": name, "metric": name}

    @model_validator(mode="after")
    def _agree(self) -> Objective:
        if self.expression is None:
            if self.name is not None:
                raise refusal(f"name {self.name!r} is for a score, and a metric has a name already; remove name")
        elif self.metric in Expression(self.expression).names:
            raise refusal(f"name {self.metric!r} is that of a metric in the expression; give the score another name")
        elif self.artifact is not None:
            raise refusal("expression and artifact cannot be given together; give one of the two")
        if self.artifact is not None and self.reduce != "last":
            raise refusal(f"reduce {self.reduce!r} needs a curve, and an artifact holds one number; remove reduce")
        return self


class Sampler(BaseModel):
    """Says what proposes conditions.

    Attributes:
        name: The name of the sampler.
        seed: The seed of the sampler: equal seeds propose the same conditions.
    """

    model_config = CONFIG

    name: Annotated[str, NameOf(SAMPLERS)] = "grid"
    seed: Seed = 0


class Pruner(BaseModel):
    """Says what stops training that is not worth its time; a file writes the options beside the name.

    Attributes:
        name: The name of the pruner.
        options: The options of the pruner; a file writes them beside the name. `wrapped` is a mapping with a name and
            options again. A number of steps may be given in epochs, "3 epochs".
    """

    model_config = CONFIG

    name: Annotated[str, NameOf(PRUNERS)]
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def plain(self) -> dict[str, Any]:
        """Return it as a file writes it: the options beside the name."""
        return {"name": self.name, **self.options}

    @property
    def in_epochs(self) -> bool:
        """Return whether it counts epochs, and so sees one value for each epoch."""
        wrapped = self.options.get("wrapped", {})
        return any(epochs_in(value) is not None for value in (*self.options.values(), *wrapped.values()))


class EarlyStopping(BaseModel):
    """Ends a replicate when its own curve no longer improves.

    Attributes:
        patience: After how many measurements without improvement a replicate ends.
        min_delta: Only a value that is better than the best so far by more than this counts as an improvement.
        metric: The metric that should improve. By default the objective's.
        direction: The direction in which that metric improves. By default the objective's.
    """

    model_config = CONFIG

    patience: Annotated[int, Field(ge=1, le=MOST_STEPS)]
    min_delta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    metric: Text | None = None
    direction: Literal["minimize", "maximize"] | None = None


class ParametersFrom(BaseModel):
    """Takes fixed parameters that another sweep has found: the values of its winner.

    Attributes:
        sweep: The name of the other sweep, in the same storage.
        take: Which condition to take: the confirmed winner, or the best of the search.
        run_id: The run of the other sweep. This key and the next two are written when the values are taken.
        values: The values that were taken: dotted name -> value.
        open_against: Conditions of the other sweep that could not be ruled out as the best, as labels.
    """

    model_config = CONFIG

    sweep: Name
    take: Literal["confirmed", "best"] = "confirmed"
    run_id: Text | None = None
    values: dict[str, Any] | None = None
    open_against: Annotated[tuple[Text, ...], Field(strict=False)] = ()


class WarmStart(BaseModel):
    """Names an earlier sweep whose conditions the sampler knows from the start.

    Attributes:
        sweep: The name of the earlier sweep.
        storage: The database of the earlier sweep. By default that of this sweep.
    """

    model_config = CONFIG

    sweep: Name
    storage: Storage | None = None
