"""The tables for programs of `csv_tables`, by name: what holds for every table is tested over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rothamsted.analysis.values import Analysis
from rothamsted.reporting.tables import csv_tables

TABLES: Mapping[str, Callable[[Analysis], csv_tables.Table]] = {
    "conditions": csv_tables.conditions_table,
    "replicates": csv_tables.replicates_table,
    "metrics": csv_tables.metrics_table,
    "pareto": csv_tables.pareto_table,
    "comparisons": csv_tables.comparisons_table,
    "luck": csv_tables.luck_table,
    "effects": csv_tables.effects_table,
    "means": csv_tables.means_table,
}
