"""What a drawn chart is made of, as the browser has it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

# Marks are what Vega draws for data: bars, lines, points, shapes. Those that cannot be seen (the
# points that only catch the pointer) do not count. An axis or a legend tells what they mean.
_READ = """() => [...document.querySelectorAll("figure.chart")]
  .filter((figure) => figure.querySelector(".chart-picture").clientWidth > 0)
  .map((figure) => {
    const svg = figure.querySelector(".chart-picture svg");
    const texts = (selector) =>
      [...(svg?.querySelectorAll(selector) ?? [])].map((one) => one.textContent);
    const isSeen = (mark) => {
      const box = mark.getBBox(), style = getComputedStyle(mark);
      const isPainted = [style.fill, style.stroke].some((p) => p !== "none" && p !== "transparent");
      return isPainted && Number(style.opacity) > 0 && box.width + box.height > 0;
    };
    const kinds = ["rect", "line", "symbol", "shape", "area", "arc"];
    const marks = [...(svg?.querySelectorAll(
      kinds.map((kind) => `.role-mark.mark-${kind} path`).join()) ?? [])].filter(isSeen);
    return {
      marks: marks.map((mark) => [mark.getAttribute("d"), getComputedStyle(mark).fill,
                                  getComputedStyle(mark).stroke, mark.getAttribute("transform")]),
      scale: texts(".role-axis-label text, .role-legend-label text"),
      texts: texts("text"),
      isMap: svg !== null && svg.querySelector(".role-mark.mark-shape") !== null,
      width: svg?.getBoundingClientRect().width ?? 0,
      scaled: svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1,
      room: figure.querySelector(".chart-picture").clientWidth,
    };
  })"""
_NO_VALUE = re.compile(r"\b(NaN|undefined|Infinity|null)\b|\[object")


@dataclass(frozen=True)
class Chart:
    """A chart that is shown. marks: path, fill, stroke and place of each; texts: all in it.

    width and room: pixels that it takes and that there are; scaled: 1 where texts have their size.
    """

    marks: list[list[str]]
    scale: list[str]
    texts: list[str]
    is_map: bool
    width: float
    room: float
    scaled: float

    @property
    def fills(self) -> set[str]:
        return {fill for _, fill, _, _ in self.marks}

    def problems(self, null_is_a_name: bool = False) -> list[str]:
        """Why nobody could read it. null_is_a_name: a scenario of the study has this name."""
        found = [] if self.marks else ["it has no marks"]
        found += [] if self.scale else ["neither axis nor legend has a text"]
        bad = [text for text in self.texts if _NO_VALUE.search(text)]
        if null_is_a_name:
            bad = [text for text in bad if not re.fullmatch(r"[^\d]*\bnull\b[^\d]*", text)]
        found += [f"it says {text!r}" for text in bad]
        if self.width > self.room + 1:
            found.append(f"it is {self.width:.0f} px wide where there are {self.room}")
        if self.scaled < 0.95:
            found.append(f"its texts are drawn at {self.scaled:.0%} of their size")
        return found


def read_charts(page: Page) -> list[Chart]:
    """The charts that can be seen, in their order."""
    found: list[dict[str, Any]] = page.evaluate(_READ)
    return [
        Chart(
            one["marks"],
            one["scale"],
            one["texts"],
            one["isMap"],
            one["width"],
            one["room"],
            one["scaled"],
        )
        for one in found
    ]
