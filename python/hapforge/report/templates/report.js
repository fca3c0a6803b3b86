"use strict";
// Draws every panel from the JSON in the page, one at a time, in the colours of the reader's scheme. A figure keeps
// its static picture until all of its panels are drawn, and gets it back if one of them fails.
(function () {
  const payload = JSON.parse(document.getElementById("payload").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)").matches;
  // No buttons: they would be dozens of stops of the Tab key, and one of them offers to send the numbers away.
  const config = {
    responsive: true,
    displayModeBar: false,
    showSendToCloud: false,
    plotlyServerURL: "",
    typesetMath: false, // a name between dollar signs is a name
  };

  // Colours are given by role, under keys that end in "color" and in colour scales, never in names or labels.
  function painted(node, scheme, key) {
    if (Array.isArray(node)) {
      return key === "colorscale"
        ? node.map(([at, role]) => [at, scheme[role]])
        : typeof node[0] === "object" && node[0] !== null && !Array.isArray(node[0])
          ? node.map((part) => painted(part, scheme, ""))
          : node;
    }
    if (typeof node === "object" && node !== null) {
      const copy = {};
      for (const name of Object.keys(node)) copy[name] = painted(node[name], scheme, name);
      return copy;
    }
    return typeof node === "string" && /color$/.test(key) && Object.hasOwn(scheme, node) ? scheme[node] : node;
  }

  for (const panel of Object.values(payload.panels)) {
    panel.layout.dragmode = coarse ? false : "zoom"; // a finger on a figure scrolls the page
    for (const trace of panel.data) {
      if (trace.type === "heatmap" && !("zmax" in trace)) { // counts
        trace.customdata = trace.z;
        trace.z = trace.z.map((row) => row.map((count) => (count === null ? null : Math.log10(count))));
      }
    }
  }

  async function draw(figure) {
    const scheme = payload.schemes[dark.matches ? "dark" : "light"];
    figure.classList.add("drawn");
    try {
      for (const place of figure.querySelectorAll("[data-panel]")) {
        const panel = painted(payload.panels[place.dataset.panel], scheme, "");
        for (const key of figure.querySelectorAll(".key[aria-pressed=false]")) {
          for (const trace of panel.data) if (trace.meta === key.dataset.series) trace.visible = false;
        }
        await Plotly.react(place, panel.data, panel.layout, config);
        await new Promise((done) => setTimeout(done, 0)); // let the reader scroll between two panels
      }
    } catch (error) {
      figure.classList.remove("drawn");
      console.error("figure " + figure.id + " could not be drawn:", error);
    }
  }

  let drawing = Promise.resolve();
  function drawAll() {
    for (const figure of document.querySelectorAll("figure[data-live]")) {
      drawing = drawing.then(() => draw(figure));
    }
    drawing = drawing.then(() => document.documentElement.setAttribute("data-drawn", ""));
  }

  document.addEventListener("click", (event) => {
    const key = event.target.closest(".key");
    if (key === null) return;
    key.setAttribute("aria-pressed", key.getAttribute("aria-pressed") === "true" ? "false" : "true");
    drawing = drawing.then(() => draw(key.closest("figure")));
  });

  if (typeof Plotly === "object") {
    dark.addEventListener("change", drawAll);
    drawAll();
  }
})();
