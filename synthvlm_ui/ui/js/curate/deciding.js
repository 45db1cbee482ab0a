// Which candidates a verdict is for: the opened one, the range, the one in focus, or everything that is shown.

import { SHOWN } from "./state.js";
import { CODES } from "./tile.js";

export class Deciding {
  // ``view`` is the tab: its grid, detail, acts, state and total.
  constructor(view) { this.view = view; }

  here(verdict) {
    const { grid, detail, acts } = this.view;
    if (detail.open) { this.decide([detail.id], verdict); return; }
    const { range, offset, items } = grid;
    if (!range) { if (grid.id) this.decide([grid.id], verdict, true); return; }
    grid.clearRange();
    if (range.from >= offset && range.to <= offset + items.length) {
      this.decide(items.slice(range.from - offset, range.to - offset).map((item) => item.id), verdict);
    } else if (acts.allowed) {
      acts.many({ ...this.everything(), from_rank: range.from, to_rank: range.to - 1 }, verdict, null);
    }
  }

  // The tiles say it at once; the journal follows.
  decide(ids, verdict, advance = false) {
    const { grid, acts } = this.view;
    if (!acts.allowed) return;
    for (const id of ids) {
      const item = grid.items.find((one) => one.id === id);
      if (item) { item.verdict = CODES[verdict]; grid.repaint(id); }
    }
    if (advance) grid.advance();
    acts.one(ids, verdict);
  }

  everything() {
    const { rule, find, show, order } = this.view.state;
    return { rule, find, show, order };
  }

  all(verdict) {
    if (this.view.grid.range) { this.here(verdict); return; }
    const { find, show, rule } = this.view.state;
    const searched = [find.text && `with “${find.text}”`, find.meaning && `like “${find.meaning}”`, find.like && "like one candidate"];
    const words = [`shown as “${Object.fromEntries(SHOWN)[show] ?? show}” in ${rule.dataset === "*" ? "all datasets" : rule.dataset}`,
      ...searched.filter(Boolean)].join(", ");
    this.view.acts.all(this.everything(), verdict, this.view.total, words);
  }
}
