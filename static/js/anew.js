// The newest window laid over what is there, after another tab or device went on: nodes that are known stay the same nodes.
import { fragment } from "./net.js";
import { words } from "./words.js";

const root = document.getElementById("thread");

export async function reload(thread, version, following) {
  const fresh = await fragment(`${words.new}${thread.conversation}/?part=window`);
  const turns = [...fresh.children].filter((node) => node.dataset.id);
  const remembered = fresh.querySelector(".fold")?.nextElementSibling?.dataset.id;
  if (!turns.length) return;
  const first = thread.find(turns[0].dataset.id);
  if (!first) {
    for (const node of [...root.children]) if (node.id !== "title") node.remove();
    root.append(fresh);
  } else merge(thread, turns, first, following);
  thread.memory(remembered);
  thread.moved(version);
  thread.adopt();
  for (const article of root.querySelectorAll("article.a[data-poll]")) thread.attach(article);
  thread.watchOlder();
}

function merge(thread, turns, first, following) {
  const wanted = new Set(turns.map((node) => node.dataset.id));
  for (let node = first; node;) {
    const next = following(node);
    if (!wanted.has(node.dataset.id) && !node.matches(".fold")) node.remove();
    node = next;
  }
  for (const node of turns) {
    const here = thread.find(node.dataset.id);
    if (!here) root.append(node);
    else if (here.matches("article")) thread.answer(here).absorb(node);
  }
}
