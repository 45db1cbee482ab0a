// Who is logged in, where the server asks for that: the name decisions are written under, and the way out.

import { lend } from "./actor.js";
import { address } from "./api.js";
import { el } from "./dom.js";
import { SynthElement } from "./element.js";
import { workspace } from "./workspace.js";

class Login extends SynthElement {
  build() {
    this.name = el("span", { class: "s-subdued" });
    this.form = el("form", { method: "post", action: address("logout"), class: "s-login" }, this.name,
      el("button", { type: "submit", class: "s-button s-small", text: "Log out" }));
    this.form.hidden = true;
    this.append(this.form);
  }

  enter(signal) { workspace.watch(() => this.show(), signal); }

  show() {
    // A session that has ended: the page itself asks anew.
    if (workspace.error?.status === 401) { location.reload(); return; }
    const login = workspace.state?.login ?? null;
    this.form.hidden = !login;
    if (!login) return;
    this.name.textContent = login;
    lend(login);
  }
}

customElements.define("synth-login", Login);
