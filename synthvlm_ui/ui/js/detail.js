// Everything known of one candidate: the large image, every fact of its making, its scores and its siblings.

import { attempt, get, image, thumb } from "./api.js";
import { el, icon } from "./dom.js";
import { SCALES, unit, when } from "./format.js";
import { VERDICTS } from "./grid.js";

const FACTS = [
  ["Caption", "caption"], ["Prompt", "prompt"], ["Template", "prompt_template"], ["Negative prompt", "negative_prompt"],
  ["Generator", "generator"], ["Model", "model"], ["Revision", "revision"], ["Sampler", "sampler"],
  ["Steps", "num_inference_steps"], ["Guidance scale", "guidance_scale"], ["Seed", "seed"], ["Run seed", "run_seed"],
  ["Repeat", "repeat"], ["Dataset", "dataset"], ["Caption id", "caption_id"], ["Candidate id", "id"],
  ["Shard", "shard"], ["Status", "status"], ["Error", "error_message"],
];

// ``onverdict(id, verdict)``, ``onstep(direction)``, ``onclose(id)``.
export class Detail {
  constructor({ onverdict, onstep, onclose }) {
    Object.assign(this, { onverdict, onstep, id: null });
    this.picture = el("img", { class: "s-whole", alt: "" });
    this.caption = el("p", { class: "s-detail-caption" });
    this.scores = el("div", { class: "s-score-cards" });
    this.verdict = el("p", { class: "s-hint", role: "status" });
    this.siblings = el("div", { class: "s-siblings" });
    this.facts = el("dl", { class: "s-facts" });
    const button = (verdict, name, text) => el("button", { type: "button", class: `s-button s-${verdict}-button`,
      "data-verdict": verdict, onclick: () => this.onverdict(this.id, verdict) }, icon(name), text);
    this.buttons = [button("keep", "check", "Keep"), button("reject", "cross", "Reject"), button("clear", "clear", "Clear")];
    const step = (direction, name, text) => el("button", { type: "button", class: "s-button s-small", "aria-label": text,
      onclick: () => this.onstep(direction) }, icon(name));
    const head = el("div", { class: "s-drawer-head" }, el("h2", { text: "Candidate" }), el("div", { class: "s-row" },
      step(-1, "left", "Previous candidate"), step(1, "right", "Next candidate"),
      el("button", { type: "button", class: "s-button s-small", text: "Close", onclick: () => this.root.close() })));
    this.root = el("dialog", { class: "s-dialog s-detail", "aria-label": "Candidate" }, head,
      el("div", { class: "s-detail-body" },
        el("div", { class: "s-detail-left" }, this.picture, el("div", { class: "s-row" }, this.buttons), this.verdict,
          this.siblings),
        el("div", { class: "s-detail-right" }, this.caption, this.scores, this.facts)));
    this.root.addEventListener("close", () => onclose(this.id));
    this.root.addEventListener("click", (event) => { if (event.target === this.root) this.root.close(); });
  }

  get open() { return this.root.open; }

  async show(id) {
    const found = await attempt(() => get(`candidate/${id}`));
    if (!found) return;
    const changed = this.id !== id;
    this.id = id;
    if (changed) this.picture.src = image(id);
    this.picture.alt = found.caption;
    this.picture.classList.toggle("s-pixels", Math.max(found.width, found.height) < 128);
    this.caption.textContent = found.caption;
    this.showVerdict(found);
    this.showScores(found);
    this.showFacts(found);
    this.showSiblings(found);
    if (!this.root.open) this.root.showModal();
  }

  showVerdict(found) {
    const [verdict, sign, words] = VERDICTS[found.verdict] ?? ["clear", "", "no verdict by hand"];
    this.verdict.textContent = `${sign} ${words}${found.verdict && found.verdict_by ? `, by ${found.verdict_by}, ${when(found.verdict_at)}` : ""}`.trim();
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(verdict !== "clear" && button.dataset.verdict === verdict));
    }
  }

  showScores(found) {
    const columns = found.scores ?? {};
    const cards = [];
    if (columns.clip_cosine !== undefined) {
      cards.push(el("div", { class: "s-score-card" }, el("span", { text: "CLIPScore" }),
        Object.values(SCALES).map((scale) => el("div", {},
          el("b", { text: columns.clip_cosine === null ? "–" : (columns.clip_cosine * scale.factor).toFixed(scale.digits) }),
          el("small", { text: scale.name })))));
    }
    if (columns.ssim !== undefined) {
      cards.push(el("div", { class: "s-score-card" }, el("span", { text: "SSIM" }),
        el("div", {}, el("b", { text: unit(columns.ssim) }), el("small", { text: "down and up again" }))));
    }
    this.scores.replaceChildren(...cards);
  }

  showFacts(found) {
    const rows = FACTS.filter(([, key]) => found[key] !== null && found[key] !== undefined && found[key] !== "")
      .map(([name, key]) => [name, found[key]]);
    rows.splice(12, 0, ["Size", `${found.width} × ${found.height} px`]);
    if (found.created) rows.push(["Made", when(found.created)]);
    for (const scorer of found.scorers ?? []) {
      rows.push([`Scorer ${scorer.key}`, `${printedFacts(scorer.scores ?? {})} · ${printedFacts(scorer.settings ?? {})}`]);
    }
    this.facts.replaceChildren(...rows.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: printed(value) })]));
  }

  showSiblings(found) {
    const others = (found.siblings ?? []).filter((id) => id !== found.id);
    this.siblings.replaceChildren(...(others.length ? [el("h3", { text: "Same caption, other seeds" }),
      el("div", { class: "s-sibling-row" }, others.slice(0, 12).map((id) => el("button", { type: "button",
        class: "s-sibling", "aria-label": "Open this candidate", onclick: () => this.show(id) },
        el("img", { src: thumb(id), alt: "", class: "s-pixels" }))))] : []));
  }
}

function printed(value) {
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toPrecision(6)));
  if (value === null || value === undefined) return "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function printedFacts(facts) {
  return Object.entries(facts).map(([name, value]) => `${name} ${printed(value)}`).join(", ");
}
