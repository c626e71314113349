"""Make matplotlib's SVG small and self-contained, so that several fit into one HTML page.

An XML parser changes it, not search and replace, so that no label is taken for markup.
"""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
FONTS = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
ROOT_STYLE = f"max-width:100%;height:auto;font-family:{FONTS};stroke-linejoin:round;stroke-linecap:butt"

_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FONT_FAMILY = re.compile(r"\s*font-family:[^;]*;?")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}(?!\d|e)")
_EMPTY_TURN = re.compile(r"^rotate\(-?0 [^)]*\)$")
_GEOMETRY = ("d", "x", "y", "transform", "points", "width", "height")


def tidy_svg(text: str, *, name: str, title: str) -> str:
    """Make the SVG of one figure ready for a page.

    Args:
        text: What matplotlib wrote.
        name: First part of every id, with a digest of the figure: ids are unique among different figures.
        title: What a screen reader says.

    Returns:
        One `<svg>` element without prolog, style sheet or metadata: nothing leaks into the page around it.
    """
    root = ET.fromstring(text)
    _drop(root, {f"{{{SVG}}}metadata", f"{{{SVG}}}style"})
    prefix = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}-"
    _own_ids(root, prefix)
    for element in root.iter():
        _shrink(element)
    root.set("role", "img")
    root.set("aria-label", title)
    root.set("style", ROOT_STYLE)
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    return ET.tostring(root, encoding="unicode")


def _drop(parent: ET.Element, tags: set[str]) -> None:
    for child in list(parent):
        if child.tag in tags:
            parent.remove(child)
            continue
        _drop(child, tags)
        if child.tag == f"{{{SVG}}}defs" and not len(child):
            parent.remove(child)


def _own_ids(root: ET.Element, prefix: str) -> None:
    """Prefix the ids that something refers to, and drop the others."""
    link = f"{{{XLINK}}}href"
    used = {value[1:] for element in root.iter() if (value := element.get(link, "")).startswith("#")}
    used |= {
        found for element in root.iter() for value in element.attrib.values() for found in _REFERENCE.findall(value)
    }
    for element in root.iter():
        identity = element.attrib.pop("id", None)
        if identity in used:
            element.set("id", prefix + identity)
        for key, value in element.attrib.items():
            if key == link and value.startswith("#"):
                element.set(key, f"#{prefix}{value[1:]}")
            elif "url(#" in value:
                element.set(key, _REFERENCE.sub(rf"url(#{prefix}\1)", value))


def _shrink(element: ET.Element) -> None:
    """Round coordinates to a hundredth of a point, drop white space, fonts and turns by nothing."""
    for key in _GEOMETRY:
        value = element.get(key)
        if value is not None:
            element.set(key, _LONG_NUMBER.sub(_two_decimals, " ".join(value.split())))
    if _EMPTY_TURN.match(element.get("transform", "")):
        del element.attrib["transform"]
    style = element.get("style")
    if style:
        element.set("style", _FONT_FAMILY.sub("", style).replace("; ", ";").replace(": ", ":"))
    if element.tag != f"{{{SVG}}}text" and element.text and not element.text.strip():
        element.text = None
    if element.tail and not element.tail.strip():
        element.tail = "\n"


def _two_decimals(match: re.Match[str]) -> str:
    rounded = f"{float(match.group()):.2f}".rstrip("0").rstrip(".")
    return "0" if rounded in ("-0", "") else rounded
