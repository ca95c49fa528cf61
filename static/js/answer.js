// One answer in the page: blocks, the words after them, the caret, what it waits for. Asks nothing of the network.
import { dress } from "./copy.js";
import { ended } from "./poll.js";
import { words } from "./words.js";

const INTO = new Set("P UL OL LI BLOCKQUOTE H1 H2 H3 H4 H5 H6 PRE CODE DIV TABLE TBODY TR TD".split(" "));
// The id in the page's pattern of actions.
const NOBODY = "00000000-0000-0000-0000-000000000000";
const PARTS = ["model", "think", "wait", "note", "acts"];

function canonical(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.innerHTML;
}

// Whether the person is reading exactly here: something of it is selected, or the focus is inside.
function held(node) {
  if (node.contains(document.activeElement)) return true;
  const selection = document.getSelection();
  return node.isConnected && !selection.isCollapsed && selection.getRangeAt(0).intersectsNode(node);
}

function element(tag, name, text = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

export class Answer {
  constructor(article) {
    this.article = article;
    this.text = article.querySelector(".text");
    this.known = new Map();
    this.late = new Map();
    this.after = { tail: "", on: false };
    this.tail = element("span", "tail");
    this.caret = element("span", "caret");
    this.caret.setAttribute("aria-hidden", "true");
    this.began();
    for (const node of this.nodes) {
      this.known.set(node, node.innerHTML);
      dress(node);
    }
  }

  get nodes() { return [...this.text.querySelectorAll(":scope > .block[data-i]")]; }
  get paragraphs() { return this.nodes.length; }
  get state() { return this.article.dataset.state; }

  // When the model began to think, by this clock.
  began() { this.since = Date.now() - 1000 * Number(this.article.dataset.elapsed || 0); }

  part(name) { return this.article.querySelector(`:scope > [data-part=${name}]`); }

  // A poll's answer. Blocks that are finished are never touched again; the open one only while nobody is reading in it.
  apply(data) {
    this.article.dataset.state = data.state;
    this.had = this.paragraphs;
    for (const [index, html] of data.blocks) this.set(index, html);
    const over = ended(data.state);
    if (over) for (const node of this.nodes) if (Number(node.dataset.i) >= data.blocks.length) node.remove();
    this.after = { tail: over ? "" : data.tail || "", on: data.state === "streaming" };
    this.draw();
    if (data.reasoning) this.think(data.reasoning);
    this.wait(data);
    if (over && data.note) this.part("note").replaceChildren(element("div", `note ${data.note.level}`, data.note.text));
  }

  set(index, html) {
    let node = this.text.querySelector(`:scope > .block[data-i="${index}"]`);
    if (!node) {
      node = element("div", "block");
      node.dataset.i = index;
      this.text.append(node);
    }
    const wanted = canonical(html);
    this.late.delete(index);
    if (this.known.get(node) === wanted) return;
    if (this.known.has(node) && held(node)) {
      this.late.set(index, html);
      return;
    }
    this.known.set(node, wanted);
    node.innerHTML = html;
    dress(node);
  }

  // What came while somebody was reading there is shown now.
  flush() {
    if (!this.late.size && !this.behind) return;
    for (const [index, html] of [...this.late]) this.set(index, html);
    this.draw();
  }

  // The plain words after the open block's last rendering, and the caret behind them.
  draw() {
    const { tail, on } = this.after;
    const last = this.nodes.at(-1);
    if (!on) this.caret.remove();
    this.behind = held(this.tail) || (!!last && this.late.has(Number(last.dataset.i)));
    if (this.behind) return;
    if (!on) {
      this.tail.remove();
      return;
    }
    this.tail.textContent = tail;
    const home = last ? deepest(last) : this.text;
    if (this.caret.parentNode !== home || home.lastChild !== this.caret) home.append(this.tail, this.caret);
  }

  think(text) {
    const part = this.part("think");
    if (!part.firstElementChild) {
      const details = element("details", "think");
      details.append(element("summary", "", words.thoughts), element("div", "thoughts"));
      part.replaceChildren(details);
    }
    part.querySelector(".thoughts").textContent = text;
  }

  // What it waits for, as long as no words have come.
  wait(data) {
    const wordless = !this.nodes.length && !data.tail;
    const waits = data.note && !ended(data.state) ? data.note.text : "";
    this.thinking = !waits && wordless && ["running", "streaming"].includes(data.state);
    const part = this.part("wait");
    if (ended(data.state) || !(waits || wordless)) {
      part.replaceChildren();
      return;
    }
    if (!waits && !this.thinking) return;
    const line = element("div", "wait");
    line.append(element("span", waits ? "dot idle" : "dot"), element("span", "num", waits || this.seconds()));
    part.replaceChildren(line);
  }

  seconds() {
    const count = Math.max(0, Math.round((Date.now() - this.since) / 1000));
    return `${words.thinking} · ${words.seconds.replace("{n}", count)}`;
  }

  tick() {
    const shown = this.thinking && this.part("wait").querySelector(".num");
    if (shown) shown.textContent = this.seconds();
  }

  // It has ended and needs no more of the server: its actions are those of every answer.
  complete(lang) {
    this.part("acts").innerHTML = document.getElementById("acts").innerHTML.replaceAll(NOBODY, this.article.dataset.id);
    for (const name of ["poll", "generation", "elapsed", "stop"]) delete this.article.dataset[name];
    if (lang) this.text.lang = lang;
  }

  // The same answer as the server shows it now: notes, actions, state; blocks as ever.
  absorb(fresh) {
    const focused = this.article.contains(document.activeElement) && document.activeElement;
    for (const name of PARTS) {
      const open = this.part(name).querySelector("details.think[open]");
      this.part(name).replaceChildren(...fresh.querySelector(`:scope > [data-part=${name}]`).childNodes);
      if (open) this.part(name).querySelector("details")?.setAttribute("open", "");
    }
    for (const name of ["state", "poll", "generation", "elapsed", "stop"]) {
      if (name in fresh.dataset) this.article.dataset[name] = fresh.dataset[name];
      else delete this.article.dataset[name];
    }
    this.began();
    const text = fresh.querySelector(".text");
    if (text.lang) this.text.lang = text.lang;
    if (!fresh.dataset.poll) this.blocks(text);
    if (focused && !focused.isConnected) {
      this.article.tabIndex = -1;
      this.article.focus({ preventScroll: true });
    }
  }

  blocks(text) {
    const wanted = [...text.querySelectorAll(":scope > .block")];
    wanted.forEach((node, index) => this.set(index, node.innerHTML));
    for (const node of this.nodes.slice(wanted.length)) node.remove();
    this.after = { tail: "", on: false };
    this.draw();
  }
}

// Where the next word of a block will stand.
function deepest(block) {
  let at = block;
  for (;;) {
    const last = at.lastElementChild;
    const own = last && !["tail", "caret"].includes(last.className) && INTO.has(last.tagName);
    if (!own || last.nextSibling?.nodeValue?.trim()) return trimmed(at);
    at = last;
  }
}

// The last line of code in the making ends with a line break that its text does not have yet.
function trimmed(at) {
  const last = at.lastChild;
  if (at.closest("pre") && last?.nodeType === Node.TEXT_NODE && last.data.endsWith("\n")) last.data = last.data.slice(0, -1);
  return at;
}
