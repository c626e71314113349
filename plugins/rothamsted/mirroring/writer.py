"""Write replicates as runs of Weights & Biases by its own package."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rothamsted.mirroring.pictures import Picture
from rothamsted.mirroring.record import MirroredRun, place_of

_WAITS = ("init_timeout", "finish_timeout")  # which the environment may set otherwise
WAIT_SECONDS = 60.0  # for a server that does not answer: what is missing is mirrored when the sweep is given again


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Says where replicates go.

    Attributes:
        mode: online or offline.
        project, entity, group: as the sweep file has them; without an entity it is that of the key.
        folder: in which the package makes its folder `wandb`.
    """

    mode: str
    project: str
    entity: str | None
    group: str
    folder: Path

    @property
    def place(self) -> str:
        """Return entity and project, as `record.fingerprint` takes them."""
        return place_of(self.entity, self.project)


def write(run: MirroredRun, pictures: Mapping[Picture, bytes], target: Destination) -> str:
    """Write one replicate; written again it is the same run, and steps that are there stay.

    Returns:
        The address of the run; offline the name of its folder.

    Raises:
        Exception: whatever the package raises.
    """
    import wandb

    if target.mode == "offline":
        _remove_earlier(run.run_id, target.folder)
    with tempfile.TemporaryDirectory(prefix="rothamsted-wandb-") as copies:
        made = wandb.init(
            project=target.project,
            entity=target.entity,
            group=target.group,
            id=run.run_id,
            name=run.name,
            job_type=run.job_type,
            notes=run.notes or None,
            tags=list(run.tags),
            config=dict(run.config),
            dir=str(target.folder),
            mode=target.mode,  # type: ignore[arg-type]
            resume="allow" if target.mode == "online" else None,
            reinit="create_new",
            settings=_settings(),
        )
        shown = _shown(pictures, Path(copies), last=run.rows[-1].step if run.rows else 0)
        for row in run.rows:
            made.log({**row.values, **shown.pop(row.step, {}), "_timestamp": row.seconds}, step=row.step)
        for step, images in sorted(shown.items()):
            made.log(images, step=step)
        made.summary.update(dict(run.summary))
        address = made.url if target.mode == "online" else Path(made.settings.sync_dir).name
        made.finish(exit_code=run.exit_code)
    return address or run.run_id


def close() -> None:
    """End the package's own process."""
    import wandb

    wandb.teardown()


def folders_of(run_id: str, folder: Path) -> Sequence[Path]:
    """Return the folders of a run that was written offline."""
    return sorted((folder / "wandb").glob(f"offline-run-*-{run_id}"))


def _remove_earlier(run_id: str, folder: Path) -> None:
    """What a mirror that was cut off, or an earlier state of the replicate, has left: it would be sent, too."""
    for one in folders_of(run_id, folder):
        shutil.rmtree(one)


def _settings() -> Any:
    """No more than what is asked for: nothing of this machine, this process or its code."""
    import wandb

    waits: dict[str, Any] = {name: WAIT_SECONDS for name in _WAITS if f"WANDB_{name.upper()}" not in os.environ}
    return wandb.Settings(
        console="off",
        silent=True,
        disable_git=True,
        disable_code=True,
        save_code=False,
        x_disable_stats=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
        finish_timeout_raises=True,
        **waits,
    )


def _shown(pictures: Mapping[Picture, bytes], folder: Path, *, last: int) -> dict[int, dict[str, Any]]:
    """Step -> key -> picture, or a list of them where a step has several of one key."""
    import wandb

    found: dict[int, dict[str, list[Any]]] = {}
    for number, (picture, content) in enumerate(pictures.items()):
        copy = folder / f"{number}{Path(picture.path).suffix.lower()}"
        copy.write_bytes(content)
        of_step = found.setdefault(last if picture.step is None else picture.step, {})
        of_step.setdefault(picture.key, []).append(wandb.Image(str(copy), caption=picture.path))
    return {
        step: {key: list_ if len(list_) > 1 else list_[0] for key, list_ in keys.items()}
        for step, keys in found.items()
    }
