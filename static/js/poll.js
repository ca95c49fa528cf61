// The rhythm of a running answer: when to ask, how long to wait, what to do when nobody answers. Touches no element.
import { backoff, pause } from "./net.js";

const HOLD_S = 25;
const HIDDEN_MS = 4000;
const QUIET_MS = 400;
const ENDED = new Set(["done", "failed", "cancelled", "interrupted"]);

export const ended = (state) => ENDED.has(state);

// Follows `url` until the answer has ended, the ticket is over (`onGone`) or the returned function is called.
export function follow(url, { onAnswer, onGone, onTrouble = () => {} }) {
  const stop = { aborted: false };
  run(url, { onAnswer, onGone, onTrouble, stop });
  return () => { stop.aborted = true; };
}

async function run(url, { onAnswer, onGone, onTrouble, stop }) {
  let seen = 0;
  let open = null;
  let failures = 0;
  while (!stop.aborted) {
    const hidden = document.hidden;
    const before = performance.now();
    const answer = await ask(address(url, { seen, open, wait: hidden ? 0 : HOLD_S }));
    if (stop.aborted) return;
    if (answer === "gone") return onGone();
    if (!answer) {
      failures += 1;
      onTrouble(failures);
      await pause(backoff(failures - 1));
      continue;
    }
    if (failures) onTrouble(failures = 0);
    const news = answer.seq !== seen;
    seen = answer.seq;
    open = answer.open ?? null;
    url = answer.poll_url || url;
    onAnswer(answer);
    if (ended(answer.state)) return;
    if (hidden) await pause(HIDDEN_MS);
    // A server that does not hold polls answers at once: then it is us who must wait.
    else if (!news && performance.now() - before < QUIET_MS) await pause(QUIET_MS);
  }
}

function address(url, { seen, open, wait }) {
  const query = `seen=${seen}&wait=${wait}${open === null ? "" : `&open=${open}`}`;
  return url + (url.includes("?") ? "&" : "?") + query;
}

// The poll's JSON, "gone" when this ticket will never be answered again, null when it is worth repeating.
async function ask(url) {
  try {
    const signal = AbortSignal.timeout((HOLD_S + 15) * 1000);
    const response = await fetch(url, { headers: { Accept: "application/json" }, signal, cache: "no-store" });
    if ([401, 403, 404].includes(response.status)) return "gone";
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}
