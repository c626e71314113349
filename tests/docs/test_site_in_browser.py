"""The site as people read it: on a phone and a wide screen, light and dark, searched from disk without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser
SIZES = {"wide": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
PAGES = ("index.html", "first-ten-minutes.html", "keys.html", "statistics.html", "api.html", "commands.html")
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def opened(browser: Any, path: Path, size: str, scheme: str) -> tuple[Any, list[str]]:
    """A page from disk, and what went wrong in it or was asked of the network."""
    page = browser.new_page(viewport=SIZES[size], color_scheme=scheme)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
    page.goto(path.as_uri())
    return page, wrong


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_its_screen_or_asks_the_network(size: str, scheme: str, browser: Any, site: Path) -> None:
    for name in PAGES:
        page, wrong = opened(browser, site / name, size, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"], name
        red, green, blue = (int(part) for part in page.evaluate(BACKGROUND)[4:-1].split(",")[:3])
        assert (red + green + blue > 600) == (scheme == "light"), name
        assert wrong == [], name
        page.close()


def test_search_finds_a_key_on_a_page_that_was_opened_from_disk(browser: Any, site: Path) -> None:
    page, wrong = opened(browser, site / "index.html", "wide", "light")
    page.locator("input.md-search__input").press_sequentially("smallest_difference")  # search hears keys
    page.wait_for_selector(".md-search-result__item", timeout=30_000)
    found = page.locator(".md-search-result__link").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    assert any("keys.html" in link for link in found)
    assert wrong == []
    page.close()
