"""Describe what each command takes: its words, its keys and their meaning. Help, completion and errors use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rothamsted.cli.shared_keys import FIGURES, HOW, OUT, PLOTS, RUNS


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Says what a command takes.

    Attributes:
        does: in one line.
        keys: key -> meaning.
        words: keys that words without a key fill, in this order.
        several: what several words of the last kind mean: none may be given; the command is run once for `each`; or
            it takes them `together`, joined by commas.
        switches: keys that are true or false -> what the bare option says: `--yes` is yes=true, `--no-save` save=false.
        takes_command: whether a command may follow after --.
        others: which other keys are taken, in words; empty: none.
        example: what follows the command's name.
        completes: what the words name, for completion: file, sweep, command, key, study, shell, or nothing.
    """

    does: str
    keys: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    several: Literal["", "each", "together"] = ""
    switches: Mapping[str, bool] = field(default_factory=dict)
    takes_command: bool = False
    others: str = ""
    example: str = ""
    completes: str = ""

    def written(self, key: str) -> str:
        """Write a key as help does: `level`, or `--no-save` of a switch."""
        if key not in self.switches:
            return key
        return option(key if self.switches[key] else f"no_{key}")


def option(key: str) -> str:
    """Write a key as an option: if_exists is --if-exists."""
    return f"--{key.replace('_', '-')}"


# What every command takes, as bare options only: a sweep's keys are open, and may have the same names.
COMMON: Mapping[str, tuple[tuple[str, ...], str]] = {
    "help": (("-h", "--help"), "this text"),
    "json": (("--json",), "the result as JSON on standard output, words on standard error"),
    "quiet": (("-q", "--quiet"), "print no words, only results and errors"),
    "verbose": (("-v", "--verbose"), "print what the libraries log, and the traceback of an error"),
}
_FILE = "every key of the sweep file (trials, execution.workers, …) and every parameter of the study"
_STORAGE = "the search database; by default optuna.db beside the tracking store"
_POLICY = "the policy file; by default the one in registry/ for this model"

