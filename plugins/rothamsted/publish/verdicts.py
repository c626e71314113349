"""Write a sweep's report again after a promotion, with the verdict.

Tables, metrics and description stay as they are.
"""

from __future__ import annotations

from rothamsted import tracking
from rothamsted.analysis.analyze import analyze, settings_of
from rothamsted.analysis.read_promotions import read_promotions
from rothamsted.analysis.read_sweep import read_sweep
from rothamsted.publish.pages import REPORT, report_html, write_page
from rothamsted.publish.published import say_page_is_new
from rothamsted.reporting.sections.promotion_verdicts import anchor
from rothamsted.spec import Sweep


def publish_verdicts(run_id: str, sweep: Sweep, *, uri: str) -> bool:
    """Write the report of a sweep again, unless it shows every recorded verdict already.

    Args:
        run_id: Of the sweep's run.
        sweep: Its file, which says how it is analysed.
        uri: Tracking URI.

    Returns:
        Whether it was written.
    """
    page = tracking.read_text(run_id, REPORT, uri=uri) or ""
    if all(f'id="{anchor(one)}"' in page for one in read_promotions(run_id, uri=uri)):
        return False
    html = report_html(analyze(read_sweep(run_id, uri=uri), settings_of(sweep.statistics)))
    with tracking.open_recorder(uri) as recorder:
        write_page(recorder, run_id, html)
        say_page_is_new(recorder, run_id, uri=uri, was=page)
    return True
