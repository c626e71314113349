"""Read the runs of a project on a W&B server by the queries of W&B's own package, with the user's key.

The history is read in full, and its length is compared with the server's count.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from rothamsted.errors import DataError, StoreError, raised
from rothamsted.importing.values import ImportedRun
from rothamsted.importing.wandb.server import WandbServer
from rothamsted.importing.wandb.taken import WandbRun, imported, parsed, points_of_row
from rothamsted.records import MetricPoint, RunStatus

T = TypeVar("T")
SCHEME = "wandb://"
_ADDRESS = re.compile(r"wandb://(?P<entity>[^/\s]{1,128})/(?P<project>[^/\s]{1,128})(?:/(?P<run>[^/\s]{1,128}))?/?")
_PAGE = 50  # runs
_ROWS = 1000  # of a page of history, as W&B's own package asks for; of one with gaps between steps, about as many
_MOST_ROWS = 1_000_000  # that a page is asked for
_STATES = {
    "finished": RunStatus.FINISHED,
    "running": RunStatus.RUNNING,
    "pending": RunStatus.RUNNING,
    "failed": RunStatus.FAILED,
    "crashed": RunStatus.FAILED,
    "killed": RunStatus.KILLED,
    "preempting": RunStatus.KILLED,
    "preempted": RunStatus.KILLED,
}
_RUNS = """
query Runs($project: String!, $entity: String!, $cursor: String, $perPage: Int = 50, $order: String,
           $filters: JSONString) {
    project(name: $project, entityName: $entity) {
        runs(filters: $filters, after: $cursor, first: $perPage, order: $order) {
            edges {
                node {
                    name
                    displayName
                    state
                    config
                    group
                    jobType
                    sweepName
                    tags
                    notes
                    createdAt
                    heartbeatAt
                    summaryMetrics
                    historyLineCount
                    historyKeys
                    user { username }
                }
                cursor
            }
            pageInfo { endCursor hasNextPage }
        }
    }
}
"""
_HISTORY = """
query HistoryPage($entity: String!, $project: String!, $run: String!, $minStep: Int64!, $maxStep: Int64!,
                  $pageSize: Int!) {
    project(name: $project, entityName: $entity) {
        run(name: $run) {
            history(minStep: $minStep, maxStep: $maxStep, samples: $pageSize)
        }
    }
}
"""


def matches(address: str) -> bool:
    """Say whether an address is one of a project of W&B."""
    return address.startswith(SCHEME)


def read(address: str, options: Mapping[str, str]) -> Iterator[ImportedRun]:
    """Yield the runs of `wandb://ENTITY/PROJECT`, oldest first, or the run of `wandb://ENTITY/PROJECT/RUN`.

    Args:
        address: as above.
        options: `group`: only the runs of this group.

    Raises:
        DataError: there is no such project, run or group.
        StoreError: there is no key, the server refuses it, or cannot be reached.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise DataError(f"{address}: is not a project of W&B; write {SCHEME}ENTITY/PROJECT")
    entity, project, run = found["entity"], found["project"], found["run"]
    filters = {"group": group} if (group := options.get("group")) else {}
    filters |= {"name": run} if run else {}
    server = WandbServer.of_environment(address)
    n_found = 0
    nodes = (_run(server, entity, project, node) for node in _nodes(server, entity, project, filters))
    for one in _in_form(server, nodes):
        n_found += 1
        yield one
    if not n_found and filters:
        what = " and ".join(f"{'group' if key == 'group' else 'id'} {value!r}" for key, value in filters.items())
        raise DataError(f"{address}: has no run of {what}; names count letter by letter")


