// A map of up to 100,000 points on a canvas: pan, zoom, lasso. Points are written as pixels, so that a frame stays cheap
// without a graphics card. Knows no server: ``onlasso(numbers)`` gets the points inside, ``onpoint(number)`` the nearest.

import { el } from "../dom.js";
import { colourOf, isDark } from "../plots.js";

const HUES = 20;
const NONE = 255;

export class PointMap {
  constructor({ onlasso, onpoint }) {
    Object.assign(this, { onlasso, onpoint, n: 0, by: "set", mode: "pan", hidden: new Set(), chosen: null, loop: [] });
    this.canvas = el("canvas", { class: "s-map-canvas", tabindex: "0", role: "img",
      "aria-label": "Map. Arrow keys move, plus and minus zoom, 0 shows everything." });
    this.lasso = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.lasso.setAttribute("class", "s-map-lasso");
    this.line = this.lasso.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "polygon"));
    this.root = el("div", { class: "s-map-frame" }, this.canvas, this.lasso);
    this.canvas.addEventListener("pointerdown", (event) => this.grab(event));
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.resize()).observe(this.canvas);
  }

  // ``buffer``: see read_map of the service.
  load(buffer) {
    this.n = new DataView(buffer).getUint32(0, true);
    this.xy = new Float32Array(buffer, 4, 2 * this.n);
    this.sets = new Uint8Array(buffer, 4 + 8 * this.n, this.n);
    this.clusters = new Uint8Array(buffer, 4 + 9 * this.n, this.n);
    this.chosen = null;
    this.fit();
  }

  fit() {
    const spread = 3.2;
    let reach = 0;
    const far = [];
    for (let i = 0; i < 2 * this.n; i += Math.max(1, Math.floor(this.n / 5000)) * 2) far.push(Math.max(Math.abs(this.xy[i]), Math.abs(this.xy[i + 1])));
    far.sort((a, b) => a - b);
    reach = far.length ? far[Math.floor(far.length * 0.995)] * 1.08 : spread;
    this.view = { x: 0, y: 0, scale: Math.min(this.width, this.height) / (2 * reach) || 1 };
    this.ask();
  }

  get width() { return this.canvas.clientWidth; }
  get height() { return this.canvas.clientHeight; }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.width * ratio), height = Math.round(this.height * ratio);
    if (!width || (this.canvas.width === width && this.canvas.height === height)) return;
    this.canvas.width = width;
    this.canvas.height = height;
    if (this.n) this.fit();
  }

  ask() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => { this.asked = false; this.draw(); });
  }

  palette() {
    const make = (text) => {
      const [r, g, b] = [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
      return (255 << 24) | (b << 16) | (g << 8) | r;
    };
    if (this.by === "set") return [...Array(256).keys()].map((place) => make(colourOf(place)));
    const light = isDark() ? 68 : 44;
    return [...Array(256).keys()].map((place) => make(hsl((place * 137.5) % 360, place % 2 ? 75 : 55, light + (Math.floor(place / HUES) % 2) * 8)));
  }

  draw() {
    const context = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    if (!width || !this.n) return;
    const started = performance.now();
    const ratio = width / this.width;
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const colours = this.palette();
    const faint = isDark() ? 0xff4a3d33 : 0xffd9cfc6;
    const keys = this.by === "set" ? this.sets : this.clusters;
    const size = Math.max(1, Math.round((this.n > 20000 ? 1.6 : this.n > 2000 ? 2.6 : 6) * ratio * Math.min(2.5, Math.max(1, Math.sqrt(this.view.scale / this.width * 8)))));
    const half = size >> 1;
    const { x, y, scale } = this.view;
    const middleX = width / 2, middleY = height / 2, step = scale * ratio;
    // The faint ones first, so that what was chosen lies on top.
    for (let pass = this.chosen ? 0 : 1; pass < 2; pass += 1) {
      for (let i = 0; i < this.n; i += 1) {
        if (this.hidden.has(this.sets[i])) continue;
        const isChosen = !this.chosen || this.chosen[i];
        if ((pass === 1) !== Boolean(isChosen)) continue;
        const left = Math.round(middleX + (this.xy[2 * i] - x) * step) - half;
        const top = Math.round(middleY - (this.xy[2 * i + 1] - y) * step) - half;
        if (left < 0 || top < 0 || left + size > width || top + size > height) continue;
        const colour = isChosen ? colours[keys[i]] : faint;
        for (let row = 0, at = top * width + left; row < size; row += 1, at += width) pixels.fill(colour, at, at + size);
      }
    }
    context.putImageData(image, 0, 0);
    this.drawn_ms = performance.now() - started;
    this.root.dataset.drawnMs = this.drawn_ms.toFixed(1);
    this.root.dataset.points = this.n;
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  grab(event) {
    if (event.button !== 0 || !this.n) return;
    this.canvas.setPointerCapture(event.pointerId);
    const start = this.place(event);
    let last = start, moved = false;
    this.loop = [start];
    const move = (now) => {
      const at = this.place(now);
      moved ||= Math.hypot(at[0] - start[0], at[1] - start[1]) > 4;
      if (this.mode === "lasso") { this.loop.push(at); this.outline(); } else {
        this.view.x -= (at[0] - last[0]) / this.view.scale;
        this.view.y += (at[1] - last[1]) / this.view.scale;
        this.ask();
      }
      last = at;
    };
    const end = () => {
      for (const [name, listener] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) {
        this.canvas.removeEventListener(name, listener);
      }
      if (!moved) this.nearest(start);
      else if (this.mode === "lasso") this.inside();
      this.loop = [];
      this.outline();
    };
    for (const [name, listener] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) {
      this.canvas.addEventListener(name, listener);
    }
  }

  outline() { this.line.setAttribute("points", this.loop.map((point) => point.join(",")).join(" ")); }

  inside() {
    const loop = this.loop.map(([left, top]) => this.toMap(left, top));
    this.choose((i) => within(loop, this.xy[2 * i], this.xy[2 * i + 1]));
  }

  // Points for which ``test(number)`` holds and whose set is shown.
  choose(test) {
    const found = [];
    this.chosen = new Uint8Array(this.n);
    for (let i = 0; i < this.n; i += 1) {
      if (!this.hidden.has(this.sets[i]) && test(i)) { this.chosen[i] = 1; found.push(i); }
    }
    if (!found.length) this.chosen = null;
    this.ask();
    this.onlasso(found);
  }

  chooseVisible() {
    const [left, top] = this.toMap(0, 0), [right, bottom] = this.toMap(this.width, this.height);
    this.choose((i) => this.xy[2 * i] >= left && this.xy[2 * i] <= right && this.xy[2 * i + 1] <= top && this.xy[2 * i + 1] >= bottom);
  }

  clear() {
    this.chosen = null;
    this.ask();
    this.onlasso([]);
  }

  nearest(at) {
    const [x, y] = this.toMap(...at);
    let best = -1, least = (14 / this.view.scale) ** 2;
    for (let i = 0; i < this.n; i += 1) {
      if (this.hidden.has(this.sets[i])) continue;
      const distance = (this.xy[2 * i] - x) ** 2 + (this.xy[2 * i + 1] - y) ** 2;
      if (distance < least) { least = distance; best = i; }
    }
    if (best >= 0) this.onpoint(best);
  }

  toMap(left, top) {
    return [this.view.x + (left - this.width / 2) / this.view.scale, this.view.y - (top - this.height / 2) / this.view.scale];
  }

  zoom(factor, left = this.width / 2, top = this.height / 2) {
    const before = this.toMap(left, top);
    this.view.scale = Math.min(1e6, Math.max(1e-3, this.view.scale * factor));
    const after = this.toMap(left, top);
    this.view.x += before[0] - after[0];
    this.view.y += before[1] - after[1];
    this.ask();
  }

  wheel(event) {
    if (!this.n) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * 0.0015), ...this.place(event));
  }

  key(event) {
    const step = 60 / this.view?.scale;
    const acts = { ArrowLeft: () => { this.view.x -= step; }, ArrowRight: () => { this.view.x += step; },
      ArrowUp: () => { this.view.y += step; }, ArrowDown: () => { this.view.y -= step; },
      "+": () => this.zoom(1.4), "=": () => this.zoom(1.4), "-": () => this.zoom(1 / 1.4), 0: () => this.fit(), Escape: () => this.clear() };
    if (!this.n || !acts[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    acts[event.key]();
    this.ask();
  }
}

export const NO_CLUSTER = NONE;

function within(loop, x, y) {
  let inside = false;
  for (let i = 0, j = loop.length - 1; i < loop.length; j = i, i += 1) {
    const [ax, ay] = loop[i], [bx, by] = loop[j];
    if ((ay > y) !== (by > y) && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

function hsl(hue, saturation, light) {
  const s = saturation / 100, l = light / 100;
  const part = (n) => {
    const k = (n + hue / 30) % 12;
    const v = l - s * Math.min(l, 1 - l) * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(255 * v).toString(16).padStart(2, "0");
  };
  return `#${part(0)}${part(8)}${part(4)}`;
}
