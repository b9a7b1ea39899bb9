// Map: the collection in the plane.

import { el } from "./dom.js";
import { loading } from "./states.js";

export const title = "Map";

export function mount(root) {
  const view = el("div", { class: "view map" }, loading());
  root.append(view);
  return { update: () => {}, neighbour: null, unmount: () => view.remove() };
}
