"""Kinds that a person writes: sweep files, policies, configs of studies, words of a command line, Hydra's grammar."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.harness import FaultError, Kind
from tests.fuzz.mutators import mutate_text, mutate_words, mutate_yaml, several
from tests.fuzz.structured import with_hydra, with_yaml

ROOT = Path(__file__).resolve().parent.parent.parent


def _texts(*patterns: str) -> Callable[[], list[str]]:
    """The texts of files of this tree."""

    @functools.cache
    def read() -> list[str]:
        paths = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
        return [path.read_text(encoding="utf-8") for path in paths]

    return read


def _text_or_tree(seeds: Sequence[str], random: Random) -> str:
    """A text changed as text, as a tree of YAML, or by what YAML has and people seldom write."""
    change = random.choice((mutate_text, mutate_yaml, lambda text, random, others: with_yaml(text, random)))
    return several(lambda text: change(text, random, seeds), random.choice(seeds), random)


def _hydra(seeds: Sequence[str], random: Random) -> str:
    """A line of Hydra's grammar, changed as text or by a piece of that grammar in one of its words."""

    def change(text: str) -> str:
        words = text.split(" ")
        at = random.randrange(len(words))
        words[at] = with_hydra(words[at], random)
        return " ".join(words) if random.random() < 0.5 else mutate_text(text, random, seeds)

    return several(change, random.choice(seeds), random)


def _as_text(seeds: Sequence[str], random: Random) -> str:
    return several(lambda text: mutate_text(text, random, seeds), random.choice(seeds), random)


def _words(seeds: Sequence[Sequence[str]], random: Random) -> list[str]:
    def change(words: Sequence[str]) -> Sequence[str]:
        if not words or random.random() < 0.7:
            return mutate_words(words, random, seeds)
        at = random.randrange(len(words))
        return [*words[:at], with_hydra(words[at], random), *words[at + 1 :]]

    return several(change, random.choice(seeds), random)


def _write(text: str, path: Path) -> Path:
    path.write_bytes(text.encode("utf-8", "surrogateescape" if _is_escaped(text) else "surrogatepass"))
    return path


def _is_escaped(text: str) -> bool:
    return all(not 0xD800 <= ord(c) <= 0xDFFF or 0xDC80 <= ord(c) <= 0xDCFF for c in text)


def check_sweep(sweep: Any) -> None:
    """An accepted sweep is finite, and is the same after the record has kept it."""
    from rothamsted.spec import from_resolved, plan, resolved

    plain = resolved(sweep)
    _check_finite(plain)
    again = from_resolved(json.loads(json.dumps(plain, allow_nan=False)))
    if (back := resolved(again)) != plain or json.dumps(back) != json.dumps(plain):
        raise FaultError(f"recorded otherwise: {_first_difference(plain, back)}")
    plan(sweep)


def _first_difference(plain: Any, back: Any) -> str:
    from rothamsted.spec import difference

    return next(iter(difference(plain, back)), "types or order")[:300]


def _check_finite(value: Any) -> None:
    if isinstance(value, dict):
        for key, member in value.items():
            _check_finite(key)
            _check_finite(member)
    elif isinstance(value, (list, tuple)):
        for member in value:
            _check_finite(member)
    elif isinstance(value, float) and not math.isfinite(value):
        raise FaultError(f"holds {value}")
    elif isinstance(value, str) and ("\0" in value or any(0xD800 <= ord(c) <= 0xDFFF for c in value)):
        raise FaultError(f"holds text that no database takes: {value[:50]!r}")


def _run_sweep_file(text: str, given: Path) -> None:
    from rothamsted.sweeping.open.from_file import load

    sweep, _ = load(_write(text, given / "sweep.yaml"), {}, ROOT)
    check_sweep(sweep)


def _run_overrides(words: Sequence[str], given: Path) -> None:
    from rothamsted.cli.arguments import pairs
    from rothamsted.sweeping.open.from_file import load

    found = pairs(list(words), command="check")
    path = found.pop("config", None)
    found = {key: text for key, text in found.items() if text != ""}
    sweep, _ = load(ROOT / path if path else None, found, ROOT)
    check_sweep(sweep)


def _run_policy(text: str, given: Path) -> None:
    from rothamsted.promotion.judge.policy import Policy
    from rothamsted.promotion.judge.policy_file import load_policy

    policy = load_policy(_write(text, given / "policy.yaml"), given)
    plain = policy.model_dump(mode="json", exclude_none=True)
    _check_finite(plain)
    again = Policy.model_validate(json.loads(json.dumps(plain, allow_nan=False)), strict=False)
    if (back := again.model_dump(mode="json", exclude_none=True)) != plain:
        raise FaultError(f"recorded otherwise: {_first_difference(plain, back)}")


@functools.cache
def _study(name: str) -> Any:
    from rothamsted.studies import find

    return find(name, ROOT)


@functools.cache
def _parse() -> Callable[[Any, Sequence[str]], tuple[Any, Any]]:
    """The program's own; it makes the parser of a study once for all cases, which is most of the time of one."""
    from rothamsted.studies import command_line

    make, made = command_line._parser, {}
    command_line._parser = lambda study: made.get(study.name) or made.setdefault(study.name, make(study))
    return command_line.parse


def _check_config(study: Any, config: Any) -> None:
    from rothamsted.studies import flatten, set_fields

    plain = flatten(config)
    _check_finite(json.loads(json.dumps(plain, default=str)))
    if set_fields(study.config, plain) != config:
        raise FaultError("its fields, written out, give another config")


