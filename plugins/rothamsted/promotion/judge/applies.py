"""Check from their files whether a policy can judge a sweep.

This is checked before a sweep starts, and again before its winners are judged."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from rothamsted.errors import PromotionError
from rothamsted.promotion.judge.policy import Policy
from rothamsted.promotion.judge.policy_file import load_judging
from rothamsted.spec import Sweep


def policy_of(sweep: Sweep, root: Path) -> Policy | None:
    """Return the policy that a sweep's file names, or None if it names none.

    Raises:
        SpecError: the policy has a mistake, or cannot judge this sweep.
    """
    if sweep.promote is None:
        return None
    policy = load_judging(sweep.promote, root)
    check_sweep(sweep, policy, names=(sweep.name,))
    return policy


def check_sweep(sweep: Sweep, policy: Policy, names: Collection[str]) -> None:
    """Refuse a policy for something else, and a sweep that cannot give the evidence that the policy needs.

    Args:
        sweep: the sweep of the confirmed winner.
        policy: the policy that judges it.
        names: names of the sweep: its own, and that of its first stage. A policy for one sweep must give one of them.

    Raises:
        PromotionError: says what differs and the way out.
    """
    place = f"policy of model '{policy.model}'"
    if sweep.study is None:
        raise PromotionError(
            f"sweep {sweep.name}: is of {f'project {sweep.project}' if sweep.project else 'a command'}, which logs no "
            "model with the engine; promote a sweep of a study"
        )
    wanted, own = policy.objective, sweep.objective
    if (wanted.metric, wanted.direction) != (own.metric, own.direction):
        raise PromotionError(
            f"{place}: objective is {wanted.direction} {wanted.metric}, but sweep {sweep.name} has {own.direction} "
            f"{own.metric}; give a policy for that metric, or sweep for the policy's"
        )
    if own.over != "mean":
        raise PromotionError(
            f"{place}: compares means over seeds, but sweep {sweep.name} has objective.over: {own.over}; "
            "sweep with over: mean"
        )
    if policy.study is not None and policy.study != sweep.study:
        raise PromotionError(
            f"{place}: study is {policy.study}, but sweep {sweep.name} is of study {sweep.study}; give the policy "
            "of that study"
        )
    if policy.sweep is not None and policy.sweep not in names:
        raise PromotionError(
            f"{place}: sweep is {policy.sweep}, not {sweep.name}; give another policy, or take the key away"
        )
    _check_confirmation(sweep, policy)


def _check_confirmation(sweep: Sweep, policy: Policy) -> None:
    if sweep.confirm is None:
        raise PromotionError(
            f"sweep {sweep.name}: has no confirmation, and its own estimates are optimistic; add confirm: {{keep: 1, "
            f"replicates: {policy.replicates}}} to its file and run it again"
        )
    n_wanted = len(sweep.confirm_seeds)
    if n_wanted < policy.replicates:
        raise PromotionError(
            f"sweep {sweep.name}: has {n_wanted} confirmed replicates a condition, but the policy of model "
            f"'{policy.model}' asks for {policy.replicates}; sweep with confirm: {{replicates: {policy.replicates}}}"
        )
