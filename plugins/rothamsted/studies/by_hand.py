"""Run a study once, by hand, without any sweep: `python -m projects.<study> --optimizer.lr 0.1`.

It joins the other parts of `rothamsted.studies`: command line, driver, checkpoints, MLflow run, exports, terminal.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from pydantic import BaseModel

from rothamsted.errors import StudyError, UserError
from rothamsted.printable import console, error_line, printable
from rothamsted.records import Ending, Measured, Outcome, RunStatus
from rothamsted.studies.artifacts import Contents, write_artifacts
from rothamsted.studies.atomic import check_writable
from rothamsted.studies.checkpoint import Checkpoint
from rothamsted.studies.command_line import STATE, ByHand, name_folder, parse
from rothamsted.studies.contract import Study, digest_of_data
from rothamsted.studies.driver import drive
from rothamsted.studies.exports import CONFIG_FILE, RunningExports, write_exports
from rothamsted.studies.fields import flatten
from rothamsted.studies.multirun import combinations, has_several, numbered
from rothamsted.studies.provenance import study_tags
from rothamsted.studies.signals import StopRequest, stop_on_signals
from rothamsted.studies.tensorboard import FOLDER, EventFile, check_tensorboard
from rothamsted.studies.terminal import Display, closing_line, line

if TYPE_CHECKING:
    from rothamsted.studies.run_record import RunRecord

USER_ERROR, FAILURE = 2, 1  # exit statuses; a signal's is 128 + its number


def main(study: Study, argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line of a study. Ends the process.

    Exit status: 0 finished or diverged (a recorded outcome), 1 failed, 2 a mistake of the user (one line, no
    traceback), 130 stopped by Ctrl-C, 143 stopped by SIGTERM.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _train_each(study, words) if has_several(words) else _train_one(study, *parse(study, words))
    except UserError as error:
        status = _tell(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    sys.exit(status)


def _train_one(study: Study, config: BaseModel, options: ByHand) -> int:
    with stop_on_signals(_tell_stopping) as request:
        ending = run_by_hand(study, config, options, should_stop=request)
    return _exit_status(ending, request)


def _train_each(study: Study, words: Sequence[str]) -> int:
    """Train every combination, all of them read before the first is trained; the worst exit status."""
    lines = combinations(words)
    read = [parse(study, one) for one in lines]
    worst = 0
    for number, (one, (config, options)) in enumerate(zip(lines, read)):
        print(f"train {study.name} {' '.join(one)}", flush=True)
        try:
            status = _train_one(study, config, numbered(options, number))
        except UserError as error:
            status = _tell(error)
        worst = max(worst, status)
        if status >= 128:  # stopped by a signal
            break
    return worst


def _tell(error: UserError) -> int:
    print(error_line(error), file=sys.stderr)
    return USER_ERROR


def run_by_hand(
    study: Study,
    config: BaseModel,
    options: ByHand | None = None,
    *,
    should_stop: StopRequest | None = None,
    root: Path | None = None,
) -> Ending:
    """Train one config to its end and record it as one MLflow run, unless `options` says to save nothing.

    Args:
        study: what to train.
        config: one run of it.
        options: where to keep checkpoints and exports; by default neither, and the run is logged.
        should_stop: asked after each measurement; True writes a checkpoint, if there is a folder, and ends.
        root: the folder whose git commit is noted; by default the working directory.

    Raises:
        UserError: missing data, an unreachable tracking store, a folder that cannot be written or that holds
            checkpoints of another config: all found before anything is created.
    """

    options = options or ByHand()
    if options.is_mirrored:
        check_tensorboard()
    if options.name is not None and options.output == (folder := name_folder(options.name)):
        check_new(folder, place="--name")
    checkpoint = _checkpoint(study, config, options)
    data_digest = digest_of_data(study, config)  # before a run is opened: missing data leave nothing behind
    record = _open_record(study, config, options, data_digest, root or Path.cwd()) if options.is_saved else None
    try:
        with Display(console=console(), clock=time.perf_counter) as display:
            _announce(display, record)
            event_file = _event_file(study, config, options, record)
            files = _Files(record, _running_exports(options, config), event_file)
            ending = _train(study, config, checkpoint, files, display, should_stop or StopRequest())
            if ending.history:
                display.say(line(ending.history[-1]))
            display.say(closing_line(ending))
        if options.output:
            _export(options.output, config, ending)
        if record:
            record.end(config.model_dump(mode="json"), ending)
    except BaseException as error:
        if record:
            record.abandon(RunStatus.KILLED if isinstance(error, KeyboardInterrupt) else RunStatus.FAILED)
        raise
    _close(options, record, ending, display)
    return ending


def _train(
    study: Study,
    config: BaseModel,
    checkpoint: Checkpoint | None,
    files: _Files,
    display: Display,
    should_stop: StopRequest,
) -> Ending:
    def note_and_show(member: int, measured: Measured) -> None:
        files.note(member, measured)
        display.show(member, measured)

    try:
        [ending] = drive(
            study,
            [config],
            on_measurement=note_and_show,
            on_restored=files.restore,
            on_artifacts=files.keep if files.record else None,
            checkpoint=checkpoint,
            should_stop=should_stop,
            keep=study.keeps(config) if study.keeps else None,
        )
    finally:
        if files.event_file:
            files.event_file.close()
    return ending


class _Files(NamedTuple):
    """Where a run is written while it goes on; each is None where it is not asked for."""

    record: RunRecord | None
    exports: RunningExports | None
    event_file: EventFile | None

    def restore(self, member: int, measured: Measured) -> None:
        """Take a measurement that a checkpoint brought back."""
        self._log(member, measured)
        if self.exports:
            self.exports.restore(measured)

    def note(self, member: int, measured: Measured) -> None:
        """Take a new measurement."""
        self._log(member, measured)
        if self.exports:
            self.exports.add(measured)

    def keep(self, member: int, measured: Measured, contents: Contents) -> None:
        """Take the artifacts of a measurement, into the run and the folder of the exports."""
        if self.record:
            self.record.keep(contents)
        if self.exports:
            write_artifacts(self.exports.folder, contents)
        if self.event_file:
            self.event_file.show(measured, contents)

    def _log(self, member: int, measured: Measured) -> None:
        if self.record:
            self.record.log(member, measured)
        if self.event_file:
            self.event_file.log(measured)


def check_new(folder: Path, *, place: str) -> None:
    """Refuse the folder of a name that has the files of another run, unless that run is to go on.

    Raises:
        StudyError: it has; begins with `place`.
    """
    if (folder / CONFIG_FILE).exists() and not (folder / STATE).exists():
        raise StudyError(f"{place}: {folder} has the files of another run; give another name or remove it")


def _running_exports(options: ByHand, config: BaseModel) -> RunningExports | None:
    if options.output is None:
        return None
    return RunningExports(folder=options.output, config=config.model_dump(mode="json"), clock=time.perf_counter)


def _event_file(study: Study, config: BaseModel, options: ByHand, record: RunRecord | None) -> EventFile | None:
    """The event_file for TensorBoard where one is asked for: the same one where the same run goes on."""
    if record is None or not options.is_mirrored:
        return None
    folder = (options.output or Path()) / FOLDER / f"{study.name}-{record.run_id[-12:]}"
    return EventFile(folder, flatten(config), started_seconds=time.time())


def _checkpoint(study: Study, config: BaseModel, options: ByHand) -> Checkpoint | None:
    """Where checkpoints go. Refuses folders that cannot be used now, not after hours of training."""
    for folder in filter(None, (options.checkpoint_folder, options.output)):
        check_writable(folder)
    if options.checkpoint_folder is None:
        return None
    checkpoint = Checkpoint(folder=options.checkpoint_folder, every_seconds=options.checkpoint_seconds)
    checkpoint.load(study.name, [config])  # refuses another config's
    return checkpoint


def _open_record(study: Study, config: BaseModel, options: ByHand, data_digest: str | None, root: Path) -> RunRecord:
    from rothamsted.studies.run_record import (
        checkpoint_key,
        open_record,  # imports MLflow: seconds that --help need not wait for
    )

    folder = options.checkpoint_folder
    named = {"mlflow.runName": options.name} if options.name else {}
    return open_record(
        name=options.name or study.name,
        params=flatten(config),
        tags=study_tags(study, data_digest) | named,
        root=root,
        clock=time.perf_counter,
        make_key=(lambda: checkpoint_key(folder, study, config)) if folder else None,
    )


def _export(folder: Path, config: BaseModel, ending: Ending) -> None:
    write_exports(folder, config.model_dump(mode="json"), ending)


def _announce(display: Display, record: RunRecord | None) -> None:
    if record is None:
        display.say("nothing is saved (--no-save)")
    else:
        display.say(f"{'going on with' if record.is_resumed else 'logging to'} run {record.run_id}")


def _close(options: ByHand, record: RunRecord | None, ending: Ending, display: Display) -> None:
    """After the run is on record: forget a run that has ended, say where everything is."""
    is_over = ending.outcome in (Outcome.FINISHED, Outcome.DIVERGED)
    if record and options.checkpoint_folder and is_over:
        from rothamsted.studies.run_record import forget

        forget(options.checkpoint_folder)
    if record:
        from rothamsted.tracking import run_link, ui_command

        display.say(f"see it: {ui_command(record.tracking_uri)}")
        display.say(f"    at: {run_link(record.tracking_uri, record.experiment_id, record.run_id)}")
    if options.output:
        display.say(f"files: {options.output}")
    if options.is_mirrored:
        display.say(f"in TensorBoard: tensorboard --logdir {(options.output or Path()) / FOLDER}")
    if options.checkpoint_folder and not is_over:
        display.say("go on: start the same command again")


def _tell_stopping(signal_name: str) -> None:
    message = f"{signal_name}: stopping after the next measurement; send it again to stop at once"
    print(printable(message), file=sys.stderr, flush=True)


def _exit_status(ending: Ending, request: StopRequest) -> int:
    if ending.outcome is Outcome.INTERRUPTED:
        return 128 + (request.signal_number or 2)  # without a request it was a KeyboardInterrupt
    if ending.outcome is not Outcome.FAILED:
        return 0
    if ending.is_user_error:
        print(error_line(ending.reason), file=sys.stderr)
        return USER_ERROR
    print(printable(ending.traceback) or error_line(ending.reason), file=sys.stderr)
    return FAILURE
