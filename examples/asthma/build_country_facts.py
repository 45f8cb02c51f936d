"""countries.json and country_facts.csv, made from two Gapminder files as vega-datasets ships them.

    python build_country_facts.py gapminder-health-income.csv gapminder.json

Needs pycountry for the ISO3 codes. Both files are written beside this script.
Data: Gapminder, gapminder.org, CC BY 4.0. What was changed is told in README.md.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean

import pycountry

FERTILITY_YEAR = 2005  # the newest year of gapminder.json
FERTILITY_RANGE = (1.1, 6.0)  # children per woman; holds the rule where life expectancy is extreme

# Upper ends, international $ (PPP) per person and year: this study's own, not the World Bank's.
INCOME_GROUPS = (
    (2_500, "Low income"),
    (9_000, "Lower middle income"),
    (22_000, "Upper middle income"),
    (math.inf, "High income"),
)

EUROPE = "Europe and Central Asia"
REGIONS = {
    "america": "America",
    "east_asia_pacific": "East Asia and Pacific",
    "europe_central_asia": EUROPE,
    "middle_east_north_africa": "Middle East and North Africa",
    "south_asia": "South Asia",
    "sub_saharan_africa": "Sub-Saharan Africa",
}

# Gapminder's name -> ISO3 and the name shown: where pycountry lacks it or a newer name is in use.
BY_HAND = {
    "Brunei": ("BRN", "Brunei"),
    "Cape Verde": ("CPV", "Cabo Verde"),
    "Congo, Dem. Rep.": ("COD", "Democratic Republic of the Congo"),
    "Congo, Rep.": ("COG", "Republic of the Congo"),
    "Cote d'Ivoire": ("CIV", "Côte d'Ivoire"),
    "Czech Republic": ("CZE", "Czechia"),
    "Kyrgyz Republic": ("KGZ", "Kyrgyzstan"),
    "Lao": ("LAO", "Laos"),
    "Macedonia, FYR": ("MKD", "North Macedonia"),
    "Micronesia, Fed. Sts.": ("FSM", "Micronesia"),
    "Russia": ("RUS", "Russia"),
    "Slovak Republic": ("SVK", "Slovakia"),
    "St. Lucia": ("LCA", "Saint Lucia"),
    "St. Vincent and the Grenadines": ("VCT", "Saint Vincent and the Grenadines"),
    "Swaziland": ("SWZ", "Eswatini"),
    "Turkey": ("TUR", "Türkiye"),
    "West Bank and Gaza": ("PSE", "Palestine"),
}


@dataclass(frozen=True)
class CountryRow:
    """One line of country_facts.csv, in its column order."""

    iso3: str
    name: str
    region: str
    income_group: str
    population: int
    life_expectancy_years: float
    income_per_person: int
    fertility: float
    fertility_source: str


@dataclass(frozen=True)
class FertilityRule:
    """ln(children per woman) = intercept of the group + slope x life expectancy in years."""

    slope: float
    intercept_europe: float
    intercept_elsewhere: float

    def fertility(self, life_expectancy_years: float, region: str) -> float:
        """Children per woman, to two decimals, inside FERTILITY_RANGE."""
        intercept = self.intercept_europe if region == EUROPE else self.intercept_elsewhere
        low, high = FERTILITY_RANGE
        fitted = math.exp(intercept + self.slope * life_expectancy_years)
        return round(min(high, max(low, fitted)), 2)


def identify(gapminder_name: str) -> tuple[str, str]:
    """ISO3 and the name to show. Raises LookupError for a name neither source knows."""
    if gapminder_name in BY_HAND:
        return BY_HAND[gapminder_name]
    return str(pycountry.countries.lookup(gapminder_name).alpha_3), gapminder_name


def income_group(income_per_person: float) -> str:
    """The first group whose upper end lies above the income."""
    return next(name for upper, name in INCOME_GROUPS if income_per_person < upper)


def read_fertility(path: Path) -> dict[str, float]:
    """Gapminder's name -> children per woman in FERTILITY_YEAR."""
    records = json.loads(path.read_text(encoding="utf-8"))
    return {r["country"]: float(r["fertility"]) for r in records if r["year"] == FERTILITY_YEAR}


def fit_rule(countries: Sequence[dict[str, str]], fertility: dict[str, float]) -> FertilityRule:
    """Least squares with one slope and two intercepts, over the countries that have a figure."""
    known = [c for c in countries if c["country"] in fertility]
    points: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for c in known:
        in_europe = REGIONS[c["region"]] == EUROPE
        points[in_europe].append((float(c["health"]), math.log(fertility[c["country"]])))
    centre = {g: (fmean(x for x, _ in p), fmean(y for _, y in p)) for g, p in points.items()}
    offsets = [(x - centre[g][0], y - centre[g][1]) for g, p in points.items() for x, y in p]
    slope = round(math.fsum(x * y for x, y in offsets) / math.fsum(x * x for x, _ in offsets), 4)
    intercept = {g: round(y - slope * x, 4) for g, (x, y) in centre.items()}
    return FertilityRule(slope, intercept[True], intercept[False])


def build_rows(
    countries: Sequence[dict[str, str]], fertility: dict[str, float], rule: FertilityRule
) -> list[CountryRow]:
    """One row a country, sorted by ISO3."""
    rows = []
    for source in countries:
        iso3, name = identify(source["country"])
        region, years = REGIONS[source["region"]], float(source["health"])
        known = fertility.get(source["country"])
        rows.append(
            CountryRow(
                iso3=iso3,
                name=name,
                region=region,
                income_group=income_group(float(source["income"])),
                population=int(source["population"]),
                life_expectancy_years=years,
                income_per_person=int(source["income"]),
                fertility=rule.fertility(years, region) if known is None else known,
                fertility_source="rule" if known is None else "gapminder",
            )
        )
    return sorted(rows, key=lambda row: row.iso3)


def write_facts(rows: Sequence[CountryRow], path: Path) -> None:
    """country_facts.csv: a header, then one line a country."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(CountryRow)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def write_countries(rows: Sequence[CountryRow], path: Path) -> None:
    """countries.json: one country a line, so that a difference reads well."""
    keys = ("name", "iso3", "region", "income_group")
    lines = [
        json.dumps({key: getattr(row, key) for key in keys}, ensure_ascii=False) for row in rows
    ]
    text = '{\n"countries": [\n' + ",\n".join(lines) + "\n]\n}\n"
    path.write_text(text, encoding="utf-8")


def main(health_income_csv: str, gapminder_json: str) -> None:
    """Read both files, write both results, say what the fertility rule came out as."""
    with Path(health_income_csv).open(encoding="utf-8", newline="") as file:
        countries = list(csv.DictReader(file))
    fertility = read_fertility(Path(gapminder_json))
    rule = fit_rule(countries, fertility)
    rows = build_rows(countries, fertility, rule)
    here = Path(__file__).parent
    write_facts(rows, here / "country_facts.csv")
    write_countries(rows, here / "countries.json")
    by_rule = sum(row.fertility_source == "rule" for row in rows)
    print(f"{len(rows)} countries, fertility by rule for {by_rule}: {rule}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: build_country_facts.py gapminder-health-income.csv gapminder.json")
    main(sys.argv[1], sys.argv[2])
