"""Define the schema of a policy file: the rules by which a model is promoted, with types, bounds and defaults."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from rothamsted.caps import MOST_CONSTRAINTS
from rothamsted.catalog import CORRECTIONS, RULES, TESTS
from rothamsted.errors import SpecError
from rothamsted.promotion.judge.limits import parse_constraint
from rothamsted.registries import NameOf
from rothamsted.rows import CorrectionRow, TwoSampleRow

LEAST_REPLICATES = 3  # below, the median of the replicates, which stands for the model, may be the luckiest

FIRST_SHARE = 0.8  # of the first look, where the number of looks is open: who asks once loses little

_CONFIG = ConfigDict(frozen=True, extra="forbid", strict=True)


def _model_name(raw: Any) -> Any:
    """Check a model's name: narrower than MLflow's rule (no '/' and ':'), so that it fits URIs and file names."""
    if not isinstance(raw, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", raw):
        rule = "Input should be at most 100 letters, digits, '.', '_' and '-', a letter or digit first"
        raise PydanticCustomError("model_name", rule)
    return raw


def _alias(raw: Any) -> Any:
    """Check an alias by MLflow's rule: `_validate_model_alias_name` in mlflow/utils/validation.py, 3.17."""
    if not isinstance(raw, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", raw):
        raise PydanticCustomError("alias", "Input should be at most 100 letters, digits, '_' and '-'")
    if raw.lower() == "latest" or re.fullmatch(r"[vV]\d+", raw):
        raise PydanticCustomError("alias", "Input should not be latest, or v and a number, which MLflow reserves")
    return raw


def _constraint(raw: str) -> str:
    try:
        parse_constraint(raw)
    except ValueError as error:
        raise PydanticCustomError("constraint", "{reason}", {"reason": str(error)}) from None
    return raw


def _fits_any_contest(test: TwoSampleRow) -> bool:
    """Whether it also compares contestants without common seeds, itself or by its twin."""
    return not test.is_paired or test.twin != ""


def _bounds_any_error(correction: CorrectionRow) -> bool:
    """Whether it corrects p-values so that the probability of any false promotion is bounded."""
    return correction.is_family_wise and not correction.is_joint


TEST_NAMES = NameOf(TESTS, only=_fits_any_contest, lack="needs common seeds, which a recorded champion lacks")
CORRECTION_NAMES = NameOf(
    CORRECTIONS, only=_bounds_any_error, lack="does not correct p-values for the probability of any false promotion"
)
RULE_NAMES = NameOf(RULES)

Text = Annotated[str, Field(min_length=1)]
Alias = Annotated[str, BeforeValidator(_alias)]
ConstraintText = Annotated[str, AfterValidator(_constraint)]


class PolicyObjective(BaseModel):
    """Says by which metric a model is better.

    Attributes:
        metric: the objective of the sweeps that this policy judges.
        direction: minimize or maximize.
    """

    model_config = _CONFIG

    metric: Text
    direction: Literal["minimize", "maximize"]


class Aliases(BaseModel):
    """Names the MLflow aliases of the registered model.

    Attributes:
        champion: of the version in use.
        previous: of the one before it.
    """

    model_config = _CONFIG

    champion: Alias = "champion"
    previous: Alias = "previous_champion"


class Policy(BaseModel):
    """Says when a version of a registered model becomes its champion: a policy file, checked and with its defaults.

    Attributes:
        model: the registered model.
        study: whose models it judges; None: those of `sweep`, whatever its study.
        sweep: the only sweep that challengers may come from; None: any sweep of the study.
        objective: metric and direction.
        level: 1 - level is the chance to promote a challenger that is not better, at most; of intervals of
            constraints the coverage.
        smallest_improvement: what is better by no more is not better, in units of the metric.
        replicates: fewest finished ones of each contestant.
        most_failed: replicates of a challenger that may have failed: they are missing, and not by chance.
        looks: how often a challenger may be compared with one champion; None: as often as somebody asks, see `looks`.
        test: how contestants are compared; what "guarded_t" and "permutation" are without common seeds
            is in `numbers`.
        kind: the rule: superiority: better by more than `smallest_improvement`; non_inferiority: worse by less than
            `margin`; or one of another package.
        margin: of a rule that takes one, as non-inferiority does, in units of the metric.
        correction: where several challengers stand against one champion.
        constraints: texts such as "val_accuracy/ci_low > 0.9", see `limits`.
        aliases: that move.
        representative: the replicate whose model stands for the condition: the median by the objective. The only
            rule so far: the best replicate is the luckiest.
        same_data: digest: contestants must have trained on the same data; none: they may differ.
    """

    model_config = _CONFIG

    model: Annotated[str, BeforeValidator(_model_name)]
    study: Text | None = None
    sweep: Text | None = None
    objective: PolicyObjective
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    smallest_improvement: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    replicates: Annotated[int, Field(ge=LEAST_REPLICATES, le=10_000)] = 10
    most_failed: Annotated[int, Field(ge=0, le=10_000)] = 0
    looks: Annotated[int, Field(ge=1, le=100)] | None = None
    test: Annotated[str, TEST_NAMES] = "guarded_t"
    kind: Annotated[str, RULE_NAMES] = "superiority"
    margin: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    correction: Annotated[str, CORRECTION_NAMES] = "holm"
    constraints: Annotated[tuple[ConstraintText, ...], Field(max_length=MOST_CONSTRAINTS, strict=False)] = ()
    aliases: Aliases = Aliases()
    representative: Literal["median"] = "median"
    same_data: Literal["digest", "none"] = "digest"

    _file: str = PrivateAttr(default="")  # no rule: where a policy is written does not change a verdict

    @model_validator(mode="after")
    def _check_rules(self) -> Policy:
        """Check rules over several keys; the error names the key that is easiest to change."""
        if self.study is None and self.sweep is None:
            raise _disagreement("study", "is missing; give the study, or the sweep, whose models this policy judges")
        takes_margin = RULES[self.kind].takes == "margin"
        if takes_margin and self.margin is None:
            reason = f"is missing; {self.kind} needs the loss that does not matter, in units of the metric"
            raise _disagreement("margin", reason)
        if not takes_margin and self.margin is not None:
            reason = "is for kind: non_inferiority; remove it, or give smallest_improvement"
            raise _disagreement("margin", reason)
        if takes_margin and self.smallest_improvement:
            raise _disagreement("smallest_improvement", "is for kind: superiority; remove it, margin says what matters")
        if self.aliases.champion == self.aliases.previous:
            reason = f"{self.aliases.previous} is the champion's alias too; give another one"
            raise _disagreement("aliases.previous", reason)
        if "permutation" in (self.test, TESTS[self.test].twin) and 0.5**self.replicates > self.alpha * self.share_of(1):
            reason = (
                f"the permutation p-value of {self.replicates} pairs is at least {0.5**self.replicates:.3g}, too "
                f"large to show anything at level {self.level:g}; give more, or test: guarded_t"
            )
            raise _disagreement("replicates", reason)
        return self

    def read_from(self, file: str) -> Policy:
        """Return the policy with the file that it was read from."""
        policy = self.model_copy()
        policy._file = file
        return policy

    @property
    def is_from_outside(self) -> bool:
        """Say whether it was read from a file outside registry/."""
        return bool(self._file) and not self._file.startswith("registry/")

    @property
    def file(self) -> str:
        """Give the file that it was read from, relative to the project's root; empty for one made in a program."""
        return self._file

    def threshold(self, champion: np.ndarray) -> float:
        """Return what the improvement must exceed: positive or zero for superiority, negative for non-inferiority.

        Args:
            champion: the finite values of its replicates.

        Raises:
            SpecError: the rule gave no finite number.
        """
        amount = self.smallest_improvement if self.margin is None else self.margin
        found = float(RULES.function(self.kind)(amount, champion))
        if not math.isfinite(found):
            raise SpecError(f"policy of model '{self.model}': rule '{self.kind}' gave {found}, not a finite threshold")
        return found

    def share_of(self, look: int) -> float:
        """Return the share of the error rate that a look at one challenger may spend.

        If the policy states the number of looks, shares are equal, and 0 after the last. Otherwise it is 0.8 for the
        first look, then 0.1, 0.033, 0.017, ...: 0.2 / (look * (look - 1)). These add up to 1 over all looks.

        Args:
            look: number of the look, 1, 2, ...
        """
        if self.looks is not None:
            return 1 / self.looks if look <= self.looks else 0.0
        return FIRST_SHARE if look == 1 else (1 - FIRST_SHARE) / (look * (look - 1))

    @property
    def sign(self) -> float:
        """Give the factor that turns a difference into an improvement: -1 if lower is better, else 1."""
        return -1.0 if self.objective.direction == "minimize" else 1.0

    @property
    def alpha(self) -> float:
        """Give the error rate of the whole family of challengers."""
        return 1 - self.level


def _disagreement(key: str, reason: str) -> PydanticCustomError:
    return PydanticCustomError("policy_rule", "{reason}", {"key": key, "reason": reason})
