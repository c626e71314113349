"""The methods of an export: only what was used, each with its sources; BibTeX that a parser reads."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import bibtexparser
import pytest

from rothamsted import catalog
from rothamsted.analysis.analyze import Settings, analyze
from rothamsted.analysis.values import Analysis, Metric
from rothamsted.publish.exported import procedure_sources as sources
from rothamsted.publish.exported.methods import methods_latex, methods_markdown
from rothamsted.publish.exported.procedures import cited, procedures
from rothamsted.publish.exported.references import bibtex_of, references
from rothamsted.spec import Objective, Task
from rothamsted.statistics import BEST_METHODS
from tests.analysis.runs import dataset
from tests.conftest import ROOT

FOUR = {0: [1.0, 2.0, 3.0], 1: [2.0, 3.0, 4.5], 2: [3.0, 4.0, 5.5], 3: [9.0, 9.5, 9.7]}


def keys_of(analysis: Analysis) -> set[str]:
    return set(cited(procedures(analysis)))


def test_a_parser_of_bibtex_reads_every_entry_with_what_its_kind_needs() -> None:
    # Authority: bibtexparser, and the required fields of BibTeX's standard styles (btxdoc, section 3.1).
    text = bibtex_of(references())
    library = bibtexparser.parse_string(text)
    assert library.failed_blocks == []
    assert {entry.key for entry in library.entries} == set(references())
    needed = {
        "article": {"author", "title", "journal", "year"},
        "book": {"author", "title", "publisher", "year"},
        "incollection": {"author", "title", "booktitle", "publisher", "year"},
        "inproceedings": {"author", "title", "booktitle", "year"},
        "phdthesis": {"author", "title", "school", "year"},
        "misc": {"author", "title", "year"},
    }
    for entry in library.entries:
        assert needed[entry.entry_type] <= {field.key for field in entry.fields}, entry.key
        assert entry.key.endswith(entry.fields_dict["year"].value)
        doi = entry.fields_dict.get("doi")
        assert doi is None or re.fullmatch(r"10\.\d{4,5}/\S+", doi.value), entry.key


def test_the_file_of_sources_has_no_entry_that_is_not_read() -> None:
    path = ROOT / "plugins" / "rothamsted" / "publish" / "exported" / "references.bib"
    assert len(re.findall(r"^@", path.read_text(encoding="utf-8"), re.MULTILINE)) == len(references())
    assert list(references()) == sorted(references())


def test_every_row_of_the_catalog_has_words_and_every_source_is_there() -> None:
    assert set(sources.SAMPLERS) == set(catalog.SAMPLERS.names())
    assert set(sources.PRUNERS) == set(catalog.PRUNERS.names())
    assert set(catalog.INTERVALS.names()) <= set(sources.INTERVALS)
    assert set(sources.TEST_SOURCES) == set(catalog.TESTS.names())
    assert set(sources.CORRECTION_SOURCES) == set(catalog.CORRECTIONS.names())
    assert set(BEST_METHODS) <= set(sources.BEST)
    used = {key for rows in sources.sources_by_procedure().values() for keys in rows.values() for key in keys}
    assert used <= set(references())


def test_only_what_was_used_is_cited() -> None:
    plain = analyze(replace(dataset(FOUR), kind="runs"))
    assert {"student1908", "zhang2024", "holm1979", "hsu1984"} <= keys_of(plain)
    absent = {"efron1987", "wilson1927", "welch1947", "agarwal2021", "dunnett1955", "akiba2019", "watanabe2023"}
    assert not absent & keys_of(plain)
    two = analyze(dataset({0: FOUR[0], 1: FOUR[1]}))
    assert "mickey1966" in keys_of(two)
    assert "zhang2024" not in keys_of(two)


@pytest.mark.parametrize(
    ("settings", "has", "lacks"),
    [
        (Settings(interval="bca"), "efron1987", "efron1993"),
        (Settings(reference=0), "cohen1988", "dunnett1955"),
        (Settings(reference=0, correction="bh"), "benjamini1995", "dunnett1955"),
        (Settings(reference=0, correction="dunnett"), "dunnett1955", "benjamini1995"),
        (Settings(reference=0, test="wilcoxon", correction="none"), "wilcoxon1945", "welch1947"),
    ],
)
def test_interval_test_and_correction_that_are_asked_for_are_cited(settings: Settings, has: str, lacks: str) -> None:
    values = {number: [*own, own[0] + 0.3, own[1] + 0.7] for number, own in FOUR.items()}
    found = keys_of(analyze(dataset(values), settings))
    assert has in found
    assert lacks not in found


def test_what_another_package_brings_is_called_by_its_name_without_a_source() -> None:
    given = replace(analyze(dataset(FOUR)), comparisons=None)
    summaries = tuple(
        replace(one, interval=replace(one.interval, method="mine") if one.interval else None) for one in given.objective
    )
    texts = [one.text for one in procedures(replace(given, objective=summaries)) if "made by" in one.text]
    assert texts == ["Intervals of the mean have 95\u202f% nominal coverage and are made by the method mine."]


def test_sweep_confirmation_race_and_tasks_have_their_sources() -> None:
    swept = replace(
        dataset(FOUR, confirm={0: [1.1, 1.2, 1.4]}), kind="sweep", sampler="tpe", looked_by=("tpe", "racing")
    )
    found = keys_of(analyze(swept))
    assert {"watanabe2023", "akiba2019", "zaharia2018", "welch1947", "nie2018"} <= found
    assert any("raced" in one.text for one in procedures(analyze(swept)))
    factors = {n: {"lr": n // 3, "data": f"d{n % 3}"} for n in range(9)}
    values = {n: [float(n), n + 0.5, n + 0.9] for n in range(9)}
    tasks = replace(dataset(values, factors=factors), task=Task(factor="data"))
    assert {"agarwal2021", "rao1988", "demsar2006", "friedman1937"} <= keys_of(analyze(tasks))


def test_a_range_and_a_median_change_the_words() -> None:
    positive = replace(dataset(FOUR), metrics={"loss": Metric(low=0.0)})
    assert any("log scale" in one.text for one in procedures(analyze(positive)))
    values = {number: [*own, *(value + 0.1 for value in own)] for number, own in FOUR.items()}
    given = dataset(values)
    median = replace(given, objective=Objective(metric="loss", direction="minimize", over="median"))
    found = keys_of(analyze(median))
    assert "thompson1936" in found
    assert "student1908" not in found


def test_citations_stand_before_the_full_stop_and_name_what_the_bibtex_file_has() -> None:
    found = procedures(analyze(dataset(FOUR)))
    tex, text = methods_latex(found), methods_markdown(found)
    named = {key for group in re.findall(r"~\\cite\{([^}]+)\}\.", tex) for key in group.split(",")}
    assert named == set(cited(found))
    assert set(re.findall(r"@([a-z]+\d{4})", text)) == named
    assert {entry.key for entry in bibtexparser.parse_string(bibtex_of(named)).entries} == named


def test_the_export_of_a_sweep_cites_its_grid_and_its_engine(exported: Path) -> None:
    text = (exported / "paper" / "methods.md").read_text()
    assert "6\u00a0conditions over lr and x were tried, chosen by a full grid." in text
    assert "Replicates: 3 a condition, the same seeds in each: 0, 1, 2." in text
    library = bibtexparser.parse_file(str(exported / "paper" / "references.bib"))
    assert {entry.key for entry in library.entries} == set(re.findall(r"@([a-z]+\d{4})", text))
