"""Prepare a `command` of a sweep file: find it on this machine, and make its arguments for one replicate."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rothamsted.foreign.process import LaunchError
from rothamsted.given_files import read_given
from rothamsted.named_files import is_file
from rothamsted.spec.command import Command, nested, read_command

CONFIG_FILE, OUTPUT_FOLDER = "config.json", "output"  # in the scratch folder of a replicate


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """Holds a command and the folder that it runs in. It has the interface of `tracking.projects.Project`.

    Attributes:
        command: with its placeholders.
        folder: where it runs, absolute.
        seed: the parameter that has the seed; None: it takes none.
    """

    command: Command
    folder: Path
    seed: str | None

    @property
    def title(self) -> str:
        """Name the command as messages do."""
        return f"command {self.command.script}"

    @property
    def study_name(self) -> str:
        """Return what is recorded as the study: the script."""
        return self.command.script

    @property
    def source_tags(self) -> dict[str, str]:
        """Say where the numbers are from, for the record."""
        return {"rothamsted.command": self.command.text, "mlflow.source.name": self.source_name}

    @property
    def source_name(self) -> str:
        """Return what MLflow shows as the source of a run: the script."""
        return self.command.script

    @property
    def not_passed_on(self) -> tuple[str, ...]:
        """Return no parameters: the sweep file's check lets none without effect through."""
        return ()

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the command's text and the script's content."""
        digest = hashlib.sha256(self.command.text.encode())
        if (path := self._script_file()) is not None:
            digest.update(read_given(path, way_out="give the script of the command"))
        return digest.hexdigest()

    def check(self, values: Mapping[str, Any]) -> None:
        """Refuse a command that cannot be started with such values.

        Raises:
            LaunchError: no such program or script.
            CommandError: a placeholder has no value of its kind.
        """
        self._arguments(values, Path("/"))
        program, *others = self.command.plain_words
        if shutil.which(program, path=None if "/" not in program else str(self.folder)) is None and not is_file(
            self.folder / program
        ):
            raise LaunchError(f"command: there is no program {program!r} on the path; install it, or give its path")
        script = self.command.script
        if script in others and "-m" not in others and not is_file(self.folder / script):
            where = f"{self.folder}, where the command runs"
            raise LaunchError(f"command: there is no file {script!r} in {where}; go to its folder, or correct the path")

    def config_text(self, values: Mapping[str, Any]) -> str:
        """Write the parameters of one replicate as JSON: dotted names as objects if the command reads the file."""
        return json.dumps(nested(values) if self.command.has_config else dict(values), indent=2) + "\n"

    def launched(self, values: Mapping[str, Any], scratch: Path, prefix: str = "") -> list[str] | str:
        """Return the argument list of one replicate, with the files that it names.

        Args:
            values: the parameters, the seed among them.
            scratch: a folder of the replicate alone, absolute.
            prefix: nothing: a command has no environment of its own.
        """
        if self.command.has_config:
            text = self.config_text(values)
            scratch.mkdir(parents=True, exist_ok=True)
            (scratch / CONFIG_FILE).write_text(text, encoding="utf-8")
        if self.command.has_output:
            (scratch / OUTPUT_FOLDER).mkdir(parents=True, exist_ok=True)
        return self._arguments(values, scratch)

    def check_environment(self, manager: str | None = None) -> None:
        """Check nothing: it runs in the environment that is there."""

    def environment_prefix(self, manager: str | None = None) -> str:
        """Return nothing: it runs in the environment that is there."""
        return ""

    # ---- within ----

    def _arguments(self, values: Mapping[str, Any], scratch: Path) -> list[str]:
        config, output = scratch / CONFIG_FILE, scratch / OUTPUT_FOLDER
        return self.command.arguments(values, seed=self.seed, config=config, output=output)

    def _script_file(self) -> Path | None:
        """The file of the script, or of the module after -m; None where it is not in the folder."""
        script = self.command.script
        parts = script.split(".")
        module = Path(*parts)
        found = [Path(script)]
        if "-m" in self.command.plain_words:
            found = [module.with_name(f"{module.name}.py"), module / "__main__.py"]
        return next((self.folder / path for path in found if is_file(self.folder / path)), None)


def open_command(text: str, folder: Path, seed: str | None) -> CommandLine:
    """Return the command of a sweep file.

    Args:
        text: as it stands there.
        folder: where it runs.
        seed: the parameter that has the seed.

    Raises:
        CommandError: it cannot be read.
    """
    return CommandLine(command=read_command(text), folder=folder.resolve(), seed=seed)
