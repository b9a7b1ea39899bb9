// The list of the keys that work now.

import { openDialog } from "./dialog.js";
import { el, kbd } from "./dom.js";
import { bindAlways, visibleScopes } from "./keys.js";

/** Shows it, or hides it. */
export function showKeys() {
  const dialog = document.getElementById("help");
  if (dialog.open) return dialog.close();
  return openDialog("help", "Keys", el("div", { class: "columns", tabIndex: 0 }, visibleScopes().map(({ title, bindings }) =>
    el("section", {}, el("h3", {}, title), el("dl", {}, bindings.filter(([, what]) => what).map(row))))));
}

function row([keys, what]) {
  const shown = keys.split("|").map((each) => each.split(" ").map(kbd));
  return el("div", {}, el("dt", {}, shown), el("dd", {}, what));
}

bindAlways("?", showKeys);
