// Other people and their decisions: asks the server to answer as soon as somebody comes, goes or decides, while the tab is
// looked at.

import { onActor } from "../actor.js";
import { get } from "../api.js";

const WAIT_S = 20;
const AGAIN_MS = 3000;

// ``onnews(news)`` for each answer that holds something new.
export class News {
  constructor({ active, onnews }) {
    Object.assign(this, { active, onnews, after: null, version: null, people: -1, asking: null, timer: 0 });
  }

  listen(signal) {
    document.addEventListener("visibilitychange", () => this.check(), { signal });
    onActor(() => { this.stop(); this.check(); }, signal); // one is here under the new name at once
    signal.addEventListener("abort", () => this.stop());
    this.check();
  }

  // What a view has already shown is no news.
  seen(lastEvent, version) {
    if (lastEvent !== undefined && (this.after === null || lastEvent > this.after)) this.after = lastEvent;
    if (version !== undefined) this.version = version;
    this.check();
  }

  check() {
    const wanted = this.active() && !document.hidden && this.after !== null;
    if (wanted && !this.asking && !this.timer) this.ask();
    if (!wanted) this.stop();
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.asking?.abort();
    this.asking = null;
  }

  async ask() {
    const asking = this.asking = new AbortController();
    let pause = 0;
    try {
      const news = await get("curate/news", { after: this.after, version: this.version ?? "", people: this.people, wait: WAIT_S }, asking.signal);
      if (asking.signal.aborted) return;
      const fresh = news.last_event > this.after || (this.version !== null && news.version !== this.version);
      this.after = Math.max(this.after, news.last_event);
      this.version = news.version;
      this.people = news.people;
      this.onnews(news, fresh);
    } catch (error) {
      if (asking.signal.aborted) return;
      pause = error.status === 404 ? 60_000 : AGAIN_MS;
    }
    this.asking = null;
    if (pause) this.timer = setTimeout(() => { this.timer = 0; this.check(); }, pause);
    else this.check();
  }
}
