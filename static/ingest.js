// Small conveniences; every page works without them.
"use strict";

// Menus close on a click elsewhere and on Escape.
function closeMenus(except) {
  document.querySelectorAll("details.actions-menu-links[open]").forEach((menu) => {
    if (menu !== except) menu.open = false;
  });
}
document.addEventListener("click", (event) => closeMenus(event.target.closest("details")));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeMenus(null);
});

// A choice in a form that asks for it is applied at once.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-submit-on-change]");
  if (form) form.requestSubmit();
});

// The progress of a run: asked for every few seconds while the page is visible, told in place;
// when the run has ended, or its process has, the page is loaded anew, once.
function watchProgress(box) {
  const everyMs = 3000;
  async function look() {
    if (!document.hidden) {
      try {
        const answer = await fetch(box.dataset.progress, { cache: "no-store" });
        if (answer.ok) show(await answer.json());
      } catch (error) {
        // the server is away; the next round asks again
      }
    }
    setTimeout(look, everyMs);
  }
  function show(progress) {
    const isCutOff = "cutOff" in box.dataset;
    if (progress.status !== "running" || progress.cut_off !== isCutOff) {
      location.reload();
      return;
    }
    box.querySelector("progress").value = progress.finished;
    box.querySelector("progress").max = Math.max(progress.total, 1);
    box.querySelector("[data-words]").textContent = progress.words;
  }
  setTimeout(look, everyMs);
}
document.querySelectorAll("[data-progress]").forEach(watchProgress);

// Datasette's table menus ask this.
const allowFacet = document.querySelector('meta[name="allow-facet"]');
var DATASETTE_ALLOW_FACET = allowFacet !== null && allowFacet.content === "true";

// Datasette's tables: names for the controls that have none, and the menus of columns by keyboard.
function nameTableControls() {
  const names = { _filter_column: "Column", _filter_op: "Condition", _filter_value: "Value" };
  document.querySelectorAll("form.filters select, form.filters input").forEach((field) => {
    const name = names[field.name.replace(/_\d+$/, "")];
    if (name && !field.labels.length) field.setAttribute("aria-label", name);
  });
  document.querySelectorAll("svg.dropdown-menu-icon").forEach((icon) => {
    icon.setAttribute("role", "button");
    icon.setAttribute("tabindex", "0");
    icon.setAttribute("aria-label", "Menu of " + icon.closest("th").dataset.column);
    icon.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      icon.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    });
  });
}
document.addEventListener("DOMContentLoaded", nameTableControls);

// The matrix: one stop of the Tab key, arrow keys within; what a cell means is told on hover
// and on focus.
function guideMatrix(matrix) {
  const cells = () => Array.from(matrix.querySelectorAll("td a, tbody th a"));
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  cells().forEach((cell, number) => { if (number) cell.tabIndex = -1; });

  function tell(cell) {
    const words = cell && cell.getAttribute("aria-label");
    tip.hidden = !words;
    if (!words) return;
    tip.textContent = words;
    const place = cell.getBoundingClientRect();
    const left = Math.min(place.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
    const below = place.bottom + 6 + tip.offsetHeight < window.innerHeight;
    tip.style.left = Math.max(left, 8) + "px";
    tip.style.top = (below ? place.bottom + 6 : place.top - tip.offsetHeight - 6) + "px";
  }
  function go(from, key) {
    const row = from.closest("tr");
    const inRow = Array.from(row.querySelectorAll("a"));
    const column = inRow.indexOf(from);
    if (key === "ArrowRight") return inRow[column + 1];
    if (key === "ArrowLeft") return inRow[column - 1];
    const rows = Array.from(matrix.querySelectorAll("tbody tr"));
    const next = rows[rows.indexOf(row) + (key === "ArrowDown" ? 1 : -1)];
    return next && Array.from(next.querySelectorAll("a"))[column];
  }
  matrix.addEventListener("mouseover", (event) => tell(event.target.closest("td a")));
  matrix.addEventListener("mouseleave", () => tell(null));
  matrix.addEventListener("focusin", (event) => {
    cells().forEach((cell) => { cell.tabIndex = cell === event.target ? 0 : -1; });
    tell(event.target.closest("td a"));
  });
  matrix.addEventListener("focusout", () => tell(null));
  matrix.addEventListener("keydown", (event) => {
    if (event.key === "Escape") tell(null);
    if (!event.key.startsWith("Arrow")) return;
    const next = go(event.target, event.key);
    if (next) {
      event.preventDefault();
      next.focus();
    }
  });
  document.addEventListener("scroll", () => tell(null), { capture: true, passive: true });
}
document.querySelectorAll("[data-matrix]").forEach(guideMatrix);
