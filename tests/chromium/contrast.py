"""Whether text can be read: the contrast of each text with what is behind it, by WCAG 2.2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playwright.sync_api import Page

Colour = tuple[float, float, float]
Layer = tuple[float, float, float, float]
"""Red, green, blue of 0 to 255, and alpha of 0 to 1."""

LEAST = 4.5

# Every element that has text of its own and is seen: its colour with the alpha of all above it, and
# the backgrounds from the nearest to the page. Dots before names in charts are told by the names.
_READ = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const layer = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const ownText = (one) => [...one.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE)
    .map((node) => node.textContent).join("").trim();
  const found = [];
  for (const one of document.body.querySelectorAll("*")) {
    const words = ownText(one), style = getComputedStyle(one);
    if (!words || words === "●" || one.closest("script, style, noscript, option")) continue;
    if (!one.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const box = one.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    const isDrawn = one.ownerSVGElement !== null && one.ownerSVGElement !== undefined;
    let opacity = 1;
    const behind = [];
    for (let up = one; up; up = up.parentElement) {
      const above = getComputedStyle(up);
      opacity *= Number(above.opacity);
      if (!(up instanceof SVGElement)) behind.push(layer(above.backgroundColor));
    }
    const ink = layer(isDrawn ? style.fill : style.color);
    ink[3] *= opacity;
    const named = one.closest(":not(bdi)");
    const kind = `${named.tagName.toLowerCase()}.${named.getAttribute("class") ?? ""}`;
    found.push({ words: words.slice(0, 40), kind, ink, behind });
  }
  return found;
}"""


@dataclass(frozen=True)
class Text:
    """A text that is seen. kind: tag and class of its element; ratio: its contrast, 1 to 21."""

    words: str
    kind: str
    ratio: float


def read_texts(page: Page) -> list[Text]:
    """Every text of a page."""
    return [
        Text(one["words"], one["kind"], text_contrast(one["ink"], one["behind"]))
        for one in page.evaluate(_READ)
    ]


def too_faint(texts: Sequence[Text]) -> list[str]:
    """The texts below 4.5, each once."""
    faint = {f"{t.kind} {t.words!r}: {t.ratio:.2f}" for t in texts if t.ratio < LEAST}
    return sorted(faint)


def text_contrast(ink: Layer, behind: Sequence[Layer]) -> float:
    """The contrast of a colour over the layers behind it, the nearest first; white is below all."""
    ground: Colour = (255, 255, 255)
    for layer in reversed(behind):
        ground = _over(layer, ground)
    return contrast(_over(ink, ground), ground)


def contrast(one: Colour, other: Colour) -> float:
    """The contrast ratio of two opaque colours: 1 for equal ones, 21 for black and white."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _over(layer: Layer, ground: Colour) -> Colour:
    *colour, alpha = layer
    red, green, blue = (alpha * a + (1 - alpha) * b for a, b in zip(colour, ground, strict=True))
    return red, green, blue


def _luminance(colour: Colour) -> float:
    """Relative luminance, from 0 for black to 1 for white."""
    shares = (value / 255 for value in colour)
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
