"""Give the name of each procedure in words, and its published sources: keys of `references.bib`.

Exports and docs/references.md use it.
"""

from __future__ import annotations

from collections.abc import Mapping

from rothamsted.catalog import TESTS

# What a sweep file or an analysis calls it -> in words, and its sources.
SAMPLERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "grid": ("a full grid", ()),
    "exhaustive": ("all conditions of the space in random order", ()),
    "random": ("random search", ("bergstra2012",)),
    "qmc": ("a scrambled Sobol' sequence", ("sobol1967",)),
    "tpe": ("the tree-structured Parzen estimator of Optuna", ("watanabe2023", "akiba2019")),
    "gp": (
        "Bayesian optimization with a Gaussian process and log expected improvement, as in Optuna",
        ("ament2023", "akiba2019"),
    ),
    "cmaes": ("CMA-ES, as in Optuna", ("hansen2001", "nomura2020", "akiba2019")),
    "nsgaii": ("NSGA-II, as in Optuna", ("deb2002", "akiba2019")),
    "nsgaiii": ("NSGA-III, as in Optuna", ("deb2014", "akiba2019")),
}
PRUNERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "median": ("the median rule", ("golovin2017",)),
    "percentile": ("a percentile of the other trials", ()),
    "asha": ("asynchronous successive halving (ASHA)", ("li2020",)),
    "hyperband": ("Hyperband", ("li2018",)),
    "threshold": ("a threshold", ()),
    "patient": ("a pruner that waits for some steps without improvement", ()),
    "wilcoxon": ("Wilcoxon's signed-rank test over replicates", ("wilcoxon1945",)),
}
INTERVALS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "t": ("Student's t", ("student1908",)),
    "log": ("Student's t on the log scale by the delta method, since the metric has one bound", ("student1908",)),
    "logit": ("Student's t on the logit scale by the delta method, since the metric has two bounds", ("student1908",)),
    "percentile": ("the percentile bootstrap", ("efron1993",)),
    "bca": ("the BCa bootstrap", ("efron1987",)),
    "wilson": ("Wilson's interval, which takes the rows of all replicates as one sample", ("wilson1927",)),
    "order statistics": ("order statistics, exact for any distribution", ("thompson1936",)),
    "trimmed": ("Student's t with winsorized variance for the interquartile mean", ("tukey1963",)),
}
BEST: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "leaders": (
        "one test for each condition, which at each seed is compared with the conditions that lead at the other "
        "seeds, with moderated variances and without seed effects; worse conditions are found by Holm's procedure, "
        "and limits for how much worse are simultaneous limits of comparisons with the best",
        ("zhang2024", "smyth2004", "phipson2016", "grubbs1948", "holm1979", "hsu1984"),
    ),
    "simple": (
        "t tests of all pairs, corrected by Bonferroni and Holm",
        ("student1908", "mickey1966", "dunn1961", "holm1979"),
    ),
    "sign": (
        "sign tests of all pairs on common seeds, corrected by Bonferroni and Holm",
        ("thompson1936", "dunn1961", "holm1979"),
    ),
    "trimmed": (
        "Yuen's tests of trimmed means of all pairs, corrected by Bonferroni and Holm",
        ("yuen1974", "dunn1961", "holm1979"),
    ),
    "bounds": (
        "limits by order statistics of both conditions of each pair, corrected by Bonferroni and Holm",
        ("thompson1936", "dunn1961", "holm1979"),
    ),
}
TEST_SOURCES: Mapping[str, tuple[str, ...]] = {
    "paired_t": ("student1908",),
    "welch": ("welch1947",),
    "wilcoxon": ("wilcoxon1945", "hodges1963"),
    "paired_permutation": ("hartigan1969",),
    "permutation": ("pitman1937",),
    "guarded_t": ("student1908", "hall1992"),
    "guarded_welch": ("welch1947", "hall1992"),
}
CENTRE_TESTS: Mapping[str, tuple[str, ...]] = {  # by the labels of `statistics.centre_differences`
    "sign test": ("thompson1936",),
    "order statistics of both": ("thompson1936",),
    "Yuen's trimmed t": ("yuen1974",),
}
CORRECTION_SOURCES: Mapping[str, tuple[str, ...]] = {
    "holm": ("holm1979",),
    "bonferroni": ("dunn1961",),
    "bh": ("benjamini1995",),
    "none": (),
    "dunnett": ("dunnett1955",),
    "tukey": ("tukey1953", "kramer1956"),
}
OTHERS: Mapping[str, tuple[str, ...]] = {
    "means adjusted for missing seeds": ("yates1933",),
    "medians and interquartile means adjusted for missing seeds": ("tukey1977",),
    "quantiles over seeds": ("hyndman1996",),
    "effect sizes of comparisons": ("cohen1988", "steiger1997", "wilson1927", "newcombe2006"),
    "difference between search and fresh seeds": ("welch1947",),
    "effects of factors": ("yates1934", "brunner1997", "box1954", "grubbs1948", "rao1970"),
    "means of levels": ("satterthwaite1946",),
    "shares of variance by source": ("searle1992", "weerahandi1993"),
    "Pareto set": ("efron1993",),
    "means, interquartile means and probability of improvement over tasks": ("agarwal2021", "rao1988"),
    "ranks over tasks": ("demsar2006", "friedman1937", "iman1980", "nemenyi1963"),
    "expected best by budget": ("dodge2019", "tang2020"),
    "means of data that were collected by results": ("nie2018", "hadad2021"),
    "the engine below": ("zaharia2018", "akiba2019"),
}


def sources_by_procedure() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the sources of each procedure, named in words, under its heading; procedures without any are left out."""
    worded = {"Search": {**SAMPLERS, **PRUNERS}, "Intervals": INTERVALS}
    found = {heading: {words: keys for words, keys in rows.values() if keys} for heading, rows in worded.items()}
    found["Which is best"] = {f"`{name}`: {words}": keys for name, (words, keys) in BEST.items()}
    tests = {f"`{name}`": keys for name, keys in TEST_SOURCES.items() if name in TESTS}
    corrections = {f"correction `{name}`": keys for name, keys in CORRECTION_SOURCES.items() if keys}
    found["Comparisons with a reference"] = {**tests, **CENTRE_TESTS, **corrections}
    found["Other"] = dict(OTHERS)
    return found
