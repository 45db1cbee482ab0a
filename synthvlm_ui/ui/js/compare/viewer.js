// Two pictures of one caption: side by side, under a slider, or as what differs between them.

import { address, image } from "../api.js";
import { el, uniqueId } from "../dom.js";

export const MODES = [["sides", "Side by side"], ["slider", "Slider"], ["difference", "Difference"], ["ssim", "SSIM map"]];
const SAID = {
  difference: "Black where both pictures are alike, light where they differ.",
  ssim: "Light where both pictures have the same structure, black where they have not.",
  "round-trip": "Light where the synthetic picture survives the way down to 336 px and back: what its SSIM measures.",
};

export class Viewer {
  mode = "sides";

  constructor() {
    const name = uniqueId("view");
    this.modes = el("div", { class: "s-segments", role: "radiogroup", "aria-label": "How to look at the pair" },
      MODES.map(([value, label]) => el("label", { class: "s-option" }, el("input", { type: "radio", name, value,
        checked: value === this.mode, onchange: () => this.choose(value) }), label)));
    this.stage = el("div", { class: "s-pair-stage" });
    this.root = el("div", {}, this.modes, this.stage);
    this.position = 50;
  }

  next() {
    const place = MODES.findIndex(([value]) => value === this.mode);
    this.choose(MODES[(place + 1) % MODES.length][0]);
  }

  choose(mode) {
    this.mode = mode;
    const input = this.modes.querySelector(`input[value="${mode}"]`);
    input.checked = true;
    this.draw();
  }

  show(real, synthetic) {
    Object.assign(this, { real, synthetic });
    this.draw();
  }

  draw() {
    if (!this.real) return;
    const parts = { sides: () => this.sides(), slider: () => this.slider(), difference: () => this.picture("difference"),
      ssim: () => this.maps() }[this.mode]();
    this.stage.dataset.mode = this.mode;
    this.stage.replaceChildren(...parts);
  }

  sides() {
    return [shown(this.real, "Real"), shown(this.synthetic, "Synthetic")];
  }

  slider() {
    const box = el("div", { class: "s-slider-box" }, picture(this.real, "The real picture"), picture(this.synthetic,
      "The synthetic picture", "s-upper"), el("div", { class: "s-slider-line", "aria-hidden": "true" }),
      el("span", { class: "s-corner s-left", text: "Real" }), el("span", { class: "s-corner s-right", text: "Synthetic" }));
    const input = el("input", { type: "range", min: 0, max: 100, step: 1, value: this.position, class: "s-reveal",
      "aria-label": "Where the real picture ends and the synthetic one begins" });
    const place = () => {
      this.position = Number(input.value);
      box.style.setProperty("--place", `${this.position}%`);
      input.setAttribute("aria-valuetext", `${this.position} % real`);
    };
    input.addEventListener("input", place);
    place();
    return [el("figure", { class: "s-figure s-one" }, el("div", { class: "s-slider-frame" }, box, input),
      el("figcaption", { class: "s-hint", text: "Drag, or use the arrow keys, Page Up and Down, Home and End." }))];
  }

  picture(kind) {
    return [shown(this.real, "Real"), shown(this.synthetic, "Synthetic"), derived(kind, this.real, this.synthetic, "Difference")];
  }

  maps() {
    return [shown(this.real, "Real"), shown(this.synthetic, "Synthetic"),
      derived("ssim", this.real, this.synthetic, "SSIM, real against synthetic"),
      derived("round-trip", this.synthetic, this.synthetic, "SSIM, synthetic after its round trip")];
  }
}

function shown(facts, title) {
  return el("figure", { class: "s-figure" }, picture(facts, `The ${title.toLowerCase()} picture`),
    el("figcaption", {}, el("b", { text: title }), ` ${facts.w} × ${facts.h} px`));
}

function derived(kind, first, second, title) {
  const node = el("img", { src: address(`compare/picture/${kind}/${first.id}/${second.id}`), alt: `${title}. ${SAID[kind]}`,
    class: "s-pair-image", draggable: "false" });
  node.addEventListener("load", () => node.classList.toggle("s-pixels", node.naturalWidth < 200));
  return el("figure", { class: "s-figure" }, node, el("figcaption", {}, el("b", { text: title }), ` ${SAID[kind]}`));
}

function picture(facts, alt, extra = "") {
  const small = Math.max(facts.w, facts.h) < 200 ? " s-pixels" : "";
  return el("img", { src: image(facts.id), alt, class: `s-pair-image ${extra}${small}`, draggable: "false" });
}
