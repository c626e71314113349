"""Explain the terms of a report, for its last section and its tables."""

from __future__ import annotations

TERMS = {
    "condition": "One value of everything that is varied, without the seed. The same condition is trained several "
    "times, each time with another seed.",
    "replicate": "One training of one condition with one seed.",
    "n": "How many replicates are behind a number.",
    "interval": (
        "A 95 % interval is made by a rule that covers the true mean in 95 of 100 such sweeps. The level is named if "
        "it is not 95 %."
    ),
    "fresh seeds": "Seeds that the search never used. A condition that was chosen for looking best is trained again on "
    "them, because its mean in the search is usually too good.",
    "luck": "How much better a condition looked in the search than on fresh seeds. Negative if it looked worse.",
    "cannot be ruled out": "The condition may be the best: its difference from the others is no larger than chance can "
    "make it. Each truly best condition stays in this set with the stated confidence.",
    "worse": "Shown to be worse than the best condition. With 95 % confidence no condition is wrongly called worse.",
    "as good": "The condition loses less to the best than the smallest difference that matters, which the sweep file "
    "gives.",
    "open": "The replicates do not show whether the condition is worse. More seeds would tell.",
    "open, unlikely": "Ruled out as the best, but not shown to be worse with the same confidence.",
    "worse by": "Limits for how much worse a condition is than the best of the others. All of them hold together at "
    "the stated confidence.",
    "Holm, Bonferroni": "Ways to correct p-values when many comparisons are made, so that the chance of any false "
    "finding stays small.",
    "bh (Benjamini-Hochberg)": "A correction that limits the share of false findings among all findings, not the "
    "chance of any.",
    "BCa bootstrap": "An interval made by drawing replicates again many times, corrected for bias and skewness.",
    "Welch": "A t test of two groups whose spreads may differ and whose seeds do not match.",
    "paired": "Compared seed by seed: the part of the noise that both conditions share cancels out.",
    "log scale, logit scale": "The interval is made on a transformed scale, so that it does not leave the range of the "
    "metric, such as below 0 for a loss or above 1 for an accuracy.",
    "adjusted mean": "The mean that a condition would have if it had run on all seeds; a hard seed that it lacks does "
    "not make it look better.",
    "Cohen's d": "The difference divided by the standard deviation.",
    "partial omega squared": "The share of variance that a factor explains, without the part of the other factors.",
    "Pareto set": "With several objectives: the conditions that no other condition beats in all of them.",
    "pruned": "Stopped before the end because it looked bad. Its values are in no mean.",
    "diverged": "Training gave a value that is not finite. The condition has no mean and is never the best.",
}
