// Everything known of one candidate: the large image and the real one of its caption, every fact of its making, its scores,
// who decided what about it, its siblings and its nearest neighbours.

import { get, image, thumb } from "../api.js";
import { el, icon } from "../dom.js";
import { SCALES, clip, plural, unit, when } from "../format.js";
import { toast } from "../toast.js";
import { VERDICTS } from "./tile.js";

const FACTS = [
  ["Caption", "caption"], ["Prompt", "prompt"], ["Template", "prompt_template"], ["Negative prompt", "negative_prompt"],
  ["Generator", "generator"], ["Model", "model"], ["Revision", "revision"], ["Sampler", "sampler"],
  ["Steps", "num_inference_steps"], ["Guidance scale", "guidance_scale"], ["Seed", "seed"], ["Run seed", "run_seed"],
  ["Repeat", "repeat"], ["Dataset", "dataset"], ["Caption id", "caption_id"], ["Candidate id", "id"],
  ["Shard", "shard"], ["Status", "status"], ["Error", "error_message"],
];

// ``onverdict(id, verdict)``, ``onstep(direction)``, ``onclose(id)``, ``onsimilar(id)``, ``onshow(id)`` when another is shown.
export class Detail {
  constructor({ onverdict, onstep, onclose, onsimilar, onshow }) {
    Object.assign(this, { onverdict, onstep, onsimilar, onshow, id: null, sequence: 0 });
    this.picture = el("img", { class: "s-whole", alt: "", decoding: "async" });
    this.picture.addEventListener("error", () => this.missing(true));
    this.picture.addEventListener("load", () => this.missing(false));
    this.gone = el("p", { class: "s-notice s-gone", hidden: true, text: "The image cannot be read: its shard is missing or damaged." });
    this.real = el("figure", { class: "s-real", hidden: true }, this.realImage = el("img", { alt: "", decoding: "async" }),
      el("figcaption", { text: "the real image of this caption" }));
    this.caption = el("p", { class: "s-detail-caption" });
    this.problem = el("p", { class: "s-notice", hidden: true });
    this.scores = el("div", { class: "s-score-cards" });
    this.verdict = el("p", { class: "s-hint", role: "status" });
    this.siblings = this.row("Same caption, other seeds");
    this.neighbours = this.row("Nearest neighbours");
    this.facts = el("dl", { class: "s-facts" });
    this.history = el("ul", { class: "s-history" });
    this.buildFrame();
    this.root.addEventListener("close", () => onclose(this.id));
    this.root.addEventListener("click", (event) => { if (event.target === this.root) this.root.close(); });
  }

  buildFrame() {
    const button = (verdict, name, text) => el("button", { type: "button", class: `s-button s-${verdict}-button`,
      "data-verdict": verdict, onclick: () => this.onverdict(this.id, verdict) }, icon(name), text);
    this.buttons = [button("keep", "check", "Keep"), button("reject", "cross", "Reject"), button("clear", "clear", "Clear")];
    const step = (direction, name, text) => el("button", { type: "button", class: "s-button s-small", "aria-label": text,
      onclick: () => this.onstep(direction) }, icon(name));
    const head = el("div", { class: "s-drawer-head" }, el("h2", { text: "Candidate" }), el("div", { class: "s-row" },
      step(-1, "left", "Previous candidate"), step(1, "right", "Next candidate"),
      el("button", { type: "button", class: "s-button s-small", text: "Close", onclick: () => this.root.close() })));
    this.similar = el("button", { type: "button", class: "s-button", text: "More like this", onclick: () => this.onsimilar(this.id) });
    this.root = el("dialog", { class: "s-dialog s-detail", "aria-label": "Candidate" }, head,
      el("div", { class: "s-detail-body" },
        el("div", { class: "s-detail-left" }, el("div", { class: "s-pictures" }, this.picture, this.real), this.gone,
          el("div", { class: "s-row" }, this.buttons, this.similar), this.verdict, this.siblings.root, this.neighbours.root),
        el("div", { class: "s-detail-right" }, this.caption, this.problem, this.scores, this.facts,
          this.historyBox = el("div", {}, el("h3", { text: "What was decided" }), this.history))));
  }

  row(title) {
    const list = el("div", { class: "s-sibling-row" });
    return { list, root: el("div", { class: "s-siblings", hidden: true }, el("h3", { text: title }), list) };
  }

