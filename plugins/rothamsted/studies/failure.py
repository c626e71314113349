"""Describe a training that raised: one line, and the traceback."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from rothamsted.errors import UserError, raised
from rothamsted.masking import masked
from rothamsted.printable import traceback_of
from rothamsted.studies.contract import Study
from rothamsted.studies.device_memory import is_out_of_memory

_ENGINE = str(Path(__file__).parent.parent)


def failure_of(error: BaseException, study: Study) -> dict[str, Any]:
    """Return reason, traceback, whether the user can mend it, and whether memory was short, as an ending has them.

    Of a function the traceback begins in the user's own code, and the reason ends with the file and the line.
    """
    is_user_error = isinstance(error, study.user_errors)
    text = masked(" ".join(str(error).split()))
    reason = text if is_user_error else raised(error)
    common = {"is_user_error": is_user_error, "is_out_of_memory": is_out_of_memory(error)}
    if study.function is None:
        return {"reason": reason, "traceback": traceback_text(error), **common}
    if isinstance(error, UserError):  # of the engine, about what the function gave
        return {"reason": text, "traceback": "", "is_user_error": True}
    error = error.with_traceback(_without_engine(error.__traceback__))
    return {
        "reason": f"{reason}{_place(error, study)}",
        "traceback": traceback_text(error),
        **common,
    }


def traceback_text(error: BaseException) -> str:
    """Return the traceback as Python prints it."""
    return traceback_of(error)


def _without_engine(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame outside of the engine on; whole where there is none."""
    inner = trace
    while inner is not None and inner.tb_frame.f_code.co_filename.startswith(_ENGINE):
        inner = inner.tb_next
    return inner or trace


def _place(error: BaseException, study: Study) -> str:
    """The last line of the function's own file that the traceback passes."""
    code = getattr(study.function.call, "__code__", None) if study.function is not None else None
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if code and f.filename == code.co_filename]
    return f" ({Path(code.co_filename).name}, line {lines[-1]})" if code and lines else ""
