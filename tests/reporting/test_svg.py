"""Drawings inside a page: labels stay text, ids stay apart, and nothing is run or fetched."""

from __future__ import annotations

import pytest

from rothamsted.reporting.page.inline_svg import inline_svg
from tests.reporting.reading import Page

OPENING = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">'


def inlined(inside: str, name: str = "plot") -> str:
    return str(inline_svg(f"{OPENING}{inside}</svg>", name=name, title="A plot"))


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<foreignObject><body/></foreignObject>",
        '<rect onload="alert(1)"/>',
        '<rect ONCLICK="alert(1)"/>',
        '<a href="javascript:alert(1)"><text>x</text></a>',
        '<use xlink:href="https://example.org/a.svg#b"/>',
        '<image href="https://example.org/a.png"/>',
        '<image href="data:image/svg+xml;base64,AAAA"/>',
        '<rect style="fill: url(https://example.org/a)"/>',
        '<rect fill="url(//example.org/a#b)"/>',
        "<style>@import 'https://example.org/a.css';</style>",
        "<style>* {fill: url(https://example.org/a)}</style>",
        '<animate attributeName="href" values="javascript:alert(1)"/>',
    ],
)
def test_a_drawing_that_would_run_or_fetch_something_is_refused(inside: str) -> None:
    with pytest.raises(ValueError, match="plot plot: "):
        inlined(inside)


def test_a_drawing_with_text_that_was_not_escaped_is_refused() -> None:
    with pytest.raises(ValueError, match="not well-formed"):
        inlined("<text>a < b</text>")


def test_a_drawing_that_cannot_be_scaled_is_refused() -> None:
    with pytest.raises(ValueError, match="no viewBox"):
        inline_svg('<svg xmlns="http://www.w3.org/2000/svg"/>', name="plot", title="A plot")


def test_a_label_that_looks_like_markup_stays_text() -> None:
    page = Page(inlined("<text>&lt;script&gt;alert(1)&lt;/script&gt;</text>"))
    assert (page.count("script"), page.text()) == (0, "<script>alert(1)</script>")


def test_a_title_that_looks_like_markup_stays_text() -> None:
    drawn = str(inline_svg(f"{OPENING}</svg>", name="plot", title='"><script>'))
    assert Page(drawn).elements[0][1]["aria-label"] == '"><script>'


def test_two_drawings_with_the_same_ids_share_none_in_a_page() -> None:
    inside = '<g id="axes"><path id="line"/></g>'
    page = Page(inlined(inside, "first") + inlined(inside, "second"))
    ids = [given["id"] for _, given in page.elements if "id" in given]
    assert len(set(ids)) == len(ids) == 6


def test_references_inside_a_drawing_follow_its_ids() -> None:
    inside = '<clipPath id="box"/><g clip-path="url(#box)"/><use xlink:href="#box"/><g style="fill: url(#box)"/>'
    page = Page(inlined(inside))
    found = [given.get(key) for _, given in page.elements for key in ("clip-path", "href", "style") if key in given]
    assert found == ["url(#plot-box)", "#plot-box", "fill: url(#plot-box)"]


def test_a_style_in_a_drawing_rules_that_drawing_only() -> None:
    assert "<style>#plot-svg * {stroke: red} #plot-svg .a, #plot-svg .b {fill: blue}</style>" in inlined(
        "<style>*{stroke: red} .a, .b {fill: blue}</style>"
    )


def test_an_image_of_pixels_is_kept() -> None:
    assert 'href="data:image/png;base64,iVBORw0KGgo="' in inlined('<image href="data:image/png;base64,iVBORw0KGgo="/>')


def test_the_declaration_and_the_metadata_of_a_drawing_are_left_out() -> None:
    source = f'<?xml version="1.0"?><!-- made by x -->{OPENING}<metadata><b xmlns="urn:x">who</b></metadata></svg>'
    drawn = inline_svg(source, name="plot", title="A plot")
    assert drawn == '<svg viewBox="0 0 9 9" id="plot-svg" role="img" aria-label="A plot" />'
