"""The pictures of the README: python -m tests.chromium.screenshots [FOLDER], or `make screenshots`.

Runs the bundled study in a temporary folder, changes a scenario, runs it again, serves the results
and photographs three pages at 1280 pixels, light, down to where they stop being interesting.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.site import run_ingest, start_site
from tests.chromium.chromium import NoChromiumError, find_chromium, launch_chromium
from tests.chromium.studies import TREATMENTS, change_coverage, copy_bundled_study
from tests.chromium.visit import Visitor, new_profile
from tests.conftest import PROJECT

FOLDER = PROJECT / "docs" / "images"
MOST_BYTES = 250_000
_DATABASE = "/validation_results"


@dataclass(frozen=True)
class Picture:
    """One picture. until: the element at whose top it ends, `most` pixels down at the latest."""

    name: str
    path: str
    until: str
    most: int


PICTURES = (
    Picture("overview", "/", "#missing", 1100),
    Picture("impact-map", f"{_DATABASE}/scenario_impact?scenario={TREATMENTS}#map", ".rows", 1000),
    Picture(
        "compare",
        f"{_DATABASE}/compare_scenarios?country=KEN&baseline=baseline&scenario={TREATMENTS}"
        "#difference",
        ".rows",
        1000,
    ),
)


def make_results(folder: Path) -> Path:
    """The bundled study's database, with a second run that moved some of its numbers."""
    study = copy_bundled_study(folder)
    commit(study)
    run_ingest(study, "run", "--quiet")
    change_coverage(study, TREATMENTS, 0.9)
    commit(study)
    run_ingest(study, "run", "--quiet")
    return study / "validation_results.db"


def commit(study: Path) -> None:
    """Everything in the study's folder as a commit, as a team would have it."""
    author = ("-c", "user.name=ingest", "-c", "user.email=ingest@example.org")
    for command in (("init", "-q"), ("add", "."), (*author, "commit", "-q", "-m", "study")):
        subprocess.run(["git", *command], cwd=study, check=True)


def take(visitor: Visitor, picture: Picture, folder: Path) -> Path:
    """The file of one picture. Raises ValueError where it is larger than a README should load."""
    page = visitor.open(picture.path)
    file = folder / f"{picture.name}.png"
    page.set_viewport_size({"width": 1280, "height": height_of(page, picture)})
    page.screenshot(path=file)
    page.close()
    size = file.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"{file} has {size:,} bytes, more than {MOST_BYTES:,}; crop it")
    return file


def height_of(page: Page, picture: Picture) -> int:
    """How far down a picture goes."""
    box = page.locator(picture.until).first.bounding_box()
    return min(picture.most, int(box["y"]) if box else picture.most)


def main(folder: Path) -> None:
    """Take every picture."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        site = start_site(make_results(Path(temporary) / "asthma"))
        browser = launch_chromium(playwright)
        try:
            visitor = Visitor(new_profile(browser, "desktop", color_scheme="light"), site.url)
            for picture in PICTURES:
                file = take(visitor, picture, folder)
                sys.stdout.write(f"{file}: {file.stat().st_size:,} bytes\n")
        finally:
            browser.close()
            site.process.kill()
            site.process.wait()
    if visitor.complaints:
        sys.exit("\n".join(visitor.complaints))


if __name__ == "__main__":
    try:
        find_chromium()
    except NoChromiumError as exc:
        sys.exit(str(exc))
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
