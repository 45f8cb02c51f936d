// A question's page: choices apply at once, tabs, and the link that can be copied.
"use strict";

(() => {
  document.documentElement.classList.add("scripted");
  const form = document.querySelector("form[data-question]");

  // Addresses stay short and follow later runs: what was neither chosen now nor before is left out.
  function leaveOutDefaults() {
    const given = new URLSearchParams(location.search);
    for (const field of form.elements) {
      if (!field.name || field.type === "checkbox") continue;
      if (field.value === field.dataset.initial && !given.has(field.name)) field.disabled = true;
    }
    for (const box of form.querySelectorAll("fieldset.many")) {
      const inputs = [...box.querySelectorAll("input[name]")];
      const isTouched = inputs.some((one) => one.checked !== one.defaultChecked);
      if (!isTouched && !given.has(inputs[0]?.name)) box.disabled = true;
    }
  }
  if (form) {
    for (const field of form.elements) if (field.name) field.dataset.initial = field.value;
    form.addEventListener("submit", () => {
      leaveOutDefaults();
      form.action = form.getAttribute("action").split("#")[0] + location.hash;
    });
    form.addEventListener("change", (event) => {
      if (event.target.type === "checkbox" || event.target.type === "search") return;
      form.requestSubmit();
    });
    // back from another page: what is chosen is what the page shows
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) location.reload();
    });
  }

  for (const box of document.querySelectorAll("fieldset.many")) {
    const filter = box.querySelector(".many-filter");
    filter.hidden = false;
    filter.addEventListener("input", () => {
      const sought = filter.value.trim().toLocaleLowerCase();
      for (const line of box.querySelectorAll("li")) {
        line.hidden = !line.textContent.toLocaleLowerCase().includes(sought);
      }
    });
    filter.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  }
  document.addEventListener("click", (event) => {
    for (const open of document.querySelectorAll("fieldset.many details[open]")) {
      if (!open.contains(event.target)) open.open = false;
    }
  });

  // The address names a panel otherwise than its id, so that the browser does not scroll to it.
  const nameOf = (panel) => panel.id.replace("panel-", "");

  // Tabs; without scripts the charts stand below each other.
  function makeTabs(box) {
    const panels = [...box.querySelectorAll(":scope > .tab")];
    if (panels.length < 2) return;
    const list = document.createElement("div");
    list.className = "tab-list";
    list.setAttribute("role", "tablist");
    const buttons = panels.map((panel) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = panel.dataset.title;
      button.id = `tab-${panel.id}`;
      button.setAttribute("role", "tab");
      button.setAttribute("aria-controls", panel.id);
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", button.id);
      panel.querySelector("h2")?.remove();
      button.addEventListener("click", () => {
        show(nameOf(panel));
        history.replaceState(null, "", `#${nameOf(panel)}`);
        updateLinks();
      });
      button.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const next = buttons[(buttons.indexOf(button) + step + buttons.length) % buttons.length];
        next.focus();
        next.click();
      });
      list.append(button);
      return button;
    });
    function show(name) {
      const chosen = panels.find((panel) => nameOf(panel) === name) ?? panels[0];
      panels.forEach((panel, at) => {
        panel.hidden = panel !== chosen;
        buttons[at].setAttribute("aria-selected", String(panel === chosen));
        buttons[at].tabIndex = panel === chosen ? 0 : -1;
      });
      document.dispatchEvent(new Event("ingest:shown"));
    }
    box.prepend(list);
    show(location.hash.slice(1));
    window.addEventListener("hashchange", () => show(location.hash.slice(1)));
  }
  document.querySelectorAll("[data-tabs]").forEach(makeTabs);

  // Pictures and the pinned link are of the tab that is shown.
  function updateLinks() {
    const panel = document.querySelector(".tab:not([hidden])[role=tabpanel]");
    const tab = panel && nameOf(panel);
    for (const link of document.querySelectorAll("a[data-picture]")) {
      const url = new URL(link.href);
      if (tab) url.searchParams.set("_chart", tab);
      link.href = url.href;
    }
    for (const link of document.querySelectorAll("a[data-copy-link]")) {
      const url = new URL(link.href);
      url.hash = location.hash;
      link.href = url.href;
    }
  }
  updateLinks();
  window.addEventListener("hashchange", updateLinks);

  for (const link of document.querySelectorAll("a[data-copy-link]")) {
    const words = link.textContent;
    link.addEventListener("click", async (event) => {
      if (!navigator.clipboard) return; // then it is a link like any other
      event.preventDefault();
      try {
        await navigator.clipboard.writeText(link.href);
        link.textContent = "Copied";
        setTimeout(() => (link.textContent = words), 2000);
      } catch {
        location.href = link.href;
      }
    });
  }
})();
