"""The docstrings of public names: a sentence that begins with a verb, an example, and examples that are true."""

from __future__ import annotations

import doctest
import inspect
import re

import pytest

import rothamsted

# The first word of a first line: what a function or class does. Nouns and articles are no verbs.
NOT_VERBS = {"a", "all", "an", "another", "either", "it", "no", "of", "one", "some", "the", "this", "what", "whether"}


def words_of(name: str) -> str:
    """The docstring of a public name."""
    return inspect.getdoc(getattr(rothamsted, name)) or ""


@pytest.mark.parametrize("name", rothamsted.__all__)
def test_the_first_sentence_of_a_public_name_begins_with_a_verb(name: str) -> None:
    first = words_of(name).splitlines()[0]
    assert first.endswith(".")
    assert re.split(r"\W", first)[0].lower() not in NOT_VERBS, first


@pytest.mark.parametrize("name", rothamsted.__all__)
def test_a_public_name_has_an_example(name: str) -> None:
    assert "Example:" in words_of(name)
    assert ">>> " in words_of(name)


@pytest.mark.parametrize("name", ["Metric", "UserError"])
def test_the_examples_of_a_public_name_are_true(name: str) -> None:
    [found] = doctest.DocTestFinder(recurse=False).find(getattr(rothamsted, name), name)
    found.globs.update(vars(rothamsted), **{name: getattr(rothamsted, name)})
    assert doctest.DocTestRunner().run(found).failed == 0
