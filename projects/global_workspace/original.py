"""Translate the original's configuration files: what each key becomes, and which have no effect here.

A file is recognised by keys that only the original has: data.dir, data.batch_size, a list of training.loss_configs.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

USUAL_EXPERIMENT = "fusion_only"  # what the original trains where its --experiment-type is not given
_MOVED = {  # key of the original -> key of this study
    "data.dir": "data.path",
    "data.batch_size": "training.batch_size",
}
_WITHOUT_EFFECT = {  # key -> why
    "data.image_dir": "pictures are not read, but latents beside data.path",
    "data.num_workers": "data lie in memory",
    "training.reset_model_per_experiment": "every run starts from new weights",
    "experiment": "the run is logged to MLflow, and the sweep file says the rest",
}
_OF_DOMAIN = {
    "checkpoint_path": "visual latents are read from data.path or made by data.visual_vae",
    "domain_type": "the name says which domain it is",
}


class ConfigNote(UserWarning):
    """Says in one line which keys of a configuration file have no effect here."""


def in_this_studys_words(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that a file of the original sets; anything else comes back as it is.

    What has no effect is left out, with one `ConfigNote` that names it all and says why.

    Args:
        data: What the file holds, or fields of this study, nested.

    Raises:
        ValueError: Two keys say the same thing, or no loss configuration can be chosen.
    """
    tree = {name: dict(part) if isinstance(part, Mapping) else part for name, part in data.items()}
    if not _is_originals(tree):
        return tree
    notes = [f"{key} ({why})" for key, why in _WITHOUT_EFFECT.items() if _taken(tree, key) is not None]
    notes += _leave_out_of_domains(tree)
    for old, new in _MOVED.items():
        if (value := _taken(tree, old)) is not None:
            _put(tree, new, value, old)
    if "path" in tree.get("data", {}):
        tree["data"].setdefault("name", "xor_targets")
    _choose_losses(tree, notes)
    if notes:
        warnings.warn(f"no effect here: {', '.join(notes)}", ConfigNote, stacklevel=2)
    return tree


def _is_originals(tree: Mapping[str, Any]) -> bool:
    data, training = (tree.get(name) if isinstance(tree.get(name), Mapping) else {} for name in ("data", "training"))
    own = {"dir", "batch_size", "num_workers", "image_dir"} & set(data or {})
    domains = tree["model"].get("domains") if isinstance(tree.get("model"), Mapping) else None
    has_records = isinstance(domains, (list, tuple)) and any(isinstance(entry, Mapping) for entry in domains)
    return bool(own) or has_records or isinstance((training or {}).get("loss_configs"), list)


def _choose_losses(tree: dict[str, Any], notes: list[str]) -> None:
    """One of the loss configurations, where a weight that is not named is 0; and a constant rate, as there."""
    training, wanted = tree.get("training"), tree.pop("experiment_type", None)
    if not isinstance(training, dict) or not isinstance(training.get("loss_configs"), list):
        return
    known = training["loss_configs"]
    names = [entry.get("name") if isinstance(entry, Mapping) else None for entry in known]
    usual = names[0] if len(names) == 1 else USUAL_EXPERIMENT
    name = usual if wanted is None else wanted
    if names.count(name) != 1:
        raise ValueError(
            f"training.loss_configs: one run trains one of them, not {len(names)}, and {name!r} is not exactly one of "
            f'{", ".join(map(str, names))}; name it: "experiment_type": "{names[0] if names else USUAL_EXPERIMENT}"'
        )
    chosen = dict(known[names.index(name)])
    others = [str(other) for other in names if other != name]
    if others:
        notes.append(
            f"training.loss_configs {', '.join(others)} (one run trains one: {name}; experiment_type says which)"
        )
    if (epochs := chosen.pop("epochs", None)) is not None:
        training["epochs"] = epochs
    if isinstance(chosen.get("weights"), Mapping):
        zeros = dict.fromkeys(("fusion", "demi_cycle", "cycle", "translation", "contrastive"), 0.0)
        chosen["weights"] = {**zeros, **chosen["weights"]}
    training["loss_configs"] = chosen
    training["optimizer"] = {"schedule": "constant", **(training.get("optimizer") or {})}


def _leave_out_of_domains(tree: dict[str, Any]) -> list[str]:
    """The names of the domains alone; returns what that leaves out."""
    model = tree.get("model")
    if not isinstance(model, dict) or not isinstance(domains := model.get("domains"), (list, tuple)):
        return []
    model["domains"] = [
        {key: value for key, value in entry.items() if key not in _OF_DOMAIN} if isinstance(entry, Mapping) else entry
        for entry in domains
    ]
    named = {key for entry in domains if isinstance(entry, Mapping) for key in entry}
    return [f"model.domains {key} ({why})" for key, why in _OF_DOMAIN.items() if key in named]


def _taken(tree: dict[str, Any], key: str) -> Any:
    """The value under a dotted key, which goes; None where it is not there or null."""
    *parents, leaf = key.split(".")
    for parent in parents:
        tree = tree.get(parent) or {}
        if not isinstance(tree, dict):
            return None
    return tree.pop(leaf, None)


def _put(tree: dict[str, Any], key: str, value: Any, old: str) -> None:
    root, leaf = key.split(".")
    part = tree.setdefault(root, {})
    if leaf in part:
        raise ValueError(f"{old} and {key} are both given, and say the same thing; give one of them")
    part[leaf] = value
