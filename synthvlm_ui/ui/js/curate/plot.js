// The picture of one histogram with its two lines: bars of all and of kept candidates, real images as an outline, and
// pointer and keys that move a line or brush a range. Knows positions, not scores' names.

import { el } from "../dom.js";

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 640, HEIGHT = 120;
const NEAR_PX = 12, NEAR_TOUCH_PX = 26, CLICK_PX = 4;
const STEP = 0.002, LEAP = 0.05;

// ``onmove({min, max})`` in the units of the edges, null where there is no line; ``printed(value)`` names a value.
export class Plot {
  constructor({ title, onmove, printed }) {
    Object.assign(this, { title, onmove, printed, low: 0, high: 1, min: null, max: null, bins: 0 });
    this.svg = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    const path = (name) => this.svg.appendChild(svg("path", { class: name }));
    this.all = path("s-bars-all");
    this.kept = path("s-bars-kept");
    this.real = path("s-bars-real");
    this.real.setAttribute("vector-effect", "non-scaling-stroke");
    this.lines = { min: this.line("min", "threshold"), max: this.line("max", "upper threshold") };
    this.below = el("div", { class: "s-below" });
    this.above = el("div", { class: "s-above" });
    this.root = el("div", { class: "s-plot" }, this.svg, this.below, this.above, this.lines.min, this.lines.max);
    this.root.addEventListener("pointerdown", (event) => this.grab(event));
    this.root.addEventListener("dblclick", () => this.moved({ min: null, max: null }));
  }

  line(which, name) {
    const node = el("div", { class: `s-line s-line-${which}`, role: "slider", tabindex: "0", "aria-orientation": "horizontal",
      "aria-label": `${this.title} ${name}` });
    node.addEventListener("keydown", (event) => this.keyed(which, event));
    return node;
  }

  share(value) {
    return Math.min(1, Math.max(0, (value - this.low) / (this.high - this.low || 1)));
  }

  value(share) { return Number((this.low + share * (this.high - this.low)).toPrecision(6)); }

  moved(changed) {
    const lines = { min: this.min, max: this.max, ...changed };
    if (lines.min !== null && lines.max !== null && lines.min > lines.max) {
      // one line pushes the other before it
      if ("min" in changed && !("max" in changed)) lines.max = lines.min;
      else if ("max" in changed && !("min" in changed)) lines.min = lines.max;
    }
    this.place(lines);
    this.onmove(lines);
  }

  keyed(which, event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this[which] === null ? (which === "min" ? 0 : 1) : this.share(this[which]);
    const to = { ArrowRight: at + STEP, ArrowUp: at + STEP, ArrowLeft: at - STEP, ArrowDown: at - STEP,
      PageUp: at + LEAP, PageDown: at - LEAP, Home: 0, End: 1, Delete: null, Backspace: null }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const off = to === null || (which === "min" ? to <= 0 : to >= 1);
    this.moved({ [which]: off ? null : this.value(Math.min(1, Math.max(0, to))) });
  }

  grab(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    event.preventDefault();
    const box = this.svg.getBoundingClientRect();
    const shareAt = (moved) => Math.min(1, Math.max(0, (moved.clientX - box.left) / box.width));
    const start = event.clientX;
    let held = this.lineNear(start - box.left, box.width, event.pointerType === "touch" ? NEAR_TOUCH_PX : NEAR_PX);
    const brushFrom = shareAt(event);
    let brushed = false;
    this.root.setPointerCapture(event.pointerId);
    this.root.classList.add("s-dragging");
    (this.lines[held] ?? this.lines.min).focus({ preventScroll: true });
    const move = (moved) => {
      const share = shareAt(moved);
      if (held) {
        const off = held === "min" ? share <= 0 : share >= 1;
        this.moved({ [held]: off ? null : this.value(share) });
      } else if (brushed || Math.abs(moved.clientX - start) >= CLICK_PX) {
        brushed = true;
        this.moved({ min: this.value(Math.min(share, brushFrom)), max: this.value(Math.max(share, brushFrom)) });
      }
    };
    const end = (ended) => {
      this.root.classList.remove("s-dragging");
      for (const [name, listener] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) {
        this.root.removeEventListener(name, listener);
      }
      if (ended.type === "pointerup" && !held && !brushed) this.moved({ min: this.value(brushFrom) });
      held = null;
    };
    for (const [name, listener] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) {
      this.root.addEventListener(name, listener);
    }
  }

  lineNear(x, width, near) {
    const away = (which, rest) => Math.abs(x - width * (this[which] === null ? rest : this.share(this[which])));
    const [min, max] = [away("min", 0), away("max", 1)];
    if (Math.min(min, max) > near) return null;
    if (min === max) return x < width * this.share(this.min ?? this.low) ? "min" : "max";
    return min < max ? "min" : "max";
  }

  place({ min, max }) {
    this.min = min ?? null;
    this.max = max ?? null;
    for (const [which, rest] of [["min", 0], ["max", 1]]) {
      const value = this[which];
      const share = value === null ? rest : this.share(value);
      const node = this.lines[which];
      node.style.left = `${100 * share}%`;
      node.classList.toggle("s-off", value === null);
      node.setAttribute("aria-valuemin", this.low);
      node.setAttribute("aria-valuemax", this.high);
      node.setAttribute("aria-valuenow", value ?? (which === "min" ? this.low : this.high));
      node.setAttribute("aria-valuetext", value === null ? "off" : this.printed(value));
    }
    this.below.style.width = `${100 * (this.min === null ? 0 : this.share(this.min))}%`;
    this.above.style.width = `${100 * (this.max === null ? 0 : 1 - this.share(this.max))}%`;
  }

  draw({ edges, all, kept, real }, label) {
    this.low = edges[0];
    this.high = edges.at(-1);
    const scaled = sameArea(real, all);
    const top = Math.max(1, ...all, ...scaled);
    write(this.all, bars(all, top));
    write(this.kept, bars(kept, top));
    write(this.real, outline(scaled, top));
    this.svg.setAttribute("aria-label", label);
    this.place({ min: this.min, max: this.max });
  }

  clear(label) {
    for (const path of [this.all, this.kept, this.real]) path.setAttribute("d", "");
    this.svg.setAttribute("aria-label", label);
  }
}

// Real images are mostly fewer: drawn with the area of the candidates, so that shapes can be compared.
function sameArea(real, all) {
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const total = real ? sum(real) : 0;
  return total ? real.map((value) => value * sum(all) / total) : [];
}

function svg(tag, attributes) {
  const node = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function write(path, d) {
  if (path.getAttribute("d") !== d) path.setAttribute("d", d);
}

const heightOf = (value, top) => Math.max(1.5, (value / top) * (HEIGHT - 4));

function bars(values, top) {
  const step = WIDTH / values.length;
  const gap = Math.min(1.5, step / 6);
  let d = "";
  for (let at = 0; at < values.length; at += 1) {
    if (!values[at]) continue;
    d += `M${(at * step + gap / 2).toFixed(2)} ${HEIGHT}v${(-heightOf(values[at], top)).toFixed(2)}h${(step - gap).toFixed(2)}V${HEIGHT}z`;
  }
  return d;
}

function outline(values, top) {
  if (!values.length) return "";
  const step = WIDTH / values.length;
  return `M0 ${HEIGHT}` + values.map((value, at) => `V${(HEIGHT - (value ? heightOf(value, top) : 0)).toFixed(2)}`
    + `H${((at + 1) * step).toFixed(2)}`).join("") + `V${HEIGHT}`;
}
