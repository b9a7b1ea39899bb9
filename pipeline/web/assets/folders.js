// The folders of the collection, and the dialog that asks for one of them or for a new one.

import { get } from "./api.js";
import { openDialog } from "./dialog.js";
import { el, fill } from "./dom.js";
import { count } from "./format.js";
import { on } from "./live.js";

let answer = null;

/** `{folders, unlabeled, languages}`, asked once for each version of the table. */
export function folders() {
  answer ??= get("/api/folders").catch((error) => {
    answer = null;
    throw error;
  });
  return answer;
}

export const forgetFolders = () => { answer = null; };
on("version", forgetFolders);

/**
 * Asks for a folder. Resolves to its name, null for "unlabeled", or undefined where it was closed.
 * What is typed narrows the list; a name that does not exist yet is offered as a new folder.
 */
export function askFolder(title, { unlabeled = false, likely = [] } = {}) {
  return new Promise((resolve) => {
    let known = [];
    let choices = [];
    let at = 0;
    const finish = (value) => {
      resolve(value);
      dialog.close();
    };
    const list = el("ul", { id: "folder-list", role: "listbox", "aria-label": "Folders", tabIndex: -1 });
    const problem = el("p", { class: "problem", role: "alert" });
    const input = el("input", {
      type: "text", id: "folder-name", role: "combobox", "aria-controls": "folder-list", "aria-expanded": "true",
      "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", maxlength: 255,
      oninput: () => { at = 0; draw(); },
      onkeydown: (event) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (step) {
          event.preventDefault();
          at = Math.max(0, Math.min(choices.length - 1, at + step));
          draw();
        } else if (event.key === "Enter" && choices[at]) {
          event.preventDefault();
          finish(choices[at].value);
        }
      },
    });

    function draw() {
      const typed = input.value.trim();
      const wanted = typed.toLowerCase();
      const wrong = typed && nameProblem(typed);
      problem.textContent = wrong || "";
      const rank = ({ name }) => (likely.includes(name) ? likely.indexOf(name) : likely.length);
      choices = known.filter(({ name }) => name.toLowerCase().includes(wanted))
        .sort((a, b) => rank(a) - rank(b))
        .map(({ name, videos }) => ({ value: name, text: name, note: count(videos) }));
      if (unlabeled && !typed) choices.unshift({ value: null, text: "unlabeled", note: "out of all folders" });
      if (typed && !wrong && !known.some(({ name }) => name === typed)) {
        choices.push({ value: typed, text: typed, note: "new folder" });
      }
      fill(list, choices.map((choice, index) => el("li", {
        role: "option", id: `folder-${index}`, "aria-selected": String(index === at),
        onclick: () => finish(choice.value),
      }, el("span", {}, choice.text), el("small", {}, choice.note))));
      input.setAttribute("aria-activedescendant", choices.length ? `folder-${at}` : "");
      list.children[at]?.scrollIntoView({ block: "nearest" });
    }

    const dialog = openDialog("folder", title,
      [el("label", { for: "folder-name" }, "Folder, or the name of a new one"), input, problem, list], resolve);
    draw();
    input.focus();
    // The dialog does not wait for them: what is typed at once is typed here.
    folders().then((answer) => {
      known = answer.folders;
      if (dialog.open) draw();
    }).catch(() => {});
  });
}

/** Why a name cannot be a folder's, or "". */
export function nameProblem(name) {
  if (/[/\\\0]/.test(name)) return "A folder's name has no slashes.";
  if (name.startsWith(".")) return "A folder's name does not begin with a dot.";
  return new TextEncoder().encode(name).length > 255 ? "That name is too long." : "";
}
