// Short messages at the edge of the page; one at a time, with at most one thing to do.

import { button, el, fill } from "./dom.js";

const SECONDS = 8;
const place = document.getElementById("toast");
let timer = 0;

/** Says something; `action` is `[label, run, key]`. Errors stay until they are closed. */
export function toast(text, { action, error = false } = {}) {
  const hide = () => place.replaceChildren();
  clearTimeout(timer);
  fill(place, el("div", { class: error ? "toast error" : "toast" }, el("p", {}, text),
    action && button(action[0], () => { hide(); action[1](); }, { class: "link", key: action[2] }),
    button("Close", hide, { icon: "close", bare: true, class: "quiet" })));
  if (!error) timer = setTimeout(hide, SECONDS * 1000);
}

export const complain = (error) => toast(error.message, { error: true });

/** Runs something, and says what went wrong; then it resolves to undefined. */
export async function attempt(run) {
  try {
    return await run();
  } catch (error) {
    if (error.status === undefined) throw error; // a bug
    return complain(error);
  }
}
