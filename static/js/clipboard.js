// What a copy button puts into the clipboard: an answer as HTML and Markdown together, a table as cells, code, a question.
import { say } from "./announce.js";
import { text as source } from "./net.js";
import { plain } from "./plain.js";
import { words } from "./words.js";

function tabbed(table) {
  const line = (row) => [...row.cells].map((cell) => cell.innerText.replace(/\s+/g, " ").trim()).join("\t");
  return [...table.rows].map(line).join("\n");
}

// The element, its HTML if it has any worth keeping, its text or the promise of it.
function wanted(pressed) {
  const { copy: what } = pressed.dataset;
  if (what === "code") {
    const node = pressed.closest(".code").querySelector("pre");
    return { node, text: node.textContent.replace(/\n$/, "") };
  }
  if (what === "table") {
    const node = pressed.closest(".cells").querySelector("table");
    return { node, html: plain(node), text: tabbed(node) };
  }
  if (what === "question") {
    const node = pressed.closest(".q").querySelector("div");
    return { node, text: node.textContent };
  }
  const article = pressed.closest("article");
  const node = article.querySelector(".text");
  const shown = node.innerText.trim();
  return { node, html: plain(node), text: source(`${words.send}${article.dataset.id}/source/`).catch(() => shown) };
}

async function put({ node, html, text }) {
  const blob = (type, value) => Promise.resolve(value).then((found) => new Blob([found], { type }));
  try {
    // Promises, so that the press still counts as the person's wish when the Markdown has come.
    const item = { "text/plain": blob("text/plain", text), ...(html ? { "text/html": blob("text/html", html) } : {}) };
    await navigator.clipboard.write([new ClipboardItem(item)]);
    return true;
  } catch {
    return select(node, { html, text: await text });
  }
}

// Without https there is no clipboard to write to: the words are selected and copied as by hand.
function select(node, { html, text }) {
  const selection = document.getSelection();
  selection.selectAllChildren(node);
  let taken = false;
  const give = (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    event.clipboardData.setData("text/plain", text);
    if (html) event.clipboardData.setData("text/html", html);
    taken = true;
  };
  window.addEventListener("copy", give, { capture: true, once: true });
  const done = document.execCommand("copy") && taken;
  window.removeEventListener("copy", give, { capture: true });
  if (done) selection.removeAllRanges();
  return done;
}

// Says that it is done; or why not, with the words selected to be copied by hand.
export async function copy(pressed, tell) {
  if (!(await put(wanted(pressed)))) {
    tell(words.notCopied);
    return;
  }
  pressed.focus({ preventScroll: true });
  say(words.copied);
  pressed.classList.add("copied");
  setTimeout(() => pressed.classList.remove("copied"), 1500);
}
