// The state of the page is its address: which view, what is sought, which filters, which video is
// open. Everything goes through here, so Back, Forward, reload and bookmarks work.

import { query } from "./api.js";

const LISTS = ["folder"];
const DEFAULTS = { view: "search" };
/** What another question leaves out: the one before, and filters that no search takes. */
export const NEW_QUESTION = { text: null, like: null, picture: null, nearest: null, failed: null, offline: null };
const listeners = new Set();
let current = read();

/** What the address says: an object of strings; `folder` is a list. */
export const address = () => current;

/** Calls `listener(now, before)` after each change. */
export function onChange(listener) {
  listeners.add(listener);
}

/** The address with some parts changed; null removes a part. */
export function href(change, from = current) {
  const next = { ...from, ...change };
  for (const [name, value] of Object.entries(DEFAULTS)) if (next[name] === value) delete next[name];
  return `/${query(next)}`;
}

/** Another view with nothing else in its address. */
export const viewHref = (view) => href({ view }, {});

/** Goes to an address made by `href`. The entry knows whether it opened the player (see player.js). */
export function goTo(target, { replace = false, state = null } = {}) {
  if (target === location.pathname + location.search) return;
  const opened = !current.open && new URLSearchParams(target.split("?")[1]).has("open");
  history[replace ? "replaceState" : "pushState"](state ?? (opened ? { opened } : null), "", target);
  changed();
}

/** Changes parts of the address. */
export const go = (change, options) => goTo(href(change), options);

/** Keeps something with this entry of the history, such as how far it is scrolled. */
export function keep(values) {
  history.replaceState({ ...history.state, ...values }, "");
}

export const kept = (name) => history.state?.[name];

function read() {
  const params = new URLSearchParams(location.search);
  const found = { ...DEFAULTS };
  for (const name of LISTS) found[name] = params.getAll(name);
  for (const [name, value] of params) if (!LISTS.includes(name)) found[name] = value;
  return Object.freeze(found);
}

function changed() {
  const before = current;
  current = read();
  for (const listener of listeners) listener(current, before);
}

window.addEventListener("popstate", changed);

// Plain clicks on links of the page change the address without loading it again.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const plain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button);
  if (!link || !plain || event.defaultPrevented || link.target) return;
  if (link.origin !== location.origin || link.pathname !== "/") return;
  event.preventDefault();
  goTo(link.pathname + link.search);
});
