// The base of the page's own elements: light DOM, built once, and everything listened to ends when it leaves the page.

export class SynthElement extends HTMLElement {
  connectedCallback() {
    this.leaving = new AbortController();
    if (!this.built) {
      this.built = true;
      this.build();
    }
    this.enter?.(this.leaving.signal);
  }

  disconnectedCallback() {
    this.leaving.abort();
    this.leave?.();
  }
}
