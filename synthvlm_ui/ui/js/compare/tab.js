// The compare tab: which sets are compared, and its three rooms: pairs, sets, blind preference.

import { attempt, get, post } from "../api.js";
import { el, field, options, uniqueId } from "../dom.js";
import { SynthElement } from "../element.js";
import { count, plural } from "../format.js";
import { openTab } from "../tabs.js";
import { toast } from "../toast.js";
import { workspace } from "../workspace.js";
import { Heads } from "./heads.js";
import { Pairs } from "./pairs.js";
import { Rating } from "./rating.js";
import { Sets } from "./sets.js";

const ROOMS = [["pairs", "Pairs"], ["sets", "Sets"], ["blind", "Blind preference"], ["heads", "Scorers"]];
const SAMPLES = [["scenes", "60 reference scenes of the small world"], ["photographs", "4 photographs"]];

class Compare extends SynthElement {
  room = "pairs";
  choices = null;

  build() {
    const active = () => this.offsetParent !== null && !this.body.hidden;
    this.rooms = {
      pairs: new Pairs({ active: () => active() && this.room === "pairs" }),
      sets: new Sets(),
      blind: new Rating({ active: () => active() && this.room === "blind", onchange: () => this.ask() }),
      heads: new Heads(),
    };
    this.real = el("select", { onchange: () => this.pairUp() });
    this.synthetic = el("select", { onchange: () => this.choose() });
    const name = uniqueId("room");
    this.segments = el("div", { class: "s-segments s-rooms", role: "radiogroup", "aria-label": "What to compare" },
      ROOMS.map(([value, label]) => el("label", { class: "s-option" }, el("input", { type: "radio", name, value,
        checked: value === this.room, onchange: () => this.enterRoom(value) }), label)));
    this.none = el("div", { class: "s-card s-empty s-tall", hidden: true },
      el("p", { text: "There are no real images yet. They come with captions: captions import FILE --images DIR. Or try:" }),
      el("div", { class: "s-row s-centred" }, SAMPLES.map(([which, label]) => el("button", { type: "button", class: "s-button",
        text: label, onclick: () => this.sample(which) }))));
    this.half = el("div", { class: "s-notice", hidden: true }, el("span", { text: "No dataset has candidates yet: "
      + "generate for the captions of the real images, and both are paired by caption." }), el("button", { type: "button",
      class: "s-button s-small", text: "Go to Generate", onclick: () => openTab("generate") }));
    this.unscored = el("div", { class: "s-notice", hidden: true }, this.unscoredText = el("span"),
      this.scoreButton = el("button", { type: "button", class: "s-button s-small", text: "Score them", onclick: () => this.score() }));
    this.body = el("div", { class: "s-compare" },
      el("div", { class: "s-compare-head" }, this.segments, el("div", { class: "s-pickers" }, field("Real images", this.real),
        field("Synthetic images", this.synthetic))),
      this.half, this.unscored, ...Object.values(this.rooms).map((room) => room.root));
    this.append(this.none, this.body);
    this.enterRoom(this.room);
  }

  enter(signal) {
    document.addEventListener("keydown", (event) => this.rooms[this.room].pressed?.(event), { signal });
    workspace.watch(() => this.changed(), signal);
  }

  changed() {
    const state = JSON.stringify([workspace.state.summary.version, workspace.datasets, workspace.selections]);
    if (state !== this.state) { this.state = state; this.ask(); }
    this.showUnscored();
  }

  async ask() {
    this.choices = await attempt(() => get("compare/choices"));
    if (!this.choices) return;
    const { real, synthetic } = this.choices;
    this.none.hidden = real.length > 0;
    this.body.hidden = real.length === 0;
    if (!real.length) return;
    this.half.hidden = synthetic.length > 0;
    options(this.real, real.map((one) => [one.spec, `${one.dataset} (${count(one.images)})`]), this.real.value);
    const chosen = this.synthetic.value || this.paired();
    options(this.synthetic, synthetic.map((one) => [one.spec, `${one.spec.replace("selection:", "selection ")} (${count(one.images)})`]), chosen);
    this.choose();
  }

  paired() {
    const dataset = this.choices.real.find((one) => one.spec === this.real.value)?.dataset;
    return this.choices.synthetic.find((one) => one.dataset === dataset)?.spec;
  }

  // Another real set brings the candidates of its own captions along, unless what is chosen is of these captions too.
  pairUp() {
    const { real, synthetic } = this.choices;
    const of = (sets, spec) => sets.find((one) => one.spec === spec)?.dataset;
    if (this.paired() && of(synthetic, this.synthetic.value) !== of(real, this.real.value)) this.synthetic.value = this.paired();
    this.choose();
  }

  choose() {
    for (const room of Object.values(this.rooms)) room.choose(this.real.value, this.synthetic.value, this.choices);
    this.showUnscored();
  }

  enterRoom(name) {
    this.room = name;
    for (const [key, room] of Object.entries(this.rooms)) room.show(key === name);
  }

  showUnscored() {
    const dataset = this.real.value.replace("real:", "");
    const set = workspace.datasets.find((one) => one.name === dataset);
    const missing = (set?.real ?? 0) - (set?.real_scored ?? 0);
    this.unscored.hidden = !set || missing <= 0 || workspace.activeJobs.length > 0 || workspace.readOnly;
    this.unscoredText.textContent = `${plural(missing, "real image")} of ${dataset} without scores.`;
  }

  async score() {
    await attempt(() => post("score", { dataset: this.real.value.replace("real:", "") }));
    workspace.refresh();
  }

  async sample(which) {
    const done = await attempt(() => post("compare/sample", { which }));
    if (done) toast(`Reading ${plural(done.imported, "image")} into “${done.dataset}”`);
    workspace.refresh();
  }
}

customElements.define("synth-compare", Compare);
