// Asks the server. An answer is its JSON; everything else is an ApiError with a sentence for people.

const ASK_AGAIN_MS = 250;

export class ApiError extends Error {
  /** `status` is 0 where no answer came at all. */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The query of an address; lists repeat a name, null and "" are left out. */
export function query(params) {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null && each !== undefined && each !== "") found.append(name, each);
    }
  }
  const text = found.toString();
  return text && `?${text}`;
}

/**
 * GET. While the server answers "not yet" (202), `waiting` hears why, once, and it is asked again.
 */
export async function get(path, params = {}, { signal, waiting } = {}) {
  for (let said; ; ) {
    const answer = await send(path + query(params), { signal });
    if (answer.status !== 202) return answer.json();
    const { waiting: why } = await answer.json();
    if (why !== said) waiting?.((said = why));
    await pause(ASK_AGAIN_MS, signal);
  }
}

export const post = (path, body = {}) => json("POST", path, body);
export const remove = (path, body = {}) => json("DELETE", path, body);

/** Sends a picture as it is. */
export async function postPicture(blob, signal) {
  const headers = { "Content-Type": blob.type || "application/octet-stream" };
  return (await send("/api/pictures", { method: "POST", body: blob, headers, signal })).json();
}

async function json(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  return (await send(path, { method, headers, body: JSON.stringify(body) })).json();
}

async function send(address, options) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server does not answer. Is `run.py web` still running?", 0);
  }
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  throw new ApiError(said.error || `The server answered ${answer.status}.`, answer.status);
}

export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    });
  });
}