def _nodes(server: WandbServer, entity: str, project: str, filters: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """The runs as the server has them, each once, though others begin while pages are turned."""
    seen: set[str] = set()
    cursor: str | None = None
    while True:
        given = {"entity": entity, "project": project, "cursor": cursor, "perPage": _PAGE, "order": "+created_at"}
        answer = server.ask(_RUNS, {**given, "filters": filters})
        place = answer.get("project")
        if place is None:
            raise DataError(
                f"{SCHEME}{entity}/{project}: there is no such project, or the key may not see it; give another"
            )
        runs = place.get("runs") or {}
        new = [edge["node"] for edge in runs.get("edges") or [] if edge["node"]["name"] not in seen]
        for node in new:
            seen.add(node["name"])
            yield node
        page = runs.get("pageInfo") or {}
        if not page.get("hasNextPage") or not new or not page.get("endCursor"):
            return
        cursor = page["endCursor"]


def _run(server: WandbServer, entity: str, project: str, node: Mapping[str, Any]) -> ImportedRun:
    notes: list[str] = []
    state = _STATES.get(str(node.get("state")))
    if state is None:
        notes.append(f"its state {node.get('state')!r} is not known here; it is taken as FAILED")
    config = _mapping(node.get("config"))
    facts = WandbRun(
        run_id=str(node["name"]),
        entity=entity,
        project=project,
        name=str(node.get("displayName") or ""),
        group=str(node.get("group") or ""),
        job_type=str(node.get("jobType") or ""),
        sweep=str(node.get("sweepName") or ""),
        user=str((node.get("user") or {}).get("username") or ""),
        notes=str(node.get("notes") or ""),
        tags=[str(tag) for tag in node.get("tags") or []],
        config={key: one["value"] if _is_wrapped(one) else one for key, one in config.items()},
        summary=_mapping(node.get("summaryMetrics")),
        state=state or RunStatus.FAILED,
        start_ms=_ms(node.get("createdAt")),
        n_rows=_count(node.get("historyLineCount")),
    )
    facts.first_ms = facts.start_ms
    facts.last_ms = _ms(node.get("heartbeatAt"))
    facts.revision = f"{node.get('state')} {node.get('heartbeatAt')} {facts.n_rows}"
    last = _count((node.get("historyKeys") or {}).get("lastStep", -1))
    return imported(facts, _in_form(server, _history(server, facts, notes, last_step=last)), notes)


def _in_form(server: WandbServer, found: Iterable[T]) -> Iterator[T]:
    """What is read of answers; one of another form than W&B's is one line.

    Raises:
        StoreError: an answer lacks what is needed, or has it as something else.
    """
    try:
        yield from found
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        reason = f"{server.url} answers in another form than W&B's ({raised(error)})"
        raise StoreError(f"{server.place}: {reason}; see WANDB_BASE_URL") from error


def _history(server: WandbServer, facts: WandbRun, notes: list[str], *, last_step: int) -> Iterator[MetricPoint]:
    """All rows: as many are asked for as there are steps in a page, so that none is left out as a sample."""
    width = max(_ROWS, math.ceil((last_step + 1) / max(1, facts.n_rows) * _ROWS))  # steps
    n_found = 0
    for first in range(0, last_step + 1, width):
        for row in _page(server, facts, first, first + width):
            if first <= row["_step"] < first + width:
                n_found += 1
                yield from points_of_row(row, facts)
    if n_found < facts.n_rows and facts.state is not RunStatus.RUNNING:
        notes.append(f"the server gave {n_found} of the {facts.n_rows} rows that its history has")


def _page(server: WandbServer, facts: WandbRun, first: int, end: int) -> list[dict[str, Any]]:
    given = {"entity": facts.entity, "project": facts.project, "run": facts.run_id}
    answer = server.ask(_HISTORY, {**given, "minStep": first, "maxStep": end, "pageSize": min(end - first, _MOST_ROWS)})
    run = (answer.get("project") or {}).get("run")
    if run is None:
        raise DataError(
            f"{SCHEME}{facts.entity}/{facts.project}/{facts.run_id}: was deleted while it was read; run the "
            "import again"
        )
    rows = [parsed(text) for text in run.get("history") or []]
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("_step"), int)]


def _mapping(text: Any) -> dict[str, Any]:
    found = parsed(text) if isinstance(text, str) else text
    return found if isinstance(found, dict) else {}


def _is_wrapped(value: Any) -> bool:
    """Whether a value of a config is one with its description, as the server keeps them."""
    return isinstance(value, dict) and "value" in value and set(value) <= {"value", "desc"}


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**63 else -1 if value == -1 else 0


def _ms(text: Any) -> int:
    """Milliseconds since 1970 of a time as the server writes it, in UTC; 0 where it is none."""
    try:
        found = datetime.fromisoformat(str(text))
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return 0
