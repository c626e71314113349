"""Write a sweep into an experiment log: at its end, or on request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rothamsted.analysis.analyze import QUICK, analyze, settings_of
from rothamsted.analysis.values import Dataset
from rothamsted.publish.experiment_log.log_file import write_section
from rothamsted.publish.experiment_log.section import section_of
from rothamsted.publish.exported.parts import check_results


def log_sweep(
    path: Path,
    dataset: Dataset,
    *,
    uri: str,
    fixed: Mapping[str, Any],
    hypothesis: str | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> bool:
    """Write the section of a sweep, and return whether the log has changed.

    Every caller gets the same parts, so that the same result gives the same text.

    Args:
        path: of the log.
        dataset: of the sweep, from its search or its record.
        uri: tracking URI.
        fixed: dotted parameter -> value, the same in every condition.
        hypothesis: None: the one in the log, else the sweep file's question.
        defaults: dotted parameter -> default of what is trained; None: not known.

    Raises:
        UserError: there is no result, or the log cannot be written.
    """
    check_results(dataset, "experiment log")
    analysis = analyze(dataset, settings_of(dataset.statistics), parts=QUICK)
    analysis = replace(analysis, dataset=replace(analysis.dataset, fixed=fixed))
    return write_section(path, section_of(analysis, uri=uri, hypothesis=hypothesis, defaults=defaults))