def _run_config(text: str, given: Path) -> None:
    study = _study("language_model")
    config, _ = _parse()(study, ["--config", str(_write(text, given / "config.yaml"))])
    _check_config(study, config)


def _run_by_hand(words: Sequence[str], given: Path) -> None:
    study = _study(words[0] if words and words[0] in STUDIES else "emnist_mlp")
    try:
        config, _ = _parse()(study, words[1:])
    except SystemExit as error:  # --help and the like
        if error.code:
            raise
        return
    _check_config(study, config)


def _run_domains(text: str, given: Path) -> None:
    from rothamsted.space import domain_from_plain, domain_to_plain
    from rothamsted.space.hydra import domains_from_hydra

    for name, domain in domains_from_hydra(text).items():
        plain = domain_to_plain(domain)
        _check_finite([name, plain])
        kind = {"is_integer": domain.is_integer} if hasattr(domain, "is_integer") else {}
        if domain_from_plain(json.loads(json.dumps(plain, allow_nan=False)), **kind) != domain:
            raise FaultError(f"{name} is written otherwise: {plain}")


def _run_values(text: str, given: Path) -> None:
    from rothamsted.space.hydra import values_from_hydra
    from rothamsted.spec.hydra_text import as_override

    values = values_from_hydra(text)
    _check_finite(values)
    scalars = {name: value for name, value in values.items() if not isinstance(value, (list, dict))}
    written = " ".join(as_override(name, value) for name, value in scalars.items())
    if scalars and values_from_hydra(written) != scalars:
        raise FaultError(f"written otherwise: {written[:200]}")


STUDIES = ("batch_size", "emnist_mlp", "global_workspace", "image_classifier", "language_model")
_SCORE = "objective={expression: 'val_loss + 0.1 * {train_loss}', direction: minimize}"
OVERRIDES = (
    ("sweeps/quickstart.yaml",),
    ("sweeps/quickstart.yaml", "replicates=5", "execution.workers=1", "space.gamma=[0.5, 1.0]", "width=32"),
    ("sweeps/quickstart.yaml", "sampler=tpe", "trials=20", "pruner={name: median, warmup_steps: 5}", "confirm=10"),
    (
        "sweeps/quickstart.yaml",
        "--space",
        "optimizer.lr=tag(log,interval(1e-3,1))",
        "gamma=0.1,1",
        "sampler.name=qmc",
        "trials=8",
    ),
    ("sweeps/quickstart.yaml", "set=steps=100 width=64", "timeout=1h30m", "models=none", _SCORE),
    ("sweeps/batch_size/staged.yaml", "name=wide", "stages=[{parameters: {steps: 10}}, {keep: 2}]"),
    ("study=batch_size", "name=x", "space=optimizer.lr=0.1,1", "metric=val_loss", "direction=minimize"),
    ("command=python projects/__init__.py {parameters}", "space=lr=0.01,0.1", "metric=val_loss", "direction=minimize"),
    (
        "sweeps/emnist_mlp/quick.yaml",
        "constraints=['seconds < 60', '{n_parameters} <= 1e6']",
        "enqueue=[{optimizer.lr: 0.001, model.dropout: 0.2}]",
    ),
)
BY_HAND = (
    ("batch_size", "--optimizer.lr", "0.1", "--width", "128"),
    ("batch_size", "optimizer.lr=0.1", "--set", "width=64 steps=100", "--no-save"),
    ("language_model", "--learning_rate", "0.01", "--config", str(ROOT / "projects/language_model/configs/tiny.yaml")),
    ("emnist_mlp", "data=emnist", "training=short", "model.hidden_dims=[64,32]", "--no-save"),
    ("image_classifier", "--seed", "3", "--checkpoint-every", "10", "--name", "mine"),
    ("global_workspace", "--seed=1", "--cfg", "job"),
)
DOMAINS = (
    "lr=tag(log,interval(1e-4,1e-1)) dropout=0.2,0.4 width=range(8,33,8)",
    "a=choice(1,2,3) b=int(interval(1,8)) c=range(0,0.3,0.1) d='a b','c d'",
    "model.hidden=[256,128],[64] data.name=mnist,emnist flag=true,false",
    "weights={a:1,b:2},{a:2} x=interval(0.5,2.5) y=tag(log,interval(1,100)) z=null",
)
VALUES = (
    "model.hidden=[256,128] model.dropout=0.2 name='a b'",
    "weights={a:1,b:2.5} flag=true none=null text=abc/def.txt n=-3 x=1e-3",
    'deep=[[1,[2,[3]]],{a:{b:[c,d]}}] quoted="it\'s" path=/data/x:y',
)
KINDS = (
    Kind(name="sweep files", seeds=_texts("sweeps/**/*.yaml"), mutate=_text_or_tree, run=_run_sweep_file),
    Kind(name="policies", seeds=_texts("registry/*.yaml"), mutate=_text_or_tree, run=_run_policy),
    Kind(name="configs", seeds=_texts("projects/language_model/configs/*.yaml"), mutate=_text_or_tree, run=_run_config),
    Kind(name="overrides", seeds=lambda: OVERRIDES, mutate=_words, run=_run_overrides),
    Kind(name="by hand", seeds=lambda: BY_HAND, mutate=_words, run=_run_by_hand),
    Kind(name="hydra domains", seeds=lambda: DOMAINS, mutate=_hydra, run=_run_domains),
    Kind(name="hydra values", seeds=lambda: VALUES, mutate=_hydra, run=_run_values),
)
