// Moves files, and takes moves back. The words for what happened are the same in every view.

import { post } from "./api.js";
import { counted } from "./format.js";
import { forgetFolders } from "./folders.js";
import { tell } from "./live.js";
import { toast } from "./toast.js";

/** Moves videos into folders as one batch; `moves` is a list of `{keys, folder}`. */
export async function move(moves, { quiet = false } = {}) {
  const done = await post("/api/moves", { moves });
  after(done);
  const to = [...new Set(moves.map(({ folder }) => folder ?? "unlabeled"))];
  const where = to.length === 1 ? to[0] : counted(to.length, "folder");
  if (done.left.length) toast(leftBehind(done), { error: true });
  else if (!quiet) toast(`${counted(done.moved.length, "video")} moved to ${where}.`, { action: ["Undo", undo, "u"] });
  return done;
}

/** Takes the newest batch back, and says what that was. */
export async function undo(batch = null) {
  try {
    const done = await post("/api/undo", { batch: typeof batch === "string" || typeof batch === "number" ? batch : null });
    after(done);
    if (done.left.length) toast(leftBehind(done), { error: true });
    else toast(done.moved.length ? `${counted(done.moved.length, "video")} moved back.` : "There is nothing to undo.");
    return done;
  } catch (error) {
    toast(error.message, { error: true });
    return { moved: [], left: [] };
  }
}

function after(done) {
  if (!done.moved.length) return;
  forgetFolders();
  tell("moved", done.moved);
}

function leftBehind({ moved, left }) {
  const first = `${left[0].path}: ${left[0].why}`;
  const others = left.length > 1 ? `, and ${left.length - 1} more` : "";
  return `${moved.length ? `${counted(moved.length, "video")} moved; ` : ""}not moved: ${first}${others}.`;
}
