"use strict";
// Draws the figures near the window from the numbers in the page, a panel at a time, in the colours of the reader's
// scheme, and takes them down again far away from it. A figure that cannot be drawn shows its static picture.
(function () {
  const root = document.documentElement;
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
  if (typeof Plotly !== "object" || typeof DecompressionStream !== "function") return;
  const schemes = JSON.parse(document.getElementById("schemes").textContent);

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

  const unpacked = new Map(); // figure -> its panels, once they have been needed
  async function panelsOf(figure) {
    if (!unpacked.has(figure)) {
      const bytes = Uint8Array.from(atob(figure.querySelector(".panels").textContent), (c) => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      const panels = JSON.parse(await new Response(stream).text());
      for (const panel of panels) {
        panel.layout.dragmode = coarse ? false : "zoom"; // a finger on a figure scrolls the page
        for (const trace of panel.data) {
          if (trace.type === "heatmap" && !("zmax" in trace)) { // counts
            trace.customdata = trace.z;
            trace.z = trace.z.map((row) => row.map((count) => (count === 0 ? null : Math.log10(count))));
          }
        }
      }
      unpacked.set(figure, panels);
    }
    return unpacked.get(figure);
  }

  const rest = () => new Promise((done) => setTimeout(done, 0)); // lets the reader scroll between two panels

  async function draw(figure) {
    try {
      const panels = await panelsOf(figure);
      for (const place of figure.querySelectorAll("[data-panel]")) {
        if (!near.has(figure)) return;
        const panel = painted(panels[place.dataset.panel], schemes[dark.matches ? "dark" : "light"], "");
        for (const key of figure.querySelectorAll(".key[aria-pressed=false]")) {
          for (const trace of panel.data) if (trace.meta === key.dataset.series) trace.visible = false;
        }
        if (place.clientWidth < 200) panel.layout.xaxis.nticks = 4; // else labels run into one another
        await Plotly.react(place, panel.data, panel.layout, config);
        await rest();
      }
      figure.classList.add("drawn");
    } catch (error) {
      figure.classList.add("failed");
      console.error("figure " + figure.id + " could not be drawn:", error);
    }
  }

  function takeDown(figure) {
    figure.classList.remove("drawn");
    for (const place of figure.querySelectorAll("[data-panel]")) Plotly.purge(place);
  }

  const near = new Set(); // figures near the window
  const waiting = new Set(); // those of them that are to be drawn
  let drawing = false;
  async function drawWaiting() {
    if (drawing) return;
    drawing = true;
    while (waiting.size) {
      const middle = (figure) => {
        const { top, bottom } = figure.getBoundingClientRect();
        return Math.abs((top + bottom - innerHeight) / 2);
      };
      const [figure] = [...waiting].sort((a, b) => middle(a) - middle(b));
      waiting.delete(figure);
      await draw(figure);
      if (!near.has(figure)) takeDown(figure);
    }
    drawing = false;
    root.setAttribute("data-drawn", "");
  }
  function ask(figure) {
    if (figure.classList.contains("failed")) return;
    waiting.add(figure);
    root.removeAttribute("data-drawn");
  }

  root.classList.add("scripts");
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) {
          near.add(target);
          ask(target);
        } else {
          near.delete(target);
          waiting.delete(target);
          if (target.classList.contains("drawn")) takeDown(target);
        }
      }
      drawWaiting();
    },
    { rootMargin: "1200px 0px" },
  );
  const figures = document.querySelectorAll("figure[data-live]");
  for (const figure of figures) observer.observe(figure);
  if (figures.length === 0) root.setAttribute("data-drawn", "");

  document.addEventListener("click", (event) => {
    const key = event.target.closest(".key");
    if (key === null) return;
    key.setAttribute("aria-pressed", key.getAttribute("aria-pressed") === "true" ? "false" : "true");
    ask(key.closest("figure"));
    drawWaiting();
  });
  dark.addEventListener("change", () => {
    near.forEach(ask);
    drawWaiting();
  });
})();