  get open() { return this.root.open; }

  missing(on) {
    this.picture.classList.toggle("s-missing", on);
    this.gone.hidden = !on;
  }

  async show(id) {
    const sequence = ++this.sequence;
    let found;
    try {
      found = await get(`candidate/${id}`);
    } catch (error) {
      toast(error.message, "error");
      return;
    }
    if (sequence !== this.sequence) return;
    if (this.id !== id) this.begin(id, found);
    this.caption.textContent = found.caption ?? "";
    this.problem.hidden = !found.problem;
    this.problem.textContent = found.problem ?? "";
    this.showVerdict(found);
    this.showScores(found);
    this.showFacts(found);
    this.showRow(this.siblings, siblingsOf(found), (item) => `CLIP ${clip(item.clip_cosine)}`);
    this.showHistory(found.history ?? []);
    if (!this.root.open) this.root.showModal();
    this.onshow(id);
    if (this.neighboursOf !== id) await this.askNeighbours(id, sequence);
  }

  // They take longer than the facts, which do not wait for them.
  async askNeighbours(id, sequence) {
    let found = [];
    try { found = (await get(`candidate/${id}/neighbours`)).neighbours; } catch { /* then there are none to show */ }
    if (sequence !== this.sequence) return;
    this.neighboursOf = id;
    this.showRow(this.neighbours, found, (item) => unit(item.similarity, 2));
  }

  begin(id, found) {
    this.id = id;
    this.missing(false);
    this.picture.removeAttribute("src");
    this.picture.src = image(id);
    this.picture.alt = found.caption ?? "";
    this.picture.classList.toggle("s-pixels", Math.max(found.width ?? 0, found.height ?? 0) < 128);
    const [real] = found.real ?? [];
    this.real.hidden = !real;
    if (real) {
      this.realImage.src = image(real);
      this.realImage.alt = `real: ${found.caption ?? ""}`;
    } else this.realImage.removeAttribute("src");
    this.neighbours.root.hidden = true;
    this.root.scrollTop = 0;
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
    if (found.width) rows.splice(12, 0, ["Size", `${found.width} × ${found.height} px`]);
    if (found.guard_text) rows.push(["Guard", found.guard_text]);
    if (found.created) rows.push(["Made", when(found.created)]);
    for (const scorer of (found.scorers ?? []).filter(({ scores }) => Object.values(scores ?? {}).some((value) => value !== null))) {
      rows.push([`Scorer ${scorer.key}`, `${printedFacts(scorer.scores ?? {})} · ${printedFacts(scorer.settings ?? {})}`]);
    }
    this.facts.replaceChildren(...rows.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: printed(value) })]));
  }

  showRow({ root, list }, items, words) {
    root.hidden = items.length === 0;
    list.replaceChildren(...items.slice(0, 12).map((item) => el("button", { type: "button", class: "s-sibling", title: item.caption ?? "",
      onclick: () => this.show(item.id) },
      el("img", { src: thumb(item.id), alt: item.caption ?? "a candidate", decoding: "async", class: Math.max(item.w ?? 0, item.h ?? 0) < 128 ? "s-pixels" : "" }),
      el("small", { text: `${VERDICTS[item.verdict]?.[1] ?? ""} ${item.clip_cosine === undefined ? "" : words(item)}`.trim() }))));
  }

  showHistory(history) {
    this.historyBox.hidden = history.length === 0;
    this.history.replaceChildren(...history.slice(0, 20).map((one) => el("li", { class: one.undone ? "s-undone" : "" },
      `${one.actor}: ${one.verdict ?? one.kind}${one.count > 1 ? ` (one act over ${plural(one.count, "candidate")})` : ""}${one.undone ? ", undone" : ""}, `,
      el("time", { datetime: one.at, text: when(one.at) }))));
  }
}

// Servers that know more send items, others only ids.
function siblingsOf(found) {
  return found.siblings_items ?? (found.siblings ?? []).filter((id) => id !== found.id).map((id) => ({ id }));
}

function printed(value) {
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toPrecision(6)));
  if (value === null || value === undefined) return "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function printedFacts(facts) {
  return Object.entries(facts).map(([name, value]) => `${name} ${printed(value)}`).join(", ");
}
