// The videos that could not be embedded: why, what to do, and another try.

import { post } from "./api.js";
import { button, el, fill, icon } from "./dom.js";
import { ago, count, counted } from "./format.js";
import { href } from "./router.js";
import { load } from "./states.js";
import { attempt, toast } from "./toast.js";

const SHOWN = 5;

/** The first of them, in a list that fills itself. */
export function failureList() {
  const node = el("div", { class: "failures" });
  const ask = () => load(node, "/api/failures", ({ failures }) => fill(node, failures.length
    ? [el("div", { class: "bar" }, el("p", {}, counted(failures.length, "video")), retryButton(ask)),
      el("ul", {}, failures.slice(0, SHOWN).map(row)),
      failures.length > SHOWN && el("a", { href: href({ failed: "1" }, { view: "search" }) }, `All ${count(failures.length)}`)]
    : el("p", { class: "quiet-text" }, "None: every video that was tried is embedded.")));
  ask();
  return node;
}

/** Forgets all failures, so that they are tried again; `done` is called then. */
export function retryButton(done) {
  return button("Try all again", async () => {
    const answer = await attempt(() => post("/api/failures/retry"));
    if (answer) toast(answer.text);
    done();
  }, { icon: "undo" });
}

const row = ({ path, stage, error, hint, failed_at: when }) => el("li", {}, icon("warning"),
  el("div", {}, el("strong", {}, path), el("p", {}, error), hint && el("p", { class: "quiet-text" }, hint)),
  el("small", {}, stage, when && el("time", { datetime: when }, ago(when))));
