// Videos that are chosen together, and the bar that says what can be done with them.

import { button, el } from "./dom.js";
import { askFolder } from "./folders.js";
import { counted } from "./format.js";
import { move } from "./moves.js";
import { toast } from "./toast.js";

const MOST_KEYS = 5000;

/** `onChange` is called after each change, `onMoved` after files were moved. */
export function selection({ onChange, onMoved }) {
  const chosen = new Set();
  const text = el("strong", { role: "status" });
  const node = el("div", { class: "chosen", hidden: true }, text,
    button("Move to…", ask, { class: "primary", key: "v" }),
    button("Clear", clear, { key: "Esc" }));

  function changed() {
    node.hidden = !chosen.size;
    text.textContent = `${counted(chosen.size, "video")} selected`;
    onChange();
  }

  function set(keys, on = true) {
    for (const key of keys) chosen[on && chosen.size < MOST_KEYS ? "add" : "delete"](key);
    if (chosen.size >= MOST_KEYS) toast(`No more than ${MOST_KEYS} videos are moved at a time.`);
    changed();
  }

  function clear() {
    chosen.clear();
    changed();
  }

  /** Asks where they go, and moves them. */
  async function ask() {
    if (!chosen.size) return;
    const keys = [...chosen];
    const folder = await askFolder(`Move ${counted(keys.length, "video")}`, { unlabeled: true });
    if (folder === undefined) return;
    try {
      await move([{ keys, folder }]);
      clear();
      onMoved();
    } catch (error) {
      toast(error.message, { error: true });
    }
  }

  return {
    node, set, clear, ask,
    has: (key) => chosen.has(key),
    toggle: (key) => set([key], !chosen.has(key)),
    get size() { return chosen.size; },
  };
}
