// Videos that are chosen together, and the bar that says what can be done with them.

import { button, el } from "./dom.js";
import { askFolder } from "./folders.js";
import { counted } from "./format.js";
import { move } from "./moves.js";
import { attempt, toast } from "./toast.js";

const MOST_KEYS = 5000;

/** `onChange` is called after each change; `keys` are bindings for the keyboard. */
export function selection(onChange) {
  const chosen = new Set();
  const text = el("strong", { role: "status" });
  const node = el("div", { class: "chosen", hidden: true }, text,
    button("Move to…", ask, { class: "primary", key: "v" }), button("Clear", clear, { key: "Esc" }));

  function set(keys, on = true) {
    for (const key of keys) chosen[on && chosen.size < MOST_KEYS ? "add" : "delete"](key);
    if (chosen.size >= MOST_KEYS) toast(`No more than ${MOST_KEYS} videos are moved at a time.`);
    node.hidden = !chosen.size;
    text.textContent = `${counted(chosen.size, "video")} selected`;
    onChange();
  }

  function clear() {
    chosen.clear();
    set([]);
  }

  /** Asks where they go, and moves them. */
  async function ask() {
    if (!chosen.size) return;
    const keys = [...chosen];
    const folder = await askFolder(`Move ${counted(keys.length, "video")}`, { unlabeled: true });
    if (folder !== undefined && (await attempt(() => move([{ keys, folder }])))) clear();
  }

  return {
    node, set, clear,
    has: (key) => chosen.has(key),
    toggle: (key) => set([key], !chosen.has(key)),
    keys: [
      ["v", "move the selected videos", ask],
      ["Escape", "clear the selection", () => (chosen.size ? clear() : false)],
    ],
  };
}
