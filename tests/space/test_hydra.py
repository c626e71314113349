"""Hydra's sweep grammar as domains: what it means here, and what is refused."""

from __future__ import annotations

import pytest

from rothamsted.space import Choice, Domain, Range, SpaceError
from rothamsted.space.hydra import domains_from_hydra, values_from_hydra


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        # Authority: Hydra's documentation, "Extended Override syntax", sweep functions.
        ("x=0.2,0.4", Choice(values=(0.2, 0.4))),
        ("x=0.2, 0.4", Choice(values=(0.2, 0.4))),
        ("x=choice(sgd,adam)", Choice(values=("sgd", "adam"))),
        ("x=3", Choice(values=(3,))),
        ("x=true,false", Choice(values=(True, False))),
        ("x=null,1.5", Choice(values=(None, 1.5))),
        ("x='a b','1e-3'", Choice(values=("a b", "1e-3"))),
        ("x=[1,2],[3]", Choice(values=([1, 2], [3]))),
        ("x={a:1,b:[2]},{c:0.5}", Choice(values=({"a": 1, "b": [2]}, {"c": 0.5}))),
        ("x=sort(3,1,2)", Choice(values=(1, 2, 3))),
        ("x=interval(0,1)", Range(low=0.0, high=1.0)),
        ("x=int(interval(1,8))", Range(low=1, high=8, is_integer=True)),
        ("x=tag(log,interval(1e-4, 1e-1))", Range(low=1e-4, high=1e-1, log=True)),
        ("x=tag(log,int(interval(1,64)))", Range(low=1, high=64, log=True, is_integer=True)),
        ("x=range(8,33,8)", Range(low=8, high=32, step=8, is_integer=True)),  # 33 is not reached
        ("x=range(0,32,8)", Range(low=0, high=24, step=8, is_integer=True)),  # as in Python, without the stop
        ("x=range(3)", Range(low=0, high=2, step=1, is_integer=True)),
        ("x=range(7,8)", Choice(values=(7,))),
        ("x=range(0,0.3,0.1)", Range(low=0.0, high=0.2, step=0.1)),
        ("optimizer.lr=1e-3,1", Choice(values=(1e-3, 1))),
    ],
)
def test_each_form_of_the_grammar_has_its_domain(text: str, domain: Domain) -> None:
    assert list(domains_from_hydra(text).values()) == [domain]


def test_several_parameters_are_told_apart_by_blanks() -> None:
    text = "lr=tag(log, interval(1e-4, 1e-1))  dropout=0.2, 0.4\twidth=range(8,33,8) note='p=1 q=2',b"
    assert list(domains_from_hydra(text)) == ["lr", "dropout", "width", "note"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x=glob(*)", "space.x: glob"),
        ("x=interval(5,1)", "space.x.low: 5.0 is above high 1.0"),  # Hydra's parser accepts it: FACTS
        ("x=tag(log,interval(0,1))", "space.x.low: a log range must start above zero"),
        ("x=interval(1,inf)", "space.x.high: must be a finite number"),
        ("x=shuffle(1,2)", "space.x: shuffle"),
        ("x=tag(linear,interval(0,1))", "space.x: tag 'linear' is not allowed"),
        ("x=tag(log,range(1,9))", "space.x: tag 'log' is not allowed"),
        ("x=tag(log,choice(1,2))", "space.x: tag 'log' is not allowed"),
        ("x=range(1,2,0)", "space.x: range\\(1,2,0\\) needs .* a step above 0"),
        (
            "x=range(-5.0,true)",
            "space.x: range\\(-5.0,True,1\\) needs numbers",
        ),
        ("x=range(9,1,-1)", "space.x: range\\(9,1,-1\\) needs .* a step above 0"),
        ("x=range(5,1)", r"space.x: range\(5,1,1\) holds no value"),
        ("x=range(0,1,1e-9)", "space.x: .* at most 100000 are allowed"),
        ("x=1,1", "space.x: 1 is given twice"),
        ("x=", "space.x: has no value"),
        ("x=1 x=2", "space.x: is given twice"),
        ("~x", "space.x: '~x' adds, deletes or names a package"),
        ("+x=1", "space.x: '\\+x=1' adds, deletes or names a package"),
        ("x@y=1,2", "space.x: 'x@y=1,2' adds, deletes or names a package"),
        ("x", "space: Hydra cannot read 'x'"),
        ("x=interval(1", "space: Hydra cannot read"),
        ("x=1,interval(0,1)", "space.x: holds a search within a search"),
        ("", "space: no parameter in ''"),
    ],
)
def test_what_is_no_search_space_is_refused_with_its_parameter(text: str, reason: str) -> None:
    with pytest.raises(SpaceError, match=reason):
        domains_from_hydra(text)


@pytest.mark.parametrize("text", ["x=interval(5,1)", "x", "x=range(1,2,0)"])
def test_a_refusal_is_one_line(text: str) -> None:
    with pytest.raises(SpaceError) as error:
        domains_from_hydra(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", [f"a={'9' * 4_900}", f"a=1,{'9' * 4_900}", f"a=range(0,{'9' * 4_200},1e-300)"])
def test_a_number_of_thousands_of_digits_is_refused(text: str) -> None:
    for read in (domains_from_hydra, values_from_hydra):
        with pytest.raises(SpaceError) as refused:
            read(text)
        assert str(refused.value).isprintable()
