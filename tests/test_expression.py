"""Arithmetic on metrics: the numbers of Python's own arithmetic, and a refusal of everything else."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rothamsted.expression import Constraint, Expression, ExpressionError

VALUES = {"a": 2.0, "b": -3.0, "c": 0.5, "train/acc": 7.0}
FUNCTIONS = {"min": min, "max": max, "abs": math.fabs, "sqrt": math.sqrt, "log": math.log, "exp": math.exp}


def _joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(parts, st.sampled_from(["+", "-", "*", "/", "%", "**"]), parts).map(
            lambda three: f"({three[0]}) {three[1]} ({three[2]})"
        ),
        st.tuples(parts, st.sampled_from(["+", "-", "*", "/"]), parts).map(" ".join),
        st.tuples(st.sampled_from(["-", "+"]), parts).map("".join),
        st.tuples(st.sampled_from(["min", "max"]), parts, parts).map(lambda p: f"{p[0]}({p[1]}, {p[2]})"),
        st.tuples(st.sampled_from(["abs", "sqrt", "log", "exp"]), parts).map(lambda p: f"{p[0]}({p[1]})"),
    )


LEAVES = st.one_of(st.sampled_from(["a", "b", "c"]), st.floats(0, 100).map(str))
ARITHMETIC = st.recursive(LEAVES, _joined, max_leaves=8)


@settings(max_examples=300, deadline=None)
@given(ARITHMETIC)
def test_an_expression_is_what_python_makes_of_it(text: str) -> None:
    # Authority: Python's own eval on floats, where it gives a real number.
    try:
        expected = eval(text, {"__builtins__": {}}, {**VALUES, **FUNCTIONS})
    except (ZeroDivisionError, ValueError, OverflowError, TypeError):
        return  # the other tests say what it is then; Python's complex numbers are nan here
    if isinstance(expected, complex) or math.isnan(expected):
        return
    found = Expression(text).evaluate(VALUES)
    if math.isnan(found) and ("min" in text or "max" in text):
        return  # Python's min passes a nan over, or not, by its place: there is a test of its own
    assert found == pytest.approx(expected, rel=1e-12)


def test_the_names_of_an_expression_are_the_metrics_that_it_needs() -> None:
    text = "val_acc - max(0, train_acc - val_acc - 3) + {train/acc}"
    assert Expression(text).names == {"val_acc", "train_acc", "train/acc"}


@pytest.mark.parametrize(
    ("text", "value"),
    # By hand: the values of VALUES put in.
    [
        ("a - max(0, a - b - 3)", 0.0),
        ("{train/acc} - 3", 4.0),
        ("{ train/acc } * {a}", 14.0),
        ("2 ** 3 ** 2", 512.0),
        ("-a ** 2", -4.0),
        ("log10(1000) + log2(8)", 6.0),
        (" a\n + b ", -1.0),
    ],
)
def test_an_expression_matches_hand_calculation(text: str, value: float) -> None:
    assert Expression(text).evaluate(VALUES) == pytest.approx(value)


def test_a_stand_in_for_braces_is_no_name_of_the_text() -> None:
    # By hand: 7 + 1; the second name looks like what the braces are read as.
    assert Expression("{train/acc} + _0_________").evaluate({"train/acc": 7.0, "_0_________": 1.0}) == 8.0


@pytest.mark.parametrize("text", ["1 / (a - a)", "sqrt(b)", "log(0 * a)", "a % 0", "(0 * a) ** -1", "b ** 0.5"])
def test_outside_its_domain_an_expression_is_nan(text: str) -> None:
    assert math.isnan(Expression(text).evaluate(VALUES))


@pytest.mark.parametrize("text", ["exp(1000 * a)", "10.0 ** 400", "9**9**9", "1e308 * 10", f"{'9' * 400}"])
def test_what_is_too_large_is_infinite_at_once(text: str) -> None:
    start = time.perf_counter()
    assert Expression(text).evaluate(VALUES) == math.inf
    assert time.perf_counter() - start < 0.5  # Python's whole numbers would take minutes


def test_a_large_negative_power_is_minus_infinity() -> None:
    assert Expression("(b * 1e200) ** 3").evaluate(VALUES) == -math.inf


@pytest.mark.parametrize("text", ["max(a, x)", "max(x, a)", "min(a, x)", "min(x, a)"])
def test_a_nan_among_the_numbers_is_not_passed_over(text: str) -> None:
    assert math.isnan(Expression(text).evaluate({"a": 1.0, "x": math.nan}))


REFUSED = {
    "a call": ("open('x')", "open is not a known function"),
    "an attribute": ("a.real", "is not arithmetic"),
    "a method": ("a.__class__()", "this is not a known function"),
    "text": ("'a' + 'b'", "'a' is not a number"),
    "a truth value": ("True + 1", "True is not a number"),
    "a complex number": ("2j", "2j is not a number"),
    "a subscript": ("a[0]", "is not arithmetic"),
    "a lambda": ("lambda: 1", "is not arithmetic"),
    "a walrus": ("(x := 1)", "is not arithmetic"),
    "a list": ("[a for a in b]", "is not arithmetic"),
    "a choice": ("a if b else c", "is not arithmetic"),
    "a comparison": ("a < b", "is not arithmetic"),
    "logic": ("a and b", "is not arithmetic"),
    "bits": ("a | b", "is not arithmetic"),
    "whole division": ("a // b", "is not arithmetic"),
    "two statements": ("a; b", "is not arithmetic"),
    "nothing": ("", "is not arithmetic"),
    "an open bracket": ("(a + b", "is not arithmetic"),
    "a keyword": ("max(a, key=b)", "plain arguments only"),
    "a star": ("max(*a)", "plain arguments only"),
    "too few arguments": ("max(a)", "max takes two numbers or more, not 1"),
    "too many arguments": ("abs(a, b)", "abs takes one number, not 2"),
    "empty braces": ("{} + 1", "braces hold no name"),
    "one brace": ("{a + 1", "is not arithmetic"),
    "too long": ("a + " * 300 + "a", "at most 1000 are allowed"),
    "too deep": ("-" * 60 + "a", "is nested deeper than 50"),
    "far too deep": ("(" * 400 + "a" + ")" * 400, "is nested deeper than 50"),
    "a null byte": ("a\0", "is not arithmetic"),
}


@pytest.mark.parametrize(("text", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_arithmetic_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as error:
        Expression(text)
    assert (says in str(error.value), "\n" in str(error.value)) == (True, False), str(error.value)


def test_a_refusal_names_the_place() -> None:
    # By hand: the call begins at the fifth character; the braces before it are as long as what stands for them.
    with pytest.raises(ExpressionError, match="at character 5: sin is not a known function"):
        Expression("a + sin(b)")
    with pytest.raises(ExpressionError, match="at character 15: sin is not a known function"):
        Expression("{train/acc} + sin(b)")


@pytest.mark.parametrize(
    ("text", "violation"),
    # By hand: left - right for < and <=, right - left for > and >=, with a = 2, b = -3.
    [("a < 5", -3.0), ("a <= 2", 0.0), ("a > 5", 3.0), ("a >= b", -5.0), ("a - b < 3 * 1", 2.0), ("1 < a", -1.0)],
)
def test_a_violation_is_at_most_zero_where_the_constraint_holds(text: str, violation: float) -> None:
    assert Constraint(text).violation(VALUES) == violation


def test_a_violation_without_a_number_is_nan() -> None:
    assert math.isnan(Constraint("a < 5").violation({"a": math.nan}))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a", "is not a comparison"),
        ("a == 1", "with < <= > or >="),
        ("0 < a < 1", "one comparison"),
        ("a < 'x'", "is not a number"),
        ("1 < 2", "names no metric"),
        ("a < b and b < c", "is not a comparison"),
    ],
)
def test_what_is_no_constraint_is_refused(text: str, says: str) -> None:
    with pytest.raises(ExpressionError, match=says):
        Constraint(text)


@pytest.mark.parametrize("opening", ["(", "[", "{a: ", "(["])
def test_brackets_within_brackets_are_refused_before_python_reads_them(opening: str) -> None:
    """Python's parser answers 200 of them with MemoryError."""
    with pytest.raises(ExpressionError, match="nested deeper than 50") as refused:
        Expression(f"a - max({opening * 200}0, b)")
    chain: BaseException | None = refused.value
    while chain is not None:
        assert not isinstance(chain, MemoryError)
        chain = chain.__cause__ or chain.__context__
