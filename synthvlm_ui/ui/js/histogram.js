// One score: a histogram of all and kept candidates with a threshold that can be dragged, slid or typed.

import { el, icon, uniqueId } from "./dom.js";
import { count } from "./format.js";

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 640, HEIGHT = 120;
const STEPS = 1000;

// ``onchange(threshold | null)`` while it moves. ``display()`` gives {factor, digits, name} of the numbers shown.
export class Histogram {
  constructor({ title, column, onchange, display }) {
    Object.assign(this, { title, column, onchange, display, threshold: null, low: 0, high: 1, data: null });
    this.buildPlot();
    this.slider = el("input", { type: "range", min: 0, max: STEPS, step: 1, value: 0, class: "s-slider",
      "aria-label": `${title} threshold`, oninput: () => this.slid() });
    this.number = el("input", { type: "number", step: "any", placeholder: "off", id: uniqueId("threshold"),
      "aria-label": `${title} at least`,
      oninput: () => this.typed() });
    this.off = el("button", { type: "button", class: "s-button s-small", title: "No threshold",
      "aria-label": `${title}: no threshold`, onclick: () => this.choose(null) }, icon("cross"));
    this.axis = el("div", { class: "s-axis" }, el("span"), this.mean = el("span"), el("span"));
    this.named = el("span", { class: "s-subdued" });
    this.root = el("section", { class: "s-histogram", "data-column": column, "aria-label": title },
      el("div", { class: "s-histogram-head" }, el("h3", { text: title }), this.named,
        el("label", { for: this.number.id, text: "≥", title: "at least" }), this.number, this.off),
      this.plot, this.slider, this.axis);
  }

  buildPlot() {
    this.svg = document.createElementNS(SPACE, "svg");
    this.svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("role", "img");
    this.paths = ["s-bars-all", "s-bars-kept"].map((name) => {
      const path = document.createElementNS(SPACE, "path");
      path.setAttribute("class", name);
      this.svg.append(path);
      return path;
    });
    this.line = el("div", { class: "s-threshold", "aria-hidden": "true" });
    this.shade = el("div", { class: "s-below" });
    this.plot = el("div", { class: "s-plot" }, this.svg, this.shade, this.line);
    this.plot.addEventListener("pointerdown", (event) => this.grab(event));
  }

  grab(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.plot.setPointerCapture(event.pointerId);
    this.plot.classList.add("s-dragging");
    const move = (moved) => {
      const box = this.plot.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (moved.clientX - box.left) / box.width));
      this.choose(share <= 0 ? null : this.low + share * (this.high - this.low));
    };
    const end = () => {
      this.plot.classList.remove("s-dragging");
      this.plot.removeEventListener("pointermove", move);
      this.plot.removeEventListener("pointerup", end);
      this.plot.removeEventListener("pointercancel", end);
    };
    this.plot.addEventListener("pointermove", move);
    this.plot.addEventListener("pointerup", end);
    this.plot.addEventListener("pointercancel", end);
    move(event);
  }

  slid() {
    const share = Number(this.slider.value) / STEPS;
    this.choose(share <= 0 ? null : this.low + share * (this.high - this.low));
  }

  typed() {
    const text = this.number.value.trim();
    if (text === "" && this.number.validity.badInput) return;
    const value = text === "" ? null : Number(text) / this.display().factor;
    if (value !== null && !Number.isFinite(value)) return;
    this.threshold = value;
    this.place();
    this.onchange(value);
  }

  choose(value) {
    this.set(value === null ? null : Number(value.toPrecision(6)), true);
    this.onchange(this.threshold);
  }

  // A number somebody is typing is left alone unless ``rewrite`` asks for it in a new scale.
  set(value, rewrite = false) {
    this.threshold = value ?? null;
    const { factor, digits } = this.display();
    if (rewrite || document.activeElement !== this.number) {
      this.number.value = this.threshold === null ? "" : (this.threshold * factor).toFixed(digits + 1);
    }
    this.place();
  }

  place() {
    const span = this.high - this.low || 1;
    const share = this.threshold === null ? 0 : Math.min(1, Math.max(0, (this.threshold - this.low) / span));
    if (document.activeElement !== this.slider || this.threshold === null) this.slider.value = Math.round(share * STEPS);
    const { factor, digits } = this.display();
    this.slider.setAttribute("aria-valuetext", this.threshold === null ? "off"
      : (this.threshold * factor).toFixed(digits));
    this.line.style.left = this.shade.style.width = `${100 * share}%`;
    this.plot.classList.toggle("s-off", this.threshold === null);
    this.off.disabled = this.threshold === null;
  }

  show(data, rewrite = false) {
    this.data = data;
    const { factor, digits, name } = this.display();
    this.named.textContent = name ? `(${name})` : "";
    this.number.step = 10 ** -digits;
    const empty = !data || data.min === null || data.min === undefined;
    this.root.classList.toggle("s-without", empty);
    this.slider.disabled = this.number.disabled = empty;
    if (empty) {
      for (const path of this.paths) path.setAttribute("d", "");
      this.mean.textContent = "no scores yet";
      return;
    }
    this.low = data.edges[0];
    this.high = data.edges.at(-1);
    const top = Math.max(1, ...data.all);
    this.paths[0].setAttribute("d", bars(data.all, top));
    this.paths[1].setAttribute("d", bars(data.kept, top));
    const shown = (value) => (value * factor).toFixed(digits);
    this.axis.firstChild.textContent = shown(this.low);
    this.axis.lastChild.textContent = shown(this.high);
    this.mean.textContent = `mean ${shown(data.mean)} ± ${shown(data.std)}`;
    const sum = (values) => values.reduce((a, b) => a + b, 0);
    this.svg.setAttribute("aria-label", `${this.title}: ${count(sum(data.all))} candidates from ${shown(data.min)} to `
      + `${shown(data.max)}, ${count(sum(data.kept))} kept`);
    this.set(this.threshold, rewrite);
  }
}

function bars(values, top) {
  const step = WIDTH / values.length;
  const gap = Math.min(1.5, step / 6);
  return values.map((value, place) => {
    if (!value) return "";
    const height = Math.max(1.5, (value / top) * (HEIGHT - 4));
    const left = place * step + gap / 2;
    return `M${left.toFixed(2)} ${HEIGHT}v${(-height).toFixed(2)}h${(step - gap).toFixed(2)}V${HEIGHT}z`;
  }).join("");
}
