"""Links of the pages that are no part of the site, which `make docs` checks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from blocks import ROOT

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("core/*.md"), *ROOT.glob("plugins/*/*.md"), *ROOT.glob("docs/examples/*/*.md")]
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


@pytest.mark.parametrize("page", sorted(PAGES), ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("distribution", ["core", *(f"plugins/{each.name}" for each in ROOT.glob("plugins/*"))])
def test_what_an_index_of_packages_shows_links_to_addresses_alone(distribution: str) -> None:
    """It shows a distribution's README without the folders around it."""
    links = LINK.findall((ROOT / distribution / "README.md").read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link] == []
