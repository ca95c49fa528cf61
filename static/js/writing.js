// The menu beside the box: what Enter does, and whether a screen reader hears each finished block. Comes when it is opened,
// or at once for whoever has chosen to hear them.
import { aloud, say } from "./announce.js";
import { NAME, enter } from "./keys.js";
import { ended } from "./poll.js";

const wanted = document.getElementById("aloud");
const enters = [...document.querySelectorAll("#writing [name=enter]")];

function keep() {
  enter.does = enters.find((choice) => choice.checked).value;
  enter.aloud = wanted.checked;
  try { localStorage.setItem(NAME, enter.aloud ? `${enter.does} aloud` : enter.does); } catch { /* it holds for this page */ }
}

// What was pressed before this file came is a choice, too.
function listen() {
  const early = wanted.checked || enters.some((choice) => choice.checked);
  if (!enters.some((choice) => choice.checked)) for (const choice of enters) choice.checked = choice.value === enter.does;
  wanted.checked ||= !!enter.aloud;
  if (early) keep();
  document.getElementById("writing").addEventListener("change", keep);
}

// A block's words. Cells, items and lines keep a gap between them.
function spoken(html) {
  const { content } = Object.assign(document.createElement("template"), { innerHTML: html });
  for (const each of content.querySelectorAll(".code > header, annotation")) each.remove();
  for (const each of content.querySelectorAll("p, li, th, td, br, pre")) each.after(" ");
  return content.textContent.replace(/\s+/g, " ").trim();
}

// Says what the last poll has finished. A block is finished once the next one has begun or the answer has ended; of the
// blocks that were there before, only the last one was not.
aloud.read = ({ nodes, had, known, late, state }) => {
  if (!wanted.checked) return;
  for (const node of nodes.slice(Math.max(0, had - 1), ended(state) ? nodes.length : -1)) {
    const text = spoken(late.get(Number(node.dataset.i)) ?? known.get(node));
    if (text) say(text);
  }
};

listen();