USAGES: Mapping[str, Usage] = {
    "sweep": Usage(
        does="Run a sweep, or go on with it.",
        keys={
            "config": "the sweep file, or the name of one below sweeps/, such as batch_size/fixed_batch; by default "
            "sweeps/quickstart.yaml",
            "command": "what trains one replicate, with placeholders; also written last, after --",
            "all": "a folder: run each sweep file in it, one after the other",
            "if_exists": "what to do if a sweep of this name exists: resume (refuses changed code), new (takes a free "
            "name), or resume_with_changed_code",
            "save": "leave nothing behind: the databases are temporary ones",
        },
        words=("config",),
        takes_command=True,
        several="each",
        switches={"save": False},
        others=_FILE,
        example="sweeps/quickstart.yaml trials=20 execution.workers=1",
        completes="file",
    ),
    "check": Usage(
        does="Validate a sweep file, train one replicate to see how long it takes, and print the plan.",
        keys={
            "config": "the sweep file, or the name of one below sweeps/",
            "all": "all sweep files of this folder, one after the other",
            "time": "train nothing",
        },
        words=("config",),
        takes_command=True,
        several="each",
        switches={"time": False},
        others=_FILE,
        example="sweeps/quickstart.yaml",
        completes="file",
    ),
    "init": Usage(
        does="Write a sweep file to start from, for a study of this folder or from a file of Optuna, W&B or Hydra.",
        keys={
            "source": "a study's name, a script, or the file to translate; by default what is found here",
            "from": "the tool whose file is translated: optuna (a script or a storage), wandb or hydra",
            "study": "the name of a study in an Optuna storage (sqlite:///old.db); by default the only one",
            "output": "the file to write; by default NAME.yaml. An existing file is not overwritten",
        },
        words=("source",),
        example="sweep.yaml from=wandb output=sweeps/mine.yaml",
        completes="file",
    ),
    "explain": Usage(
        does="Say what a key of the sweep file means: its type, its default, an example. Without a key: all keys.",
        keys={"key": "a key of the sweep file, such as replicates.racing; by default all"},
        words=("key",),
        several="each",
        example="confirm.replicates",
        completes="key",
    ),
    "train": Usage(
        does="Train a study once, by hand.",
        keys={
            "study": "its name in MLproject, or a script's function, train.py:train",
            "config": "YAML or JSON file of fields",
            "name": "the name of the run, and of its folder runs/NAME",
            "output": "the folder for the run's files, if not runs/NAME",
            "save": "leave nothing behind: no MLflow run, no files",
            "multirun": "or -m: lr=0.1,0.2 n=1,2 trains every combination, one after the other; hydra/sweeper=optuna "
            "searches 'lr=interval(0,1)' by TPE",
            "cfg": "job: print the config, train nothing",
        },
        words=("study",),
        switches={"save": False, "multirun": True},
        others="every field of the study; rothamsted train STUDY --help lists them",
        example="batch_size optimizer.lr=0.1",
        completes="study",
    ),
    "worker": Usage(
        does="Work on a sweep that was started before, from any machine, until nothing is left.",
        keys={
            "sweep": "its name",
            "storage": _STORAGE,
            "wait": "how long to wait for the sweep to be started, such as 60s; by default not at all",
        },
        words=("sweep",),
        example="quickstart storage=postgresql+psycopg://host/optuna",
        completes="sweep",
    ),
    "list": Usage(
        does="List the sweep files of the project, with question and cost, and the sweeps of both databases: state, "
        "conditions that ended, the best so far, when they began.",
        keys={
            "state": "show only sweeps in these states, a,b: running, finished, unfinished, failed",
            "storage": _STORAGE,
        },
        example="state=running",
    ),
    "status": Usage(
        does="Show how far sweeps are: what is done, what runs, the expected end, and the best condition so far.",
        keys={
            "sweep": "its name, or the id of its run",
            "watch": "show it again and again until the sweep is over",
            "storage": _STORAGE,
        },
        words=("sweep",),
        several="each",
        switches={"watch": True},
        example="quickstart --watch",
        completes="sweep",
    ),
    "open": Usage(
        does="Open a sweep in the browser: start MLflow's UI and optuna-dashboard on its databases, until Ctrl-C.",
        keys={
            "sweep": "its name, or the id of its run; by default the list of experiments is opened",
            "port": "the port of MLflow's UI; optuna-dashboard gets the next one; by default free ports",
            "storage": _STORAGE,
            "browser": "open no page, only print the addresses",
        },
        words=("sweep",),
        switches={"browser": False},
        example="quickstart",
        completes="sweep",
    ),
    "delete": Usage(
        does="Delete sweeps from both databases, with all stages, confirmations and contests, after listing them.",
        keys={"sweep": "names of sweeps, a,b", "storage": _STORAGE, "yes": "do not ask"},
        words=("sweep",),
        several="together",
        switches={"yes": True},
        example="before after --yes",
        completes="sweep",
    ),
    "doctor": Usage(
        does="Check both databases and the artifacts against each other, and repair what can be repaired.",
        keys={
            "sweep": "names of sweeps, a,b; by default all, and what belongs to no sweep",
            "repair": "repair what can be repaired, after listing it",
            "folders": "with repair: also delete folders of artifacts of no run here; another store may need them",
            "yes": "do not ask",
            "storage": _STORAGE,
        },
        words=("sweep",),
        several="together",
        switches={"repair": True, "folders": True, "yes": True},
        example="--repair",
        completes="sweep",
    ),
    "prune": Usage(
        does="Remove checkpoints and left-over files that nothing needs any more, after listing them.",
        keys={
            "sweep": "names of sweeps, a,b; by default all, and the folders of deleted sweeps",
            "dry_run": "only list what would be removed",
            "yes": "do not ask",
            "storage": _STORAGE,
        },
        words=("sweep",),
        several="together",
        switches={"dry_run": True, "yes": True},
        example="--dry-run",
        completes="sweep",
    ),
    "analyze": Usage(
        does="Compute all statistics of a sweep, or of any runs, again, and write them to MLflow. Trains nothing.",
        keys={**RUNS, **HOW, **PLOTS, **OUT},
        words=("sweep",),
        several="each",
        example="quickstart level=0.9",
        completes="sweep",
    ),
    "report": Usage(
        does="Write the report of a sweep, or of any runs, as one HTML page; with format=pdf its plots as figures.",
        keys={
            **RUNS,
            "all": "report every sweep: a page for each, and an index",
            **HOW,
            **PLOTS,
            **OUT,
            **FIGURES,
        },
        words=("sweep",),
        several="each",
        switches={"all": True},
        example="quickstart plots=forest,curves format=pdf folder=figures",
        completes="sweep",
    ),
    "export": Usage(
        does="Write all of a sweep, or of any runs, into a folder: tables (CSV, Parquet), JSON, a copy of its Optuna "
        "study, tables, methods and BibTeX for a paper, figures (PDF), answers to the NeurIPS checklist.",
        keys={
            **RUNS,
            **HOW,
            "folder": "the folder to write to; by default export/NAME. Each of several sweeps gets a folder in it",
            "only": "write only these parts, a,b: results, tables, study, paper, figures",
            "names": "YAML or JSON file of other names for fields, conditions and plots in the part results",
        },
        words=("sweep",),
        several="together",
        example="quickstart folder=results",
        completes="sweep",
    ),
    "experiment_log": Usage(
        does="Write a sweep into the experiment log: hypothesis, what was changed, result with intervals and verdict.",
        keys={
            "sweep": "its name, or the id of its run",
            "hypothesis": "what was expected; by default the question at the top of the sweep file",
            "log": "the Markdown file; by default the sweep file's key log, else EXPERIMENT_LOG.md",
        },
        words=("sweep",),
        example="quickstart hypothesis='the best rate grows with gamma'",
        completes="sweep",
    ),
    "compare": Usage(
        does="Put runs or sweeps side by side, and compare the others with the first.",
        keys={
            "runs": "names of sweeps, names or ids of runs, a,b,c",
            "names": "what they are called on the page, A,B,C; by default their own names",
            "metric": "the metric to compare; by default the objective that they have in common",
            **{key: RUNS[key] for key in ("direction", "reduce")},
            **HOW,
            "folder": "folder for the page; by default reports",
        },
        words=("runs",),
        several="together",
        example="before after",
        completes="sweep",
    ),
    "power": Usage(
        does="Say how many replicates are needed to see a difference, from the spread of a sweep that ran.",
        keys={
            **RUNS,
            "difference": "the difference to see, in units of the objective",
            "over_seeds": HOW["over_seeds"],
            "power": "the share of studies that should see it, such as 0.8",
            "level": HOW["level"],
        },
        words=("sweep",),
        example="quickstart difference=0.01",
        completes="sweep",
    ),
    "reproduce": Usage(
        does="Train recorded runs again with the code of their commit, and say whether they give the same.",
        keys={
            "run": "ids of runs, a,b: of a replicate, of a trial (all its replicates), of a sweep (its winner)",
            "sweep": "name of a sweep: the replicates of its best condition",
            "code": "recorded: as it was, in a worktree of git if the commit is another; present: as it is here",
            "rtol": "relative difference that counts as equal; by default that of the study, or 0 for a command",
        },
        words=("run",),
        several="together",
        example="sweep=quickstart",
    ),
    "import_runs": Usage(
        does="Bring runs that another tool has recorded into MLflow: TensorBoard, W&B, Optuna, Hydra, Ray Tune, "
        "tables, folders. Importing the same again adds nothing.",
        keys={
            "source": "a folder, a file, the address of a database, or the http(s)://… address of a file",
            "experiment": "the MLflow experiment for the runs; by default imported-KIND",
            "kind": "what the source is, such as tensorboard; by default it is detected",
            "dry_run": "write nothing, only show what would be written",
            "checksum": "SHA-256 that the file must have",
            "study": "of Optuna: the name of the study; by default the only one",
            "group": "of W&B: the group of runs",
            "run_by": "of a table: the columns that tell runs apart, a,b, if a run has several rows",
            "step_by": "the column or key of the step",
            "params": "of a table: the columns that are parameters, a,b",
            "metrics": "of a table: the columns that are metrics, a,b",
            "time_zone": "time zone of times that name none: UTC, local, or a name such as Europe/London; by default "
            "UTC",
        },
        words=("source",),
        several="each",
        switches={"dry_run": True},
        example="logs/ experiment=before",
        completes="file",
    ),
    "promote": Usage(
        does="Judge the confirmed winner of a sweep by a policy, and make it the champion if the policy accepts it.",
        keys={
            "sweep": "name of a sweep, or id of its run",
            "policy": "the policy file; by default the one in registry/ for this study",
            "dry_run": "write and train nothing",
            "allow_policy": "allow a policy from outside registry/; the verdict says so",
            "replicates": "how many fresh common seeds; by default as many as the policy says",
            "storage": "where champion and challengers are compared; by default the sweep's, without its password",
        },
        words=("sweep",),
        switches={"dry_run": True, "allow_policy": True},
        example="quickstart --dry-run",
        completes="sweep",
    ),
    "rollback": Usage(
        does="Make the previous champion of a registered model the champion again.",
        keys={
            "model": "the name of the model in the registry",
            "reason": "why; it is kept with the change",
            "policy": _POLICY,
        },
        words=("model",),
        example="batch_size 'reason=wrong data'",
    ),
    "registry": Usage(
        does="Print the history of a registered model: versions, verdicts, champions.",
        keys={"model": "the name of the model in the registry", "policy": _POLICY},
        words=("model",),
        example="batch_size",
    ),
    "prepare_data": Usage(
        does="Make the data file of a data set.",
        keys={
            "dataset": "the name of the data set",
            "source": "the file, folder or address to read",
            "target": "the file to write",
        },
        words=("dataset",),
        others="the options of the data set",
        example="mnist source=folder",
    ),
    "completion": Usage(
        does="Print the script that completes commands, keys and names of sweeps in your shell.",
        keys={"shell": "bash, zsh or fish"},
        words=("shell",),
        example="bash",
        completes="shell",
    ),
}
