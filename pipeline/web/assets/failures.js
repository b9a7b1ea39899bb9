// The videos that could not be embedded: why, what to do, and another try.

import { post } from "./api.js";
import { button, el, fill, icon } from "./dom.js";
import { ago, counted } from "./format.js";
import { load, notice } from "./states.js";
import { attempt, toast } from "./toast.js";

/** A list that fills itself. */
export function failureList() {
  const node = el("div", { class: "failures" });
  const ask = () => load(node, "/api/failures", ({ failures }) => fill(node, failures.length
    ? [el("div", { class: "bar" }, el("p", {}, counted(failures.length, "video")), button("Try all again", retry, { icon: "undo" })),
      el("ul", {}, failures.map(row))]
    : notice("check", "Nothing failed", "Every video that was tried is embedded.")));
  const retry = async () => {
    const answer = await attempt(() => post("/api/failures/retry"));
    if (answer) toast(answer.text ?? "A running watch, or the next scan, tries these videos again.");
    ask();
  };
  ask();
  return node;
}

const row = ({ path, stage, error, hint, failed_at: when }) => el("li", {}, icon("warning"),
  el("div", {}, el("strong", {}, path), el("p", {}, error), hint && el("p", { class: "quiet-text" }, hint)),
  el("small", {}, stage, when && el("time", { datetime: when }, ago(when))));
