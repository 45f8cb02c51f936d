// A click on a heading sorts the rows of a table that has them all: up, down, then as they came.
"use strict";

(() => {
  const NEXT = { none: "ascending", ascending: "descending", descending: "none" };
  const texts = new Intl.Collator(undefined, { numeric: true });

  // What a cell is sorted by: its number or time as it is in the data, else its text.
  const valueOf = (cell) => cell.dataset.value ?? cell.textContent.trim();

  function keysOf(rows, column) {
    const values = rows.map((row) => valueOf(row.cells[column]));
    const areNumbers = values.every((value) => value === "" || !Number.isNaN(Number(value)));
    return new Map(rows.map((row, at) => {
      const value = values[at];
      return [row, value === "" ? null : areNumbers ? Number(value) : value];
    }));
  }

  // Empty cells are last either way.
  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" ? a - b || 0 : texts.compare(a, b));
  }

  function makeSortable(table) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    if (original.length < 2) return;
    const headings = [...table.tHead.rows[0].cells];

    function sortBy(column) {
      const order = NEXT[headings[column].getAttribute("aria-sort") ?? "none"];
      headings.forEach((heading) => heading.removeAttribute("aria-sort"));
      const rows = [...original];
      if (order !== "none") {
        const sign = order === "ascending" ? 1 : -1;
        const keys = keysOf(rows, column);
        headings[column].setAttribute("aria-sort", order);
        rows.sort((a, b) => compare(keys.get(a), keys.get(b), sign));
      }
      body.append(...rows);
    }

    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sortBy(column));
      heading.append(button);
    });
  }

  document.querySelectorAll("table[data-sortable]").forEach(makeSortable);
})();
