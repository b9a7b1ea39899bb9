// What a view shows in place of its content: that it is loading, empty, or failed.

import { get } from "./api.js";
import { button, el, fill, icon, sentence } from "./dom.js";

/** A title and a sentence in the middle, with what can be done. */
export function notice(symbol, title, text, ...actions) {
  return el("div", { class: "notice" }, icon(symbol), el("h2", {}, title),
    text && el("p", {}, sentence(text)), actions.some(Boolean) && el("p", { class: "actions" }, actions));
}

/** What went wrong, and another try. */
export function failed(error, again) {
  const [symbol, title] = error.status === 0 ? ["offline", "No answer"] : ["warning", "That did not work"];
  const node = notice(symbol, title, error.message, again && button("Try again", again, { class: "primary" }));
  node.setAttribute("role", "alert");
  return node;
}

/** A quiet bar; it appears only after a moment, so that quick answers do not flicker. */
export function loading(text = "Loading") {
  return el("div", { class: "notice loading", role: "status" },
    el("span", { class: "bar", "aria-hidden": "true" }), el("p", {}, text));
}

/** Asks for something and gives it to `show`; meanwhile, or where it fails, `node` says so. */
export async function load(node, path, show, { params, signal, quiet = false } = {}) {
  if (!quiet) fill(node, loading());
  try {
    show(await get(path, params, { signal, waiting: (text) => fill(node, loading(text)) }));
  } catch (error) {
    if (!(error.status >= 0)) throwBug(error);
    else fill(node, failed(error, () => load(node, path, show, { params, signal })));
  }
}

/** What was given up is nothing to talk about; all else is a bug. */
export function throwBug(error) {
  if (error.name !== "AbortError") throw error;
}

