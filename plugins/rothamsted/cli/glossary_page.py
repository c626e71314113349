"""Make the page docs/glossary.md from the terms of a report and the words of the design. A test compares them.

Make it again with `python -m rothamsted.cli.glossary_page > docs/glossary.md`.
"""

from __future__ import annotations

from rothamsted.reporting.glossary import TERMS
from rothamsted.reporting.sentences import capital

_HEAD = """# Glossary

Made from the terms that a report explains: `python -m rothamsted.cli.glossary_page > docs/glossary.md`.

## How the parts are called

| word | meaning |
|---|---|
| study | A question with its code: what is trained. |
| sweep | One search over conditions of one study. One YAML file, one parent run in MLflow. |
| search space | Named domains: which values each factor may have. |
| factor | A parameter that is varied. |
| trial | One condition, asked for, run and told: one trial of Optuna. |
| run | A run of MLflow: of a sweep, a trial or a replicate. |
| metric | A logged number. |
| objective | A metric, a direction, and how a curve becomes one number. |
| sampler | Proposes conditions. |
| pruner | Stops training that is not worth its time. |
| executor | Where the work runs. |
| worker | The loop that claims trials and trains them. |
| record | What MLflow keeps. The search is what Optuna's database keeps. |
| champion | The version of a registered model that is in use. A challenger may replace it. |

## Terms of a report

| term | meaning |
|---|---|
"""


def page() -> str:
    """Write the whole page."""
    return _HEAD + "".join(f"| {term} | {capital(meaning)} |\n" for term, meaning in TERMS.items())


if __name__ == "__main__":
    print(page(), end="")
