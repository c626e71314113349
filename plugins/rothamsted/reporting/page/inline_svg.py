"""Check an SVG drawing for an HTML page: only shapes and text, its own ids, nothing fetched.

Only drawings go into a page without being escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from markupsafe import Markup

DRAWN = frozenset(
    [
        *("svg", "g", "defs", "use", "symbol", "style", "title", "desc", "text", "tspan", "image"),
        *("path", "rect", "circle", "ellipse", "line", "polyline", "polygon"),
        *("clipPath", "mask", "pattern", "marker", "linearGradient", "radialGradient", "stop"),
    ]
)
LEFT_OUT = frozenset({"metadata"})  # about the drawing, not part of it
INLINE_IMAGE = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=\s]*")
OWN_REFERENCE = re.compile(r"url\(\s*[\"']?#([^)\"']+)[\"']?\s*\)")
ANY_REFERENCE = re.compile(r"url\(|@import|expression\(|javascript:", re.IGNORECASE)


def inline_svg(source: str, *, name: str, title: str) -> Markup:
    """Return an SVG document as an element of an HTML page.

    Args:
        source: The document, with or without an XML declaration.
        name: Name of the plot, unique in its page. It begins every id, so that no two drawings share one.
        title: What a screen reader says.

    Raises:
        ValueError: It is not well-formed, or has an element, handler or reference that a drawing may not have: a
            script, or anything that would be fetched.
    """
    try:
        root = ElementTree.fromstring(source)
    except ElementTree.ParseError as error:
        raise ValueError(f"plot {name}: its SVG is not well-formed XML ({error}); escape the text in it") from error
    prefix = f"{re.sub(r'[^A-Za-z0-9_-]', '-', name)}-"
    for parent in list(root.iter()):
        for child in [one for one in parent if _local(one.tag) in LEFT_OUT]:
            parent.remove(child)
    for element in root.iter():
        _adopt(element, prefix, name)
    if "viewBox" not in root.attrib:
        raise ValueError(f"plot {name}: its SVG has no viewBox; give one, so that it can be scaled")
    root.attrib.pop("height", None)  # follows from the width, which a narrow page makes smaller
    root.set("role", "img")
    root.set("aria-label", title)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _adopt(element: ElementTree.Element, prefix: str, name: str) -> None:
    """Drop an element's XML namespaces, put the prefix before its ids, and refuse what does not belong."""
    element.tag = _local(element.tag)
    if element.tag not in DRAWN:
        raise ValueError(f"plot {name}: its SVG holds <{element.tag}>, which is not a drawing; leave it out")
    if element.tag == "style":
        if ANY_REFERENCE.search(element.text or ""):
            raise ValueError(f"plot {name}: the style in its SVG refers to something outside; leave that out")
        element.text = _scoped(element.text or "", f"#{prefix}svg")
    attributes = dict(_adopted(element, prefix, name))
    element.attrib.clear()
    element.attrib.update(attributes)
    if element.tag == "svg":
        element.set("id", f"{prefix}svg")


def _adopted(element: ElementTree.Element, prefix: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield the attributes of an element as they stand in the page."""
    for qualified, value in element.attrib.items():
        key = _local(qualified)
        if key.lower().startswith("on"):
            raise ValueError(f"plot {name}: its SVG holds the handler {key}; leave it out")
        if key == "href":
            yield key, _reference(value, prefix, name)
        elif key == "id":
            yield key, prefix + value
        elif key != "space":  # xml:space means nothing in HTML
            owned = OWN_REFERENCE.sub(rf"own(#{prefix}\1)", value)
            if ANY_REFERENCE.search(owned):
                raise ValueError(f"plot {name}: {key}={value[:80]!r} in its SVG refers to something outside")
            yield key, owned.replace("own(#", "url(#")


def _reference(value: str, prefix: str, name: str) -> str:
    if value.startswith("#"):
        return f"#{prefix}{value[1:]}"
    if INLINE_IMAGE.fullmatch(value):
        return value
    raise ValueError(f"plot {name}: its SVG refers to {value[:80]!r}; a page holds all that it shows")


def _scoped(style: str, scope: str) -> str:
    """Make rules hold inside one drawing only: a style in an SVG rules the whole page otherwise."""
    without_comments = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", without_comments)
    return " ".join(
        f"{', '.join(f'{scope} {selector.strip()}' for selector in selectors.split(','))} {{{body.strip()}}}"
        for selectors, body in rules
    )


def _local(tag: str) -> str:
    """Return a name without its namespace."""
    return tag.rpartition("}")[2]
