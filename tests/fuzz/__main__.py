"""Mutate what people write and hand over, and see that each case is refused in one line or accepted whole.

    python -m tests.fuzz --cases 20000 --seed 0
    python -m tests.fuzz --only "sweep files" --case 137 --keep found

The seeds of each kind are run as they are, then so many mutants. A table says what came of them; each fault is a line
with the number of its case, and with `--keep` a file. The exit status is 1 if there was any. Linux only.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.fuzz.harness import Kind, Tally, case_of, kinds, run_kind

HEAD = ("kind", "cases", "accepted", "refused", "faults", "seconds", "slowest")


def main() -> int:
    """Do what was asked for; 1: a case was neither accepted nor refused as it must be."""
    known = kinds()
    options = _options(known)
    chosen = [known[name] for name in options.only or known]
    if options.case is not None:
        sys.stdout.buffer.write(_bytes(case_of(chosen[0], options.seed, options.case)))
        return 0
    tallies = []
    for kind in chosen:
        tallies.append(run_kind(kind, seed=options.seed, n_cases=options.cases))
        _say_faults(kind, tallies[-1], options)
    _print_table(tallies)
    if options.table:
        options.table.write_text(json.dumps([asdict(one) for one in tallies]), encoding="utf-8")
    return 1 if any(one.faults for one in tallies) else 0


def _options(known: Any) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, default=500, help="mutants of each kind")
    parser.add_argument("--seed", type=int, default=0, help="equal seeds give equal cases")
    parser.add_argument("--only", nargs="*", metavar="KIND", choices=list(known), help=f"of {', '.join(known)}")
    parser.add_argument("--case", type=int, help="print the input of this case of the one kind, and run nothing")
    parser.add_argument("--keep", type=Path, help="folder for the input of each fault")
    parser.add_argument("--table", type=Path, help="write what came of it as JSON, too")
    return parser.parse_args()


def _say_faults(kind: Kind, tally: Tally, options: argparse.Namespace) -> None:
    for one in tally.faults:
        print(f"{kind.name} --seed {options.seed} --case {one.case}: {one.verdict}\n    {one.line}\n    {one.shown}")
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            name = f"{kind.name.replace(' ', '-')}-{options.seed}-{one.case}"
            (options.keep / name).write_bytes(_bytes(case_of(kind, options.seed, one.case)))
    sys.stdout.flush()


def _print_table(tallies: list[Tally]) -> None:
    rows = [HEAD]
    for one in tallies:
        n_cases = one.accepted + one.refused + len(one.faults)
        numbers = (n_cases, one.accepted, one.refused, len(one.faults))
        rows.append((one.kind, *map(str, numbers), f"{one.seconds:.1f}", f"{one.slowest:.2f}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _bytes(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    return (content if isinstance(content, str) else repr(content)).encode("utf-8", "surrogateescape")


if __name__ == "__main__":
    sys.exit(main())
