"""Run the command `open`: start both UIs on the right databases, and show the right page in the browser."""

from __future__ import annotations

import os
import signal
import webbrowser
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING

from rothamsted import tracking
from rothamsted.cli.arguments import pairs, take, take_truth
from rothamsted.cli.screen import screen_of
from rothamsted.cli.store import open_store, search_at
from rothamsted.errors import UserError
from rothamsted.inventory.names import refuse_unknown
from rothamsted.inventory.servers import STORAGE, TRACKING, dashboard_command, free_port, mlflow_command, serving, stay
from rothamsted.tracking.address import absolute_uri

if TYPE_CHECKING:  # what reads searches is imported when the command line has no mistake: it imports Optuna
    from rothamsted.inventory.sweeps import ListedSweep

MLFLOW, DASHBOARD = "MLflow", "optuna-dashboard"


def open_sweep(arguments: Sequence[str]) -> int:
    """Open a sweep in the browser, and stay until Ctrl-C, which is the way to end this: exit status 0."""
    found, screen = pairs(arguments, command="open"), screen_of(arguments, command="open")
    name, opens_page = take(found, "sweep"), take_truth(found, "browser", "open")
    given, wanted = take(found, "storage"), _port(take(found, "port"))
    names = [name] if name is not None else []
    uri = open_store(lambda uri: refuse_unknown(names, uri=uri, storage=search_at(given, uri)))
    storage = search_at(given, uri)

    from rothamsted.inventory.sweeps import find_listed
    from rothamsted.search.listed import list_searches

    listed = find_listed(name, uri=uri, storage=storage) if name is not None else None
    if listed is not None and listed.sweep is not None:
        storage = listed.sweep.storage
    running = os.environ.get("MLFLOW_UI_URL") or (uri if uri.startswith(("http://", "https://")) else "")
    ports: dict[str, int] = {}
    commands: dict[str, list[str]] = {}
    if not running:
        ports[MLFLOW] = free_port(wanted)
        commands[MLFLOW] = mlflow_command(ports[MLFLOW])
    if list_searches(storage):
        ports[DASHBOARD] = free_port(None if wanted is None else wanted + len(ports))
        commands[DASHBOARD] = dashboard_command(ports[DASHBOARD])
    else:
        screen.say(f"{storage} has no search: optuna-dashboard is not started")
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        screen.say("starting; the page opens when they answer")
        variables = {TRACKING: absolute_uri(uri), STORAGE: absolute_uri(storage)}
        with serving(commands, ports, variables) as servers:
            addresses = {MLFLOW: running.rstrip("/"), **{one.name: one.address for one in servers}}
            pages = {MLFLOW: f"{addresses[MLFLOW]}/{_page(listed)}"}
            if DASHBOARD in addresses:
                pages[DASHBOARD] = f"{addresses[DASHBOARD]}/{_dashboard_page(listed)}"
            screen.say(*[f"{what}: {page}" for what, page in pages.items()], "Ctrl-C ends them")
            screen.give({"mlflow": pages[MLFLOW], "optuna_dashboard": pages.get(DASHBOARD)})
            if opens_page and not webbrowser.open(pages[MLFLOW]):
                screen.say("no browser was found here; open the addresses above yourself")
            stay(servers)
    except KeyboardInterrupt:
        screen.say("ended")
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _page(listed: ListedSweep | None) -> str:
    if listed is None or not listed.run_id:
        return "#/experiments"
    return tracking.run_path(listed.experiment_id, listed.run_id)


def _dashboard_page(listed: ListedSweep | None) -> str:
    if listed is None or listed.search is None:
        return "dashboard"
    return f"dashboard/studies/{listed.search.study_id}"


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdigit() or not 0 < int(text) < 65535:
        raise UserError(f"rothamsted open: port={text} must be a whole number from 1 to 65534")
    return int(text)


def _stop(signal_number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
