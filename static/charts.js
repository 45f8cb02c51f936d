// Draws every chart of a page with Vega-Embed, from the specification that stands in it.
// Nothing is loaded from elsewhere; expressions are interpreted and never compiled.
"use strict";

(() => {
  const DARK = {
    ink: "#e8eaed", quiet: "#a5adb8", grid: "#2b3038", line: "#7c8592", nothing: "#3a4049", page: "#14171b",
    // each colour of the palette, light enough for a dark page
    swap: {
      "#0072B2": "#4AA3DF", "#D55E00": "#F0813A", "#009E73": "#2FC19A", "#CC79A7": "#DE9CC2", "#56B4E9": "#8FD0F5",
      "#E69F00": "#F2BC4B", "#882255": "#C4668F", "#5B616A": "#A5ADB8", "#B4B9C1": "#565D68", "#1c1e21": "#e8eaed",
      "#9aa1ac": "#7c8592", "#d9dce1": "#3a4049", white: "#14171b",
    },
  };
  const NARROW_PX = 520;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  // Colours stand as whole strings; texts of the data are never whole colours of the palette's form.
  function recolour(value, key) {
    if (typeof value === "string") return key === "values" ? value : DARK.swap[value] ?? value;
    if (Array.isArray(value)) return value.map((one) => recolour(one, key));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, recolour(one, name)]));
    }
    return value;
  }

  function forPage(spec, width) {
    let page = structuredClone(spec);
    delete page.$schema; // the version that draws it is the one that is here
    page.autosize = { contains: "padding" };
    if (typeof page.width === "number") page.width = "container";
    if (page.facet) inRows(page, width);
    if (page.facet && page.columns) fitPanels(page, width);
    if (page.projection) page.height = Math.round(Math.min(width, 960) * 0.5);
    page.config = { ...page.config, background: "transparent" };
    if (width < NARROW_PX) {
      page.config.axis = { ...page.config.axis, labelLimit: 110, labelFontSize: 11, tickCount: 4 };
      narrow(page);
    }
    if (dark.matches) {
      page = recolour(page, "");
      page.config.axis = { ...page.config.axis, gridColor: DARK.grid, labelColor: DARK.ink, titleColor: DARK.quiet };
      page.config.legend = { ...page.config.legend, labelColor: DARK.ink, titleColor: DARK.quiet };
    }
    return page;
  }

  // As many panels side by side as there is room for; on a phone one below the other.
  function inRows(page, width) {
    const ROOM_PX = 56; // for an axis, and between panels
    page.columns = Math.max(1, Math.min(page.columns, Math.floor(width / (page.spec.width + 24))));
    if (page.columns === 1) page.spec.width = Math.min(page.spec.width * 1.5, width - ROOM_PX);
  }

  // Small multiples: as many panels side by side as can be read.
  function fitPanels(page, width) {
    const spacing = page.spacing ?? 20;
    page.columns = Math.max(1, Math.min(page.columns, Math.floor(width / 210)));
    page.spec = { ...page.spec, width: Math.floor((width - 60) / page.columns - spacing) };
  }

  // On a phone names take less of the width.
  function narrow(page) {
    for (const layer of page.layer ?? []) {
      if (layer.mark?.type === "text" && layer.mark.limit) layer.mark.limit = 80;
      for (const channel of Object.values(layer.encoding ?? {})) {
        if (channel.axis?.labelLimit) channel.axis.labelLimit = 110;
        if (channel.axis?.tickCount) channel.axis.tickCount = 4;
        if (channel.axis?.values?.length > 4) delete channel.axis.values;
        if (channel.legend?.columns) channel.legend.columns = 1;
      }
    }
  }

  async function draw(figure) {
    const picture = figure.querySelector(".chart-picture");
    const message = figure.querySelector(".chart-message");
    const width = picture.clientWidth;
    if (width === 0 || figure.dataset.drawing) return; // hidden for now; drawn when its tab is shown
    figure.dataset.drawing = "1";
    try {
      if (typeof vegaEmbed !== "function") throw new Error("charts are not installed here: pip install 'ingest[charts]'");
      figure.vegaView?.finalize();
      const spec = JSON.parse(figure.querySelector(".chart-spec").textContent);
      const options = { mode: "vega-lite", actions: false, renderer: "svg", ast: true, tooltip: { theme: "custom" }, logLevel: 1 };
      const result = await vegaEmbed(picture, forPage(spec, width), options);
      figure.vegaView = result;
      figure.dataset.drawn = dark.matches ? "dark" : "light";
      figure.dataset.width = String(width);
      message.textContent = "";
    } catch (error) {
      message.textContent = `This chart could not be drawn: ${error.message}`;
    } finally {
      delete figure.dataset.drawing;
    }
  }

  const figures = () => [...document.querySelectorAll("figure.chart")];
  const isDue = (figure) => {
    const width = figure.querySelector(".chart-picture").clientWidth;
    const crossed = (Number(figure.dataset.width) < NARROW_PX) !== (width < NARROW_PX);
    return !figure.dataset.drawn || (width > 0 && crossed);
  };
  function drawDue() {
    figures().filter(isDue).forEach(draw);
  }

  document.addEventListener("ingest:shown", drawDue);
  window.addEventListener("resize", drawDue);
  dark.addEventListener("change", () => {
    figures().forEach((figure) => delete figure.dataset.drawn);
    drawDue();
  });
  drawDue();
})();
