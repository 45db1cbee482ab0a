// Shows the images of one running job one by one, with their scores, and where the job stands.

import { address, get, thumb } from "../api.js";
import { el } from "../dom.js";
import { SynthElement } from "../element.js";
import { clip, count, duration, onScale, plural, scale, unit } from "../format.js";
import { progressBar } from "../progress_bar.js";
import { isActive, workspace } from "../workspace.js";

const MOST_TILES = 60;
const EVERY_MS = 500;

class Live extends SynthElement {
  tiles = new Map();
  since = 0;
  job = null;

  build() {
    this.heading = el("strong");
    this.eta = el("span", { class: "s-subdued" });
    this.bar = progressBar();
    this.strip = el("div", { class: "s-live-strip", role: "list", "aria-label": "Images as they are made" });
    this.note = el("p", { class: "s-hint" });
    this.append(el("div", { class: "s-live" },
      el("div", { class: "s-live-head" }, this.heading, this.eta), this.bar, this.note, this.strip));
    this.hidden = true;
  }

  enter(signal) {
    onScale(() => this.rescale(), signal);
    if (this.getAttribute("job")) this.follow(this.getAttribute("job"));
  }

  leave() { clearTimeout(this.timer); }

  follow(job) {
    if (this.job === job) { if (!this.timer) this.poll(); return; }
    this.job = job;
    this.since = 0;
    this.tiles.clear();
    this.strip?.replaceChildren();
    this.setAttribute("job", job);
    this.hidden = false;
    this.poll();
  }

  async poll() {
    clearTimeout(this.timer);
    this.timer = 0;
    const job = this.job;
    let live;
    try {
      live = await get(`jobs/${job}/live`, { after: this.since });
    } catch (error) {
      this.note.textContent = error.message;
      if (error.status !== 404 && this.isConnected) this.timer = setTimeout(() => this.poll(), 3000);
      return;
    }
    if (job !== this.job || !this.isConnected) return;
    this.since = live.next;
    live.images.forEach((entry, place) => this.place(entry, place));
    this.report(live);
    if (isActive(live.state)) this.timer = setTimeout(() => this.poll(), EVERY_MS);
    else if (this.lastState && isActive(this.lastState)) {
      workspace.refresh();
      this.dispatchEvent(new CustomEvent("finished", { detail: live, bubbles: true }));
    }
    this.lastState = live.state;
  }

  report(live) {
    const words = { queued: "Waiting for the device", running: live.message || "Drawing and scoring", stopping: "Stopping",
      paused: `Paused: ${live.message}`, stopped: "Stopped", done: "Finished", failed: "Failed", crashed: "Crashed" };
    this.heading.textContent = words[live.state] ?? live.state;
    const ends = isActive(live.state) && live.eta_s !== null ? ` · about ${duration(live.eta_s)} left` : "";
    this.eta.textContent = `${count(live.done)} of ${plural(live.total, "image")}${ends}`;
    this.bar.show(live.progress, this.heading.textContent);
    this.bar.dataset.state = live.state;
    this.note.textContent = live.failed ? `${plural(live.failed, "image")} failed; each says why below.`
      : live.state === "failed" ? live.message : "";
  }

  place(entry, place) {
    const known = this.tiles.get(entry.candidate_id);
    if (known) { known.entry = { ...known.entry, ...entry }; this.numbers(known); return; }
    const failed = entry.status !== "ok";
    const numbers = el("div", { class: "s-numbers" });
    const picture = failed ? el("div", { class: "s-broken", text: "✗" })
      : el("img", { alt: entry.caption, src: address(`jobs/${this.job}/image/${entry.candidate_id}`),
        decoding: "async" });
    const fallBack = () => { if (!failed) picture.src = thumb(entry.candidate_id); };
    picture.addEventListener("error", fallBack, { once: true });
    picture.addEventListener("load", () => picture.classList.toggle("s-pixels", picture.naturalWidth < 128));
    const node = el("figure", { class: "s-live-tile", role: "listitem", title: entry.caption }, picture,
      el("figcaption", { text: entry.caption }), numbers);
    node.style.setProperty("--place", Math.min(place, 12));
    node.entry = entry;
    node.numbers = numbers;
    this.numbers(node);
    this.tiles.set(entry.candidate_id, node);
    this.strip.prepend(node);
    while (this.strip.children.length > MOST_TILES) {
      this.tiles.delete(this.strip.lastChild.entry.candidate_id);
      this.strip.lastChild.remove();
    }
  }

  numbers(node) {
    const { clip_cosine, ssim, status, error_message } = node.entry;
    if (status !== "ok") node.numbers.textContent = error_message || "failed";
    else if (clip_cosine === null && ssim === null) node.numbers.textContent = "scoring …";
    else node.numbers.replaceChildren(el("span", { title: `CLIPScore, ${scale().name}`, text: `CLIP ${clip(clip_cosine)}` }),
      el("span", { text: `SSIM ${unit(ssim)}` }));
  }

  rescale() { for (const node of this.tiles.values()) this.numbers(node); }
}

customElements.define("synth-live", Live);
