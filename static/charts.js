// Draws every chart of a page with Vega-Embed, from the specification in it.
// Nothing is loaded from elsewhere; expressions are interpreted and never compiled.
"use strict";

(() => {
  const DARK = {
    ink: "#e8eaed", quiet: "#a5adb8", grid: "#2b3038", line: "#7c8592", page: "#14171b",
    diverging: ["#c3a6ff", "#454c57", "#ffab5e"],
    // each colour of the palette, light enough for a dark page
    swap: {
      "#0072B2": "#4AA3DF", "#D55E00": "#F0813A", "#009E73": "#2FC19A", "#CC79A7": "#DE9CC2", "#56B4E9": "#8FD0F5",
      "#E69F00": "#F2BC4B", "#882255": "#C4668F", "#5B616A": "#A5ADB8", "#B4B9C1": "#565D68", "#1c1e21": "#e8eaed",
      "#9aa1ac": "#7c8592", "#d9dce1": "#262b33", "#f3f3f0": "#454c57", white: "#14171b",
    },
  };
  const NARROW_PX = 520;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const schemeNow = () => (dark.matches ? "dark" : "light");

  // Colours are whole strings; texts of the data are never whole colours of the palette's form.
  function recolour(value, key) {
    if (typeof value === "string") return key === "values" ? value : DARK.swap[value] ?? value;
    if (Array.isArray(value)) return value.map((one) => recolour(one, key));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, recolour(one, name)]));
    }
    return value;
  }

  // The scale of a map goes through white in the light; here zero is as dark as the page allows.
  function darkenMiddle(page) {
    for (const layer of page.layer ?? []) {
      const scale = layer.encoding?.color?.scale;
      if (!scale?.scheme) continue;
      delete scale.scheme;
      scale.range = DARK.diverging;
      scale.interpolate = "lab";
    }
    return page;
  }

  function forPage(spec, width) {
    let page = structuredClone(spec);
    delete page.$schema; // the version that draws it is the one that is here
    page.autosize = { contains: "padding" };
    if (typeof page.width === "number") page.width = "container";
    if (page.facet) fitPanels(page, width);
    if (page.projection) page.height = Math.round(Math.min(width, 960) * 0.5);
    page.config = { ...page.config, background: "transparent" };
    if (width < NARROW_PX) {
      page.config.axis = { ...page.config.axis, labelLimit: 110, labelFontSize: 11, tickCount: 4 };
      narrow(page);
      if (page.title?.text) page.title.text = inLines(page.title.text, width);
    }
    if (dark.matches) {
      page = darkenMiddle(recolour(page, ""));
      page.config.axis = { ...page.config.axis, gridColor: DARK.grid, labelColor: DARK.ink, titleColor: DARK.quiet };
      page.config.legend = { ...page.config.legend, labelColor: DARK.ink, titleColor: DARK.quiet };
    }
    return page;
  }

  // Small multiples: as many panels side by side as can be read, two on a phone.
  function fitPanels(page, width) {
    const LEAST_PX = 150;
    const AXIS_PX = 60;
    const spacing = page.spacing ?? 20;
    page.columns = Math.max(1, Math.min(page.columns, Math.floor(width / LEAST_PX)));
    page.spec = { ...page.spec, width: Math.floor((width - AXIS_PX) / page.columns - spacing) };
    page.facet.header.labelLimit = page.spec.width + spacing;
  }

  // A title that is wider than its panels would make the whole chart smaller.
  function inLines(text, width) {
    const LETTER_PX = 9;
    const lines = [""];
    for (const word of [text].flat().join(" ").split(" ")) {
      const longer = `${lines.at(-1)} ${word}`.trim();
      if (longer.length * LETTER_PX > width && lines.at(-1)) lines.push(word);
      else lines[lines.length - 1] = longer;
    }
    return lines;
  }

  // On a phone names take less of the width.
  function narrow(page) {
    if (typeof page.title?.subtitle === "string") page.title.subtitle = page.title.subtitle.split(" · ");
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

  // Where the pointer takes the nearest year, Vega-Lite 6.4 looks for the texts of the year one level
  // too high; every hover text would be "undefined".
  function mendNearest(vega) {
    for (const mark of vega.marks ?? []) {
      const tooltip = mark.encode?.update?.tooltip;
      if (tooltip?.signal && mark.name?.endsWith("_voronoi")) {
        tooltip.signal = tooltip.signal.replace(/(?<!datum\.)datum(?=\["\w+"\])/g, "datum.datum");
      }
      mendNearest(mark);
    }
    return vega;
  }

  async function draw(figure) {
    const picture = figure.querySelector(".chart-picture");
    const message = figure.querySelector(".chart-message");
    const width = picture.clientWidth;
    if (width === 0 || figure.dataset.drawing) return; // hidden for now; drawn when its tab is shown
    const scheme = schemeNow();
    let isDrawn = false;
    figure.dataset.drawing = "1";
    if (!figure.dataset.drawn) message.textContent = "Drawing the chart …";
    try {
      if (typeof vegaEmbed !== "function") throw new Error("charts are not installed here: pip install 'ingest[charts]'");
      figure.vegaView?.finalize();
      const spec = JSON.parse(figure.querySelector(".chart-spec").textContent);
      const options = { mode: "vega-lite", actions: false, renderer: "svg", ast: true, tooltip: { theme: "custom" }, logLevel: 1, patch: mendNearest };
      const page = { ...forPage(spec, width), description: picture.getAttribute("aria-label") };
      const result = await vegaEmbed(picture, page, options);
      figure.vegaView = result;
      figure.dataset.drawn = scheme;
      figure.dataset.width = String(width);
      message.textContent = "";
      isDrawn = true;
    } catch (error) {
      message.textContent = `This chart could not be drawn: ${error.message}`;
    } finally {
      delete figure.dataset.drawing;
    }
    if (isDrawn && isDue(figure)) draw(figure); // the window or the scheme has changed meanwhile
  }

  const figures = () => [...document.querySelectorAll("figure.chart")];
  const isDue = (figure) => {
    const width = figure.querySelector(".chart-picture").clientWidth;
    const crossed = (Number(figure.dataset.width) < NARROW_PX) !== (width < NARROW_PX);
    return figure.dataset.drawn !== schemeNow() || (width > 0 && crossed);
  };
  function drawDue() {
    figures().filter(isDue).forEach(draw);
  }

  document.addEventListener("ingest:shown", drawDue);
  window.addEventListener("resize", drawDue);
  dark.addEventListener("change", drawDue);
  drawDue();
})();
