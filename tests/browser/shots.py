"""Screenshots of every page and of /look/: wide and narrow, light and dark, English and Chinese.

`python -m tests.browser.shots OUT [PAGE …]`; starts an installation of its own and judges nothing.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, FloatRect, Page, sync_playwright

from tests.browser.tour import LANGUAGES, SIZES, THEMES, Tour
from tests.conftest import chromium
from tests.processes import Site

SLICE = 2_400
"""A long page is cut into pictures of this height (pixels), so that each can be looked at."""


def shoot(page: Page, *, out: Path, name: str, width: int) -> None:
    """The page from top to bottom; a long one in slices, `-1` and so on behind the name."""
    height: int = page.evaluate("document.documentElement.scrollHeight")
    for number, top in enumerate(range(0, height, SLICE), start=1):
        clip: FloatRect = {"x": 0, "y": top, "width": width, "height": min(SLICE, height - top)}
        part = f"-{number}" if height > SLICE else ""
        page.screenshot(path=str(out / f"{name}{part}.png"), full_page=True, clip=clip)


def take(browser: Browser, *, tour: Tour, out: Path, wanted: list[str]) -> None:
    """PNGs of each page, language, width and theme: `name-width-theme-language.png`, long ones in slices."""
    for language in LANGUAGES:
        pages = {name: url for name, url in tour.pages(language).items() if not wanted or name in wanted}
        for name, url in pages.items():
            page = tour.open(browser, name, url=url, language=language)
            for width, height in SIZES:
                page.set_viewport_size({"width": width, "height": height})
                for theme in THEMES:
                    page.emulate_media(color_scheme=theme)
                    page.wait_for_timeout(200)
                    shoot(page, out=out, name=f"{name}-{width}-{theme}-{language}", width=width)
            page.context.close()


def main(out: Path, wanted: list[str]) -> None:
    """Takes them all into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = Site(Path(folder))
        try:
            tour = Tour(site.start()).prepare()
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            take(browser, tour=tour, out=out, wanted=wanted)
            browser.close()
        finally:
            site.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
