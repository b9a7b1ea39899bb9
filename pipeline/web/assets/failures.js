// The videos that could not be embedded: why, what to do, and another try.

import { get, post } from "./api.js";
import { button, el, fill, icon } from "./dom.js";
import { ago, counted } from "./format.js";
import { failed, loading, notice } from "./states.js";
import { toast } from "./toast.js";

/** A list that fills itself. */
export function failureList() {
  const node = el("div", { class: "failures" }, loading());
  const load = async () => {
    try {
      show((await get("/api/failures")).failures);
    } catch (error) {
      fill(node, failed(error, load));
    }
  };
  const retry = async () => {
    try {
      const answer = await post("/api/failures/retry");
      toast(answer.text ?? "The next scan, or a running watch, tries these videos again.");
    } catch (error) {
      toast(error.message, { error: true });
    }
    load();
  };

  function show(failures) {
    if (!failures.length) {
      fill(node, notice("check", "Nothing failed", "Every video that was tried is embedded."));
      return;
    }
    fill(node,
      el("div", { class: "bar" }, el("p", {}, counted(failures.length, "video")),
        button("Try all again", retry, { icon: "undo" })),
      el("ul", {}, failures.map(row)));
  }

  load();
  return node;
}

function row({ path, stage, error, hint, failed_at: when }) {
  return el("li", {}, icon("warning"), el("div", {},
    el("strong", {}, path), el("p", {}, error), hint && el("p", { class: "quiet-text" }, hint)),
  el("small", {}, stage, when && el("time", { datetime: when }, ago(when))));
}
