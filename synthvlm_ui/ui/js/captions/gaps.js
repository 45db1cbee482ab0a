// The form that fills the gaps of a dataset: its captions are clustered, and more are written for the clusters with few.

import { Latest, post } from "../api.js";
import { el, field, options, refusal } from "../dom.js";
import { SynthElement } from "../element.js";
import { count, plural } from "../format.js";
import { Standing } from "../standing.js";
import { announce } from "../toast.js";
import { workspace } from "../workspace.js";

class Gaps extends SynthElement {
  build() {
    this.commands = new Latest((measure) => post("diversity/command", measure), (found) => this.commanded(found), () => this.command.show(""));
    const number = (value, min, max) => el("input", { type: "number", value, min, max, step: 1, required: true });
    this.set = el("select", { onchange: () => this.described() });
    this.more = number(100, 1, 100000);
    this.clusters = number(20, 2, 1000);
    this.embedder = el("input", { value: "lm", spellcheck: "false", required: true });
    this.writer = el("input", { value: "miniature", spellcheck: "false", required: true });
    this.start = el("button", { type: "submit", class: "s-button s-primary", text: "Fill the gaps" });
    this.standing = new Standing();
    this.said = el("div", { "aria-live": "polite" });
    this.chart = el("div", { class: "s-gap-sizes", role: "img", hidden: true });
    this.command = el("synth-command");
    this.append(el("form", { class: "s-form", onsubmit: (event) => { event.preventDefault(); this.fill(); } },
      el("p", { class: "s-hint", text: "The captions of the dataset are clustered; a new one is kept only when it falls into a cluster "
        + "that still has too few. The Diversity tab shows the clusters themselves." }),
      field("Dataset to fill", this.set),
      el("div", { class: "s-trio" }, field("More captions", this.more), field("Clusters K", this.clusters), field("Embeddings by", this.embedder)),
      field("Writer (name, Hub id or directory)", this.writer),
      el("div", { class: "s-row" }, this.start), this.standing.root, this.said, this.chart, this.command));
  }

  enter(signal) {
    this.addEventListener("input", () => this.described(), { signal });
    workspace.watch(() => this.refresh(), signal);
  }

  refresh() {
    const sets = workspace.datasets.filter((set) => set.captions > 0);
    const key = JSON.stringify(sets.map((set) => [set.name, set.captions]));
    this.start.disabled = this.busy || workspace.readOnly || sets.length === 0;
    if (key === this.known) return;
    this.known = key;
    const chosen = sets.some((set) => set.name === this.set.value) ? this.set.value : sets.at(-1)?.name;
    options(this.set, sets.map((set) => [set.name, `${set.name} (${plural(set.captions, "caption")})`]), chosen);
    this.described();
  }

  get measure() {
    return { datasets: [this.set.value], embedder: this.embedder.value.trim() || "lm", k: this.clusters.valueAsNumber || 20 };
  }

  described() {
    if (this.set.value) this.commands.ask(this.measure);
    else this.command.show("");
  }

  commanded(found) {
    const writer = this.writer.value.trim();
    this.command.show(`${found.command} --fill-gaps ${this.more.value}${writer === "miniature" ? "" : ` --writer ${writer}`}`);
  }

  async fill() {
    this.busy = this.start.disabled = true;
    this.said.replaceChildren();
    this.chart.hidden = true;
    try {
      await this.run();
    } catch (error) {
      this.said.replaceChildren(refusal(error.message));
    }
    this.busy = false;
    this.start.disabled = workspace.readOnly;
  }

  async run() {
    const set = this.set.value, wanted = this.more.valueAsNumber;
    const run = (await post("diversity/start", this.measure)).job_id;
    await this.ended(run, "Clustering");
    const plan = await post("diversity/gaps", { run, set, count: wanted });
    this.draw(plan.sizes, plan.sizes.map((size, place) => size + plan.wanted[place]));
    const job = (await post("diversity/fill", { run, set, count: wanted, writer: this.writer.value.trim() })).job_id;
    const result = await this.ended(job, "Captions kept");
    this.draw(plan.sizes, result.sizes);
    this.said.replaceChildren(el("p", { class: "s-result" }, el("span", { class: "s-mark s-keep", text: "✓" }),
      el("span", { text: `${plural(result.written, "caption")} written into “${set}” (${count(result.tried)} texts tried): entropy `
        + `${result.entropy_before.toFixed(2)} → ${result.entropy_after.toFixed(2)} bits` })));
    announce("The gaps are filled");
  }

  async ended(job, title) {
    const now = await this.standing.follow(job, title);
    if (now.state !== "done") throw new Error(now.error || now.message || `The job is ${now.state}.`);
    return now.result;
  }

  // A bar for each cluster, largest first: what it had, and above it what was written.
  draw(before, after) {
    const most = Math.max(...after, 1);
    const order = before.map((_size, place) => place).sort((a, b) => before[b] - before[a]);
    const part = (name, size) => { const bar = el("span", { class: name }); bar.style.height = `${100 * size / most}%`; return bar; };
    this.chart.replaceChildren(...order.map((place) => el("span", { class: "s-gap-bar", title: `${count(before[place])} → ${count(after[place])}` },
      part("s-gap-more", after[place] - before[place]), part("s-gap-had", before[place]))));
    this.chart.setAttribute("aria-label", `Captions per cluster, before and after: ${order.map((place) => `${before[place]} to ${after[place]}`).join(", ")}`);
    this.chart.hidden = false;
  }
}

customElements.define("synth-gaps", Gaps);
