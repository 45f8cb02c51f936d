"""Studies for the browser beside the served one: the bundled study, whole or in part."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.browser.site import run_ingest
from tests.conftest import BUNDLED_STUDY

BASELINE, TREATMENTS, AIR = "baseline", "all_treatments", "clean_air"
LEVELS = """iso3,year,label,value,low,high
KEN,2030,Asthma Deaths,900,500,1500
KEN,2031,Asthma Deaths,950,600,1500
UGA,2030,Asthma Deaths,400,,
"""
REFERENCE = "ISO3,all_treatments\nKEN,2500000\nUGA,1800000\nTZA,2000000\nIND,60000000\n"


def copy_bundled_study(folder: Path) -> Path:
    """The bundled study without results, in a new folder."""
    no_results = shutil.ignore_patterns("*.db*", "__pycache__")
    return Path(shutil.copytree(BUNDLED_STUDY, folder, ignore=no_results))


def change_coverage(study: Path, scenario: str, factor: float) -> None:
    """Every target coverage of a scenario becomes another, so that its next run moves numbers."""
    file = study / "scenarios" / f"{scenario}.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    for name, parameter in document["parameters"].items():
        if name.startswith("Target"):
            parameter["value"] = round(parameter["value"] * factor, 4)
    file.write_text(json.dumps(document, indent=2), encoding="utf-8")


def make_bundled_study(folder: Path) -> Path:
    """The database of two runs: all countries under three scenarios, then one changed in a few.

    Four countries have published figures. No scenario is called null, so no chart may say null.
    """
    study = copy_bundled_study(folder)
    for file in (study / "scenarios").glob("*.json"):
        if file.stem not in (BASELINE, TREATMENTS, AIR):
            file.unlink()
    run_ingest(study, "run", "--quiet")
    change_coverage(study, TREATMENTS, 0.9)
    run_ingest(study, "run", "--quiet", "--countries", "KEN,UGA,TZA,IND,DEU")
    (study / "published.csv").write_text(REFERENCE)
    run_ingest(study, "reference", "load", "published.csv", "--name", "published")
    (study / "levels.csv").write_text(LEVELS)
    run_ingest(study, "reference", "load", "levels.csv", "--name", "observed")
    return study / "validation_results.db"
