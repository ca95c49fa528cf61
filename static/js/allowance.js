// What is left: the meter by the box, and the notice above it when a limit is in the way. The server writes both.
import { fragment, parsed } from "./net.js";
import { words } from "./words.js";

const meter = document.getElementById("meter");
const OLD_MS = 20000;
let read = Date.now();
const limit = document.getElementById("limit");

// Whether a limit stops the model that is chosen.
export const stopped = () => !!limit.firstElementChild;

// Whether the meter is to be read again after an answer: always near a limit, else once in a while.
export const old = () => !!meter.firstElementChild
  && (!!meter.querySelector(".warn") || Date.now() - read > OLD_MS);

export function clear() {
  limit.replaceChildren();
}

// Both parts out of an answer of the server that holds them.
export function put(given) {
  read = Date.now();
  const [left, stops] = [given.querySelector("[data-meter]"), given.querySelector("[data-limit]")];
  if (left) meter.replaceChildren(...left.childNodes);
  if (stops) limit.replaceChildren(...stops.children);
}

// A refused send brings its own notice.
export const tell = (html) => put(parsed(html));

export async function look(model) {
  put(await fragment(`${words.limit}?model=${encodeURIComponent(model)}`));
}
