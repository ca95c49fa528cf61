// What is left: the meter by the box, and the notice above it when a limit is in the way. The server writes both.
const meter = document.getElementById("meter");
const limit = document.getElementById("limit");

// Whether a limit stops the model that is chosen.
export const stopped = () => !!limit.firstElementChild;

// Whether anything is limited.
export const limited = () => !!meter.firstElementChild;

// Both parts out of an answer of the server that holds them.
export function put(given) {
  meter.replaceChildren(...given.querySelector("[data-meter]").childNodes);
  limit.replaceChildren(...given.querySelector("[data-limit]").children);
}
