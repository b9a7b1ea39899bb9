// Dialogs: a title, a way to close, and keys that are theirs alone while they are open.

import { button, el, fill } from "./dom.js";
import { bind } from "./keys.js";

/** The head of a dialog. */
export const head = (dialog, title) => el("header", {},
  el("h2", { id: `${dialog.id}-title`, title }, title),
  button("Close", () => dialog.close(), { icon: "close", bare: true, class: "quiet" }));

/** Opens the dialog with that id of index.html; `closed` is called once, however it is closed. */
export function openDialog(id, title, content, closed = () => {}) {
  const dialog = document.getElementById(id);
  fill(dialog, head(dialog, title), content);
  const free = bind(title, [["Escape", "close", () => dialog.close()]], { modal: true });
  dialog.addEventListener("close", () => { free(); closed(); }, { once: true });
  dialog.showModal();
  return dialog;
}
