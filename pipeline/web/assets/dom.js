// Makes elements. Every string becomes a text node: no file name, folder or transcript is ever
// read as markup.

const PROPERTIES = new Set(["checked", "disabled", "hidden", "loop", "muted", "tabIndex", "value"]);
const TAIL = 9; // letters of a name that are never cut off
const SVG = "http://www.w3.org/2000/svg";

/** Makes an element: `on...` are listeners, null and false props and children are left out. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  append(node, children);
  return node;
}

/** Appends strings and elements; null and false are left out, lists are flattened. */
export function append(node, ...children) {
  node.append(...children.flat(3).filter((child) => child || child === 0 || child === ""));
  return node;
}

/** Replaces everything in an element. */
export function fill(node, ...children) {
  node.replaceChildren();
  return append(node, children);
}

/** An icon of the sprite in index.html; it says nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A button; `label` is its text, or its name where it shows an icon only. */
export function button(label, onclick, { icon: symbol, bare = false, key, ...props } = {}) {
  return el(
    "button",
    {
      type: "button", onclick, title: bare ? label : null, "aria-label": bare ? label : null,
      "aria-keyshortcuts": key, ...props,
    },
    symbol && icon(symbol), !bare && el("span", {}, label), key && kbd(key),
  );
}

/** How a key is shown. */
export const kbd = (key) => el("kbd", { "aria-hidden": "true" }, key);

/** Text with some stretches marked; `marks` are pairs of offsets in order. */
export function marked(text, marks = []) {
  const pieces = [];
  let at = 0;
  for (const [from, to] of marks) {
    if (from < at) continue;
    pieces.push(text.slice(at, from), el("mark", {}, text.slice(from, to)));
    at = to;
  }
  return [...pieces, text.slice(at)].filter(Boolean);
}

/** A name that is cut before its end, which tells files of one camera apart. */
export function cut(name) {
  const letters = [...name];
  const at = Math.max(0, letters.length - TAIL);
  return [el("span", {}, letters.slice(0, at).join("")), el("span", {}, letters.slice(at).join(""))];
}

/** A sentence in which `commands` stand out. */
export const sentence = (text) => text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));

export const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
