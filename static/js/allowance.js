// What is left: the meter by the box, and the notice above it when a limit is in the way. The server writes both.
import { fragment, parsed } from "./net.js";
import { words } from "./words.js";

const meter = document.getElementById("meter");
const limit = document.getElementById("limit");

// Whether a limit stops the model that is chosen.
export const stopped = () => !!limit.firstElementChild;

export function clear() {
  limit.replaceChildren();
}

// Both parts out of an answer of the server that holds them.
export function put(given) {
  const [left, stops] = [given.querySelector("[data-meter]"), given.querySelector("[data-limit]")];
  if (left) meter.replaceChildren(...left.childNodes);
  if (stops) limit.replaceChildren(...stops.children);
}

// A refused send brings its own notice.
export const tell = (html) => put(parsed(html));

export async function look(model) {
  put(await fragment(`${words.limit}?model=${encodeURIComponent(model)}`));
}
