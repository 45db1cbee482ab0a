// A prompt matrix: one prompt over the values of one or two settings, as a table of images that fills while they are drawn.

import { attempt, post, thumb } from "../api.js";
import { el, field, options } from "../dom.js";
import { SynthElement } from "../element.js";
import { clip, unit } from "../format.js";
import { isActive, workspace } from "../workspace.js";

const AXES = [["", "none"], ["words", "words in the prompt"], ["seed", "seed"], ["guidance_scale", "guidance scale"],
  ["num_inference_steps", "steps"], ["generator", "generator"]];
const HINTS = { words: "red|blue|green", seed: "1, 2, 3", guidance_scale: "1, 3, 5", num_inference_steps: "2, 4, 8",
  generator: "miniature, sd-turbo" };
const EVERY_MS = 1000;

class Matrix extends SynthElement {
  build() {
    this.axes = ["Along", "Down"].map((title, place) => this.axis(title, place === 0 ? "words" : "seed"));
    this.table = el("div", { class: "s-scroll", role: "region", "aria-label": "Matrix", tabindex: "0" });
    this.note = el("p", { class: "s-hint", role: "status" });
    this.draw = el("button", { type: "button", class: "s-button", text: "Draw the matrix", onclick: () => this.start() });
    this.append(el("details", {}, el("summary", { text: "Prompt matrix" }), el("div", { class: "s-form" },
      el("p", { class: "s-hint", text: "The prompt above, one image a cell. Of words the first stands in the prompt and the "
        + "others take its place." }),
      ...this.axes.map((axis) => el("div", { class: "s-pair" }, axis.nameField, axis.valuesField)),
      el("div", { class: "s-row" }, this.draw), this.note, this.table)));
  }

  enter(signal) {
    // Enter must not start what the form around it starts.
    this.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
      event.preventDefault();
      this.start();
    }, { signal });
  }

  leave() { clearTimeout(this.timer); }

  axis(title, chosen) {
    const name = el("select");
    options(name, AXES, chosen);
    const values = el("input", { spellcheck: "false", placeholder: HINTS[chosen] });
    name.addEventListener("change", () => { values.placeholder = HINTS[name.value] ?? ""; });
    return { name, values, nameField: field(title, name), valuesField: field(`Values ${title.toLowerCase()}`, values) };
  }

  async start() {
    const axes = this.axes.filter((axis) => axis.name.value && axis.values.value.trim())
      .map((axis) => `${axis.name.value}=${axis.values.value.trim()}`);
    this.draw.disabled = true;
    const started = await attempt(() => post("matrix", { ...this.closest("synth-generate").body(), axes }));
    this.draw.disabled = false;
    if (!started) return;
    workspace.refresh();
    clearTimeout(this.timer);
    this.follow(started.cells);
  }

  async follow(cells) {
    const shown = await attempt(() => post("matrix/cells", { cells: cells.map(({ x, y, job_id }) => ({ x, y, job_id })) }));
    if (!shown) return;
    this.show(shown.cells);
    const active = shown.cells.filter((cell) => isActive(cell.state) || (cell.state === "done" && !cell.images.length)).length;
    this.note.textContent = active ? `${shown.cells.length - active} of ${shown.cells.length} cells are drawn.` : "All cells are drawn.";
    if (active && this.isConnected) this.timer = setTimeout(() => this.follow(cells), EVERY_MS);
  }

  show(cells) {
    const xs = [...new Set(cells.map((cell) => cell.x))];
    const ys = [...new Set(cells.map((cell) => cell.y))];
    const row = (y) => el("tr", {}, el("th", { scope: "row", text: y }), xs.map((x) =>
      el("td", {}, this.cell(cells.find((cell) => cell.x === x && cell.y === y)))));
    this.table.replaceChildren(el("table", { class: "s-table" },
      el("thead", {}, el("tr", {}, el("td"), xs.map((x) => el("th", { scope: "col", text: x })))),
      el("tbody", {}, ys.map(row))));
  }

  cell(cell) {
    if (!cell.images.length) return el("span", { class: "s-hint", text: cell.state });
    return cell.images.map((image) => el("figure", { class: "s-live-tile" },
      image.ok ? el("img", { alt: `${cell.x} ${cell.y}`, src: thumb(image.candidate_id), class: "s-pixels" })
        : el("div", { class: "s-broken", text: "✗" }),
      el("figcaption", { text: `CLIP ${clip(image.clip_cosine)} · SSIM ${unit(image.ssim)}` })));
  }
}

customElements.define("synth-matrix", Matrix);
