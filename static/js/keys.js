// What Enter means in the box: sends or makes a new line, by the person's choice, kept in this browser.
import { words } from "./words.js";

export const NAME = `enter:${words.person}`;
// How long after the end of a composition Enter still belongs to it: some browsers tell of the end first.
const COMPOSED_MS = 60;
// Changed and kept by the menu beside the box: "enter" or "ctrl", and "aloud" after it for who hears finished blocks.
export const enter = { does: "enter" };
let composed = -COMPOSED_MS;

export const onTouch = matchMedia("(hover: none) and (pointer: coarse)").matches;

// An input method composes: its Enter, Esc and arrows choose characters (229 is all that Safari says of it).
export function composes(event) {
  return event.isComposing || event.keyCode === 229 || event.timeStamp - composed < COMPOSED_MS;
}

export function sends(event) {
  if (event.key !== "Enter" || event.shiftKey || event.altKey || composes(event)) return false;
  return event.ctrlKey || event.metaKey || (enter.does === "enter" && !onTouch);
}

export function listen(box) {
  try {
    [enter.does, enter.aloud] = (localStorage.getItem(NAME) || "enter").split(" ");
  } catch { /* then it is Enter, and nothing is read */ }
  box.addEventListener("compositionend", (event) => { composed = event.timeStamp; });
  box.enterKeyHint = onTouch ? "enter" : "send";
}
