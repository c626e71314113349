"""Make the run of a sweep with its tags, params and files, and update it when the sweep goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rothamsted import tags, tracking
from rothamsted.analysis.growth_words import growth_line
from rothamsted.analysis.parent_words import parent_words
from rothamsted.masking import masked
from rothamsted.metric import metrics_to_plain
from rothamsted.printable import markdown
from rothamsted.spec import Sweep, recorded
from rothamsted.spec.recorded import recorded_text
from rothamsted.studies import Study, origin_files, source_tags, study_tags, without_origin
from rothamsted.sweeping.foreign_study import ForeignStudy
from rothamsted.sweeping.open.asked import sweep_params
from rothamsted.sweeping.open.contestants import Contestants
from rothamsted.sweeping.open.trials_view import trials_view
from rothamsted.sweeping.opened import Place, dataset_of
from rothamsted.sweeping.trial_summary import now_ms

MOST_CHARACTERS = 4_000  # of the tag that says what was added when; all of it is in the artifact


@dataclass(frozen=True, kw_only=True)
class SweepRun:
    """Makes a sweep's run."""

    sweep: Sweep
    whole: Sweep  # with its stages
    study: Study | ForeignStudy
    place: Place
    data_digest: str | None
    code_digests: Sequence[str]  # of the study's source files, in each session
    stage_of: str | None = None  # the run of the first stage
    contestants: Contestants | None = None
    growths: Sequence[Mapping[str, Any]] = ()  # what was added when, in order

    def open(
        self, recorder: tracking.Recorder, experiment_id: str, run_id: str, *, is_outer: bool, parent_id: str | None
    ) -> str:
        """Make the run, and return its id.

        Args:
            recorder: writes it.
            experiment_id: MLflow's folder of runs.
            run_id: its id; empty if the store gives ids.
            is_outer: whether the run that MLflow opened around this process becomes the sweep's.
            parent_id: the run to nest it under.
        """
        of_run, origin = without_origin(self._tags())
        used = dataset_of(self.sweep, self.study, self.data_digest)
        if is_outer:
            named = {"mlflow.runName": self.sweep.name}  # MLflow gave it a random one
            recorder.log(run_id, params=self._params(), tags={**of_run, **named})
        else:
            run_id = recorder.open_run(
                run_id=run_id,
                experiment_id=experiment_id,
                name=self.sweep.name,
                parent_id=self.stage_of if self.stage_of is not None else parent_id,
                tags=of_run,
                params=self._params(),
                start_ms=now_ms(),
                dataset=used,
            )
        self._add_origin(recorder, run_id, origin)
        recorder.flush()
        if is_outer and used is not None:
            recorder.log_dataset(run_id, used)
        self._log_file(recorder, run_id)
        self._log_metrics(recorder, run_id)
        tracking.save_view(self.place.tracking_uri, experiment_id, run_id, trials_view(self.sweep))
        return run_id

    def resume(self, recorder: tracking.Recorder, run_id: str) -> None:
        """Set the run back to running, with the digest of the code and the declared metrics as they are now."""
        recorder.resume_run(run_id)
        _, origin = without_origin(self._tags())
        self._add_origin(recorder, run_id, origin)
        recorder.flush()
        self._log_metrics(recorder, run_id)
        if self.growths:
            recorder.log(run_id, tags={tags.GROWN_TAG: "; ".join(map(growth_line, self.growths))[:MOST_CHARACTERS]})
            text = json.dumps(list(self.growths), indent=2) + "\n"
            recorder.log_text(run_id, text, f"{self._folder}/{tags.GROWN_FILE}")
            self._log_file(recorder, run_id)

    @property
    def _folder(self) -> str:
        return "sweep" if self.contestants is None else "contest"

    def _add_origin(self, recorder: tracking.Recorder, run_id: str, origin: str) -> None:
        """Where this session's code comes from, and what its commit lacks."""
        for name, text in origin_files(self.place.root, origin).items():
            recorder.add_text(run_id, text, f"{self._folder}/{name}")

    def _log_file(self, recorder: tracking.Recorder, run_id: str) -> None:
        """The sweep's file, as it was written and with all its defaults."""
        plain = recorded(self.whole) if self.contestants is None else self.contestants.plain
        source = Path(self.place.source or ".")
        if source.is_file():
            recorder.log_text(
                run_id, recorded_text(source.read_text(encoding="utf-8")), f"{self._folder}/{source.name}"
            )
        # After the source, which may itself be called resolved.json: that of another sweep.
        recorder.log_text(run_id, json.dumps(plain, indent=2) + "\n", f"{self._folder}/resolved.json")

    def _log_metrics(self, recorder: tracking.Recorder, run_id: str) -> None:
        """What the study declares of its metrics, so that an analysis needs the record alone."""
        if self.study.known_metrics:
            plain = metrics_to_plain(self.study.known_metrics)
            recorder.log_text(run_id, json.dumps(plain, indent=2) + "\n", f"{self._folder}/{tags.METRICS_FILE}")

    def _tags(self) -> dict[str, str]:
        own = source_tags(self.place.root)
        source = Path(self.place.source or ".")
        if source.is_file():  # MLflow's column Source; the command is in the origin file
            own["mlflow.source.name"] = masked(os.path.relpath(source, self.place.root))
        if isinstance(self.study, ForeignStudy):
            own |= {tags.STUDY: self.study.name} | self.study.source_tags()
        else:
            own |= study_tags(self.study, self.data_digest)
        return {
            tags.ROLE: "sweep" if self.contestants is None else "contest",
            tags.SWEEP: self.sweep.name,
            **own,
            tags.CODE_DIGEST: "+".join(self.code_digests),
            **({tags.STARTED: self.place.started} if self.place.started else {}),
            **({tags.PARENT_SWEEP: parent_words(self.sweep)} if parent_words(self.sweep) else {}),
            **({tags.STAGE_OF: self.stage_of} if self.stage_of is not None else {}),
        }

    def _params(self) -> dict[str, str]:
        if self.contestants is None:
            return sweep_params(self.sweep, self.study)
        return {
            "study": str(self.sweep.study),
            "contestants": ", ".join(self.contestants.labels),
            "seeds": ", ".join(map(str, self.sweep.replicates.values)),
            "objective": f"{self.sweep.objective.direction} {self.sweep.objective.metric}",
        }


def mark_continuation(
    recorder: tracking.Recorder, outer: tracking.FoundRun, experiment_id: str, run_id: str, name: str
) -> None:
    """Tag the run that MLflow opened around this process with the sweep that goes on, unless it has another role."""
    if outer.tags.get(tags.ROLE, "continuation") != "continuation":
        return
    link = tracking.run_path(experiment_id, run_id)
    own = {tags.ROLE: "continuation", tags.SWEEP: name, tags.CONTINUES: run_id, "mlflow.runName": f"{name} (goes on)"}
    recorder.log(outer.run_id, tags=own)
    recorder.set_description(outer.run_id, f"Goes on with sweep **{markdown(name)}**: [its run]({link})\n")
    recorder.flush()
