"""Run the commands that change registered models, promote and rollback, and registry, which prints their history.

Exit status 0: promoted, or champion already; 3: not promoted, which is a result too. A mistake (no such model or sweep,
a policy for something else, altered evidence) is one line with exit status 2, and nothing is recorded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rothamsted import tags, tracking
from rothamsted.catalog import EXECUTORS
from rothamsted.cli.arguments import pairs, take, take_truth
from rothamsted.cli.screen import screen_of
from rothamsted.cli.settings import open_named, take_number
from rothamsted.cli.store import open_store, search_at
from rothamsted.errors import SpecError, UserError
from rothamsted.mlproject import find_home
from rothamsted.printable import markdown
from rothamsted.tracking.registry.names import check_model, refuse_unknown_model

if TYPE_CHECKING:  # what judges is imported when the command line has no mistake
    from rich.console import Console

    from rothamsted.promotion.judge.policy import Aliases, Policy
    from rothamsted.promotion.ledger.decision import PromotionOutcome

NOT_YET = 3  # exit status


def promote(arguments: Sequence[str]) -> int:
    """Judge the confirmed winners of a sweep by a policy, and move the champion where the verdict says so."""
    found = pairs(arguments, command="promote")
    sweep, policy_file = take(found, "sweep"), take(found, "policy")
    dry_run, allow_policy = (take_truth(found, key, "promote") for key in ("dry_run", "allow_policy"))
    text, storage = take(found, "replicates"), take(found, "storage")
    n_replicates = None if text is None else take_number({"replicates": text}, "replicates", int, "promote")
    if sweep is None:
        raise UserError("rothamsted promote: which sweep? give sweep=NAME")
    root, uri = find_home(Path.cwd()), open_named({"sweep": sweep})

    from rothamsted import api, promoting
    from rothamsted.publish.console import sayer
    from rothamsted.sweeping.opened import Place

    screen = screen_of(arguments, command="promote")
    console = screen.console
    place = Place(root=root, tracking_uri=uri, outer_run_id=tracking.current_run_id())
    policy = policy_for(sweep, policy_file, root, uri=uri, allow_policy=allow_policy)
    outcome = promoting.promote(
        sweep,
        policy,
        place,
        work=partial(api.work, executor=EXECUTORS["local"](), console=console),
        say=sayer(console),
        dry_run=dry_run,
        n_replicates=n_replicates,
        storage=None if storage is None else search_at(storage, uri),
    )
    show_decision(outcome, uri, console)
    screen.give(dataclasses.asdict(outcome))
    is_promoted = outcome.was_champion or any(one.decision == "promoted" for one in outcome.decided)
    return 0 if is_promoted or place.outer_run_id is not None else NOT_YET  # to `mlflow run` it is no failure


def show_decision(outcome: PromotionOutcome, uri: str, console: Console) -> None:
    """Print what a promotion came to, and say it on the run that `mlflow run` opened around this command."""
    if not outcome.is_dry_run:
        _link_outer(uri, outcome)
    console.print("\n".join(outcome_lines(outcome, uri)), markup=False, highlight=False, soft_wrap=True)


def rollback(arguments: Sequence[str]) -> int:
    """Make the previous champion of a registered model the champion again."""
    found, screen = pairs(arguments, command="rollback"), screen_of(arguments, command="rollback")
    model, reason = take(found, "model"), take(found, "reason", "") or ""
    policy_file = take(found, "policy")
    if model is None:
        raise UserError("rothamsted rollback: which model? give model=NAME")
    uri = open_store(lambda uri: refuse_unknown_model(model, uri=uri))
    check_model(model, uri=uri)

    from rothamsted.promotion.ledger.rollback import rollback as roll_back
    from rothamsted.tracking.registry.registered import open_registry

    aliases = _aliases(model, policy_file)
    done = roll_back(model, registry=open_registry(uri), aliases=aliases, reason=reason)
    left = f"version {done.next_before}" if done.next_before else "nothing: there was no champion before it"
    screen.console.print(
        f"{model}: {aliases.champion} is version {done.new} again, was version {done.old}; reason: {done.reason}.\n"
        f"Another rollback would go back to {left}.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    screen.give({"model": model, **dataclasses.asdict(done)})
    return 0


def registry(arguments: Sequence[str]) -> int:
    """Print the history of a registered model: versions, verdicts, champions."""
    found, screen = pairs(arguments, command="registry"), screen_of(arguments, command="registry")
    model, policy_file = take(found, "model"), take(found, "policy")
    uri = open_store(lambda uri: refuse_unknown_model(model, uri=uri) if model is not None else None)
    if model is not None:
        check_model(model, uri=uri)

    from rothamsted.promotion.ledger.timeline import changes_table, history, versions_table
    from rothamsted.tracking.registry.registered import open_registry

    opened = open_registry(uri)
    if model is None:
        opened.check_reachable()
        known = ", ".join(opened.model_names()) or "none yet"
        raise UserError(f"rothamsted registry: which model? give model=NAME; there are: {known}")
    told = history(model, registry=opened, aliases=_aliases(model, policy_file))
    console = screen.console
    console.print(versions_table(told))
    if told.changes:
        console.print(changes_table(told))
    for mark in told.marks:
        console.print(f"note: {mark}", markup=False, highlight=False, soft_wrap=True)
    screen.give({"model": model, **dataclasses.asdict(told)})
    return 0


def policy_for(sweep: str, policy_file: str | None, root: Path, *, uri: str, allow_policy: bool = False) -> Policy:
    """Return the policy that is named, else the one in registry/ that judges this sweep.

    Raises:
        SpecError: No policy or several, or one with a mistake in it.
        StoreError: No such sweep.
    """
    from rothamsted.analysis.find import find_last_stage
    from rothamsted.promotion.judge.policy_file import find_policy, load_judging, load_policy

    if policy_file is not None:
        return load_judging(policy_file, root, allow_policy=allow_policy)
    staged = find_last_stage(sweep, uri=uri)
    study = staged.first.params.get("study") or staged.first.tags.get(tags.STUDY, "")
    return load_policy(find_policy(root, study, sweep=staged.name), root)


def outcome_lines(outcome: PromotionOutcome, uri: str) -> list[str]:
    """Return what a promotion came to, as lines for the terminal."""
    lines = [outcome.mark] if outcome.mark else []
    if outcome.was_champion:
        lines.append(
            f"{outcome.model}: version {outcome.champion_after} was registered from sweep {outcome.sweep} and is "
            "champion already; nothing to do. What was decided then:"
        )
    elif outcome.is_dry_run:
        lines.append(f"{outcome.model}: dry run, nothing is written. Sweep {outcome.sweep}:")
    for one in outcome.decided:
        version = f"version {one.version}" if one.version else "not registered yet"
        lines += [f"{one.decision}: {one.label} ({version})", *(f"  {reason}" for reason in one.reasons)]
    lines.append(f"champion of {outcome.model}: {_champion(outcome)}")
    if not outcome.is_dry_run:
        page = tracking.run_link(uri, outcome.experiment_id, outcome.sweep_run_id)
        model = f"{tracking.ui_address(uri)}/#/models/{outcome.model}"
        lines.append(f"in MLflow: {tracking.ui_command(uri)}    # then {model}, and {page}")
    return lines


def _champion(outcome: PromotionOutcome) -> str:
    before, after = outcome.champion_before, outcome.champion_after
    if after is None:
        return "none"
    if before == after:
        return f"version {after}, as before"
    return f"version {after}, was {f'version {before}' if before else 'none'}"


def _aliases(model: str, policy_file: str | None) -> Aliases:
    """The aliases of a model: those of the policies that name it; the default ones where no policy does.

    Raises:
        SpecError: A policy with a mistake in it, or several that disagree.
    """
    from rothamsted.promotion.judge.policy import Aliases
    from rothamsted.promotion.judge.policy_file import FOLDER, load_policy, policies_for

    root = find_home(Path.cwd())
    if policy_file is not None:
        return load_policy(policy_file, root).aliases
    policies = policies_for(root, model)
    found = {policy.aliases.model_dump_json(): policy.aliases for _, policy in policies if policy.model == model}
    if len(found) > 1:
        raise SpecError(f"{FOLDER}/: several policies of model '{model}' have different aliases; say policy=FILE")
    return next(iter(found.values()), Aliases())


def _link_outer(uri: str, outcome: PromotionOutcome) -> None:
    """Write on the run that `mlflow run` opened around this command where the verdict is."""
    outer = tracking.current_run_id()
    if outer is None or outer == outcome.sweep_run_id:
        return
    with tracking.open_recorder(uri) as recorder:
        own = {tags.CONTINUES: outcome.sweep_run_id, "mlflow.runName": f"{outcome.sweep} (promotion)"}
        recorder.log(outer, tags={tags.ROLE: "continuation", **own})
        link = tracking.run_path(outcome.experiment_id, outcome.sweep_run_id)
        decided = ", ".join(f"version {one.version} {one.decision}" for one in outcome.decided)
        recorder.set_description(outer, f"Promotion to **{markdown(outcome.model)}**: {decided}. [The sweep]({link})\n")
