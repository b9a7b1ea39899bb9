// What a view shows in place of its content: that it is loading, empty, or failed.

import { button, el, icon } from "./dom.js";

/** A title and a sentence in the middle, with what can be done. */
export function notice(symbol, title, text, ...actions) {
  return el("div", { class: "notice" }, icon(symbol), el("h2", {}, title),
    text && el("p", {}, text), actions.some(Boolean) && el("p", { class: "actions" }, actions));
}

/** What went wrong, and another try. */
export function failed(error, again) {
  const title = error.status === 0 ? "No answer" : "That did not work";
  const node = notice(error.status === 0 ? "offline" : "warning", title, error.message,
    again && button("Try again", again, { class: "primary" }));
  node.setAttribute("role", "alert");
  return node;
}

/** A quiet bar; it appears only after a moment, so that quick answers do not flicker. */
export function loading(text = "Loading") {
  return el("div", { class: "notice loading", role: "status" },
    el("span", { class: "bar", "aria-hidden": "true" }), el("p", {}, text));
}
