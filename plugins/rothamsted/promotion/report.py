"""The report of a sweep written anew, with the verdicts on its winners.

Apart from promoting, which is done when this begins: drawing takes seconds, needs no lock and moves nothing.
"""

from __future__ import annotations

from rothamsted.analysis.analyze import Settings
from rothamsted.promotion.evidence.of_sweep import Candidates
from rothamsted.publish.verdicts import publish_verdicts


def write_report(candidates: Candidates, *, uri: str) -> None:
    """Write the report of the candidates' sweep, unless it shows every verdict on record already."""
    how = candidates.sweep.statistics
    settings = Settings(level=how.level, interval=how.interval, correction=how.correction)
    publish_verdicts(candidates.run.run_id, settings, uri=uri)
