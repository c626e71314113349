from rothamsted.calls.analyzed import analyze as analyze
from rothamsted.calls.compared import compare as compare
from rothamsted.calls.described import Sweep as Sweep
from rothamsted.calls.loaded import load as load
from rothamsted.calls.loaded import sweeps as sweeps
from rothamsted.calls.result import Result as Result
from rothamsted.calls.run import sweep as sweep
from rothamsted.calls.spaces import choice as choice
from rothamsted.calls.spaces import integers as integers
from rothamsted.calls.spaces import loguniform as loguniform
from rothamsted.calls.spaces import uniform as uniform
from rothamsted.errors import UserError as UserError
from rothamsted.metric import Metric as Metric
from rothamsted.reported import report as report
from rothamsted.studies.function import study as study
from rothamsted.studies.tracker import Tracker as Tracker

__version__: str
__all__: list[str]
