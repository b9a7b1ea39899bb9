// The keyboard. A scope is a list of bindings with a title; views and dialogs add theirs while they
// are shown. The newest scope is asked first, and a dialog hides what is below it. Keys belong to
// whoever types: a text field keeps its letters and arrows.

const scopes = [];
const always = new Map();
let prefix = "";

/**
 * Adds bindings `[keys, what, run]`: keys as "Enter" or "g s", several apart by "|"; what they do in
 * words (null: not listed); `run(event, key)` returns false to leave the key to others. Returns a
 * function that removes them.
 */
export function bind(title, bindings, { modal = false } = {}) {
  const scope = { title, modal, bindings };
  scopes.push(scope);
  return () => {
    const at = scopes.indexOf(scope);
    if (at >= 0) scopes.splice(at, 1);
  };
}

/** Binds a key that also works in dialogs. */
export const bindAlways = (key, run) => always.set(key, run);

/** Whether an element takes letters itself. */
function types(node) {
  if (!node || node.isContentEditable) return Boolean(node?.isContentEditable);
  if (["TEXTAREA", "SELECT"].includes(node.tagName)) return true;
  return node.tagName === "INPUT" && !["checkbox", "radio", "button"].includes(node.type);
}

function named(event) {
  return event.key === " " ? "Space" : event.key;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const at = document.activeElement;
  if (types(at)) return;
  const key = named(event);
  // A control keeps the keys that press it.
  if (["Enter", "Space"].includes(key) && at?.matches("a[href], button, summary, [role=option]")) return;
  if (at?.type === "radio" && key.startsWith("Arrow")) return;
  if (always.has(key)) {
    event.preventDefault();
    always.get(key)();
    return;
  }
  const pressed = prefix ? `${prefix} ${key}` : key;
  prefix = "";
  for (const scope of [...scopes].reverse()) {
    for (const [keys, , run] of scope.bindings) {
      const all = keys.split("|");
      if (all.includes(pressed) && run(event, key) !== false) {
        event.preventDefault();
        return;
      }
      if (all.some((each) => each.startsWith(`${pressed} `))) prefix = pressed;
    }
    if (scope.modal) return;
  }
});

/** The scopes that are not hidden by a dialog, the newest first. */
export function visibleScopes() {
  const hidden = scopes.findLastIndex((scope) => scope.modal);
  return scopes.slice(Math.max(0, hidden)).reverse();
}
