// One place of the grid. A tile stays where it is and shows one candidate after another: only texts and the picture
// change, so that a new page costs no layout of its own.

import { el, icon } from "../dom.js";
import { clip, unit } from "../format.js";

export const VERDICTS = { 1: ["keep", "✓", "kept by hand"], "-1": ["reject", "✗", "rejected by hand"] };
export const CODES = { keep: 1, reject: -1, clear: 0 };

const GUARDS = { 1: "blank", 2: "blurred", 3: "black", 4: "not an image" };
const SMALL_PX = 128; // pictures below are shown with their pixels

export class Tile {
  constructor() {
    this.id = null;
    this.drawn = false; // whether the picture of this candidate is there, or known to be missing
    this.image = el("img", { alt: "", decoding: "async", draggable: "false" });
    this.image.addEventListener("error", () => this.picture.classList.add("s-missing"));
    this.image.addEventListener("load", () => this.picture.classList.remove("s-missing"));
    this.mark = el("span", { class: "s-mark", "aria-hidden": "true", hidden: true });
    this.over = el("span", { class: "s-over", "aria-hidden": "true", hidden: true });
    this.rule = el("span", { class: "s-dropped", "aria-hidden": "true" });
    this.words = el("span", { class: "s-unseen" });
    this.caption = el("div", { class: "s-tile-caption" });
    this.clip = el("span");
    this.ssim = el("span");
    this.rank = el("span", { class: "s-rank", "aria-hidden": "true" });
    const button = (verdict, name, text) => el("button", { type: "button", tabindex: "-1", "data-verdict": verdict,
      class: `s-verdict s-${verdict}`, "aria-label": text, title: text, "aria-pressed": "false" }, icon(name));
    this.keep = button("keep", "check", "Keep");
    this.reject = button("reject", "cross", "Reject");
    this.picture = el("div", { class: "s-picture" }, this.image, this.mark, this.over, this.rule, this.rank);
    this.root = el("div", { class: "s-tile", role: "gridcell", tabindex: "-1" }, this.picture, this.words, this.caption,
      el("div", { class: "s-tile-foot" }, el("div", { class: "s-numbers" }, this.clip, this.ssim),
        el("div", { class: "s-acts" }, this.keep, this.reject)));
    this.root.tile = this;
  }

  // ``picture``: the address of an image, null when there is none.
  draw(picture) {
    this.drawn = true;
    if (picture) this.image.src = picture;
    else this.picture.classList.add("s-missing");
  }

  // Lets go of the picture.
  empty() {
    this.id = null;
    this.drawn = false;
    this.image.removeAttribute("src");
  }

  show(item, rank) {
    if (item.id !== this.id) {
      this.empty(); // the old picture must not stand over the new caption until the new one has come
      this.id = item.id;
      this.root.dataset.id = item.id;
      this.picture.classList.remove("s-missing");
      this.image.classList.toggle("s-pixels", Math.max(item.w, item.h) < SMALL_PX);
      write(this.caption, item.caption);
    }
    const [verdict, sign, words] = VERDICTS[item.verdict] ?? ["", "", ""];
    const note = item.ok === false ? "failed" : item.guard ? GUARDS[item.guard] ?? "guard" : item.kept ? "" : "dropped";
    const against = Boolean(verdict) && item.overrides === true;
    this.root.dataset.verdict = verdict;
    this.root.classList.toggle("s-is-dropped", !item.kept);
    this.mark.className = verdict ? `s-mark s-${verdict}` : "s-mark";
    write(this.mark, sign);
    this.mark.hidden = !verdict;
    write(this.over, "over rule");
    this.over.hidden = !against;
    write(this.rule, note);
    this.rule.hidden = !note;
    write(this.rank, rank);
    this.caption.title = item.error_message || item.caption;
    const scores = [`CLIP ${clip(item.clip_cosine)}`, `SSIM ${unit(item.ssim)}`];
    write(this.clip, scores[0]);
    write(this.ssim, scores[1]);
    this.keep.setAttribute("aria-pressed", String(item.verdict === 1));
    this.reject.setAttribute("aria-pressed", String(item.verdict === -1));
    write(this.words, [item.kept ? "Kept" : "Dropped", words, against ? "against the rule" : "", note === "dropped" ? "" : note]
      .filter(Boolean).join(", "));
  }

  select(on) {
    this.root.setAttribute("aria-selected", String(on));
    this.root.classList.toggle("s-selected", on);
  }
}

// Touching a text node that says the same already would still cost the layout of its tile.
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
