"""Every kind of fault beside kills, by the name that the command knows: it breaks a sweep and audits what is left."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.faults import breaking, clocks, commands, promotions, servers
from tests.faults.audit import Audit, audit
from tests.faults.world import World

Kind = Callable[[World, str, np.random.Generator], tuple[int, Audit]]  # -> number of faults, what is wrong


def _audited(break_it: breaking.Kind) -> Kind:
    return lambda world, name, rng: (break_it(world, name, rng), audit(world, name))


KINDS: dict[str, Kind] = {
    "stopped": _audited(breaking.stopped),
    "taken over": _audited(breaking.taken_over),
    "at once": _audited(breaking.at_once),
    "connections": _audited(breaking.connections),
    "restarted": _audited(breaking.restarted),
    "server gone": _audited(servers.server_gone),
    "locked file": _audited(breaking.locked_file),
    "full disk": _audited(breaking.full_disk),
    "checkpoints": _audited(breaking.checkpoints),
    "clock": _audited(clocks.clock),
    "clocks apart": _audited(clocks.clocks_apart),
    "promotions": promotions.at_once,
    "commands": commands.swept,
}
