"""Which measurements of a curve count for the objective."""

from __future__ import annotations

from rothamsted.records import Ending, Measured, Outcome
from rothamsted.search import Claimed
from rothamsted.sweep.trial import TrialRun
from tests.sweep.conftest import Project


def ending_of(losses: dict[int, float]) -> Ending:
    history = tuple(
        Measured(step=step, epoch=None, seconds=0.0, metrics={"val_loss": loss}, timestamp_ms=0)
        for step, loss in losses.items()
    )
    return Ending(outcome=Outcome.FINISHED, history=history, seconds=0.0)


def test_a_measurement_before_the_first_update_does_not_count(project: Project) -> None:
    context = project.start()
    claimed = Claimed(trial_id=1, number=0, condition={}, attributes={}, is_continued=False)
    trial = TrialRun.open(context, claimed)
    assert trial._curve(ending_of({0: 2.3, 5: 2.9, 10: 2.6})) == [2.9, 2.6]
    assert trial._curve(ending_of({0: 2.3})) == [2.3]
