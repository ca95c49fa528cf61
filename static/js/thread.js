// The conversation in the page: its turns, which of them is being written, older windows, and what another tab has done.
import { aloud, say } from "./announce.js";
import { Answer } from "./answer.js";
import { fragment, json, parsed, pause, backoff, Refusal } from "./net.js";
import { ended, follow } from "./poll.js";
import { keepPlace, news, toBottom } from "./scroll.js";
import { words } from "./words.js";

const root = document.getElementById("thread");
const fold = document.getElementById("fold").content.firstElementChild;

// What comes after a turn; after the last one of an older window the windows after it.
const following = (node) => node.nextElementSibling || node.closest(".window")?.nextElementSibling;

export class Thread {
  // `on` is told: running(answer or null), side(the conversation's row), left(what is left, as a fragment), complete(untitled), ended(state, data), moved(version), trouble(name, on), signedOut().
  constructor(on) {
    this.on = on;
    this.answers = new Map();
    this.running = null;
    this.gone = 0;
    this.adopt();
    setInterval(() => this.running?.tick(), 1000);
  }

  get conversation() { return root.dataset.conversation; }
  get version() { return root.dataset.version; }

  start() {
    for (const article of root.querySelectorAll("article.a[data-poll]")) this.attach(article);
    this.watchOlder();
    for (const type of ["selectionchange", "focusout"]) {
      document.addEventListener(type, () => { for (const answer of this.answers.values()) answer.flush(); });
    }
    const look = () => document.hidden || this.look();
    document.addEventListener("visibilitychange", look);
    addEventListener("focus", look);
    addEventListener("online", look);
  }

  answer(article) {
    const known = this.answers.get(article.dataset.id);
    if (known?.article === article) return known;
    const made = new Answer(article);
    this.answers.set(article.dataset.id, made);
    return made;
  }

  attach(article) {
    const answer = this.answer(article);
    answer.unfollow?.();
    answer.unfollow = follow(article.dataset.poll, {
      onAnswer: (data) => this.heard(answer, data),
      onGone: () => this.again(answer),
      onTrouble: (failures) => this.on.trouble("poll", failures > 1),
    });
    if (this.running !== answer) say(words.answering);
    this.running = answer;
    this.on.running(answer);
  }

  heard(answer, data) {
    this.gone = 0;
    const before = answer.text.textContent.length;
    answer.apply(data);
    if (answer.text.textContent.length > before) news();
    aloud.read?.(answer);
    if (ended(data.state)) this.finished(answer, data);
  }

  async finished(answer, data) {
    answer.unfollow = null;
    if (this.running === answer) this.running = null;
    const count = answer.paragraphs;
    const whole = count === 1 ? words.finishedOne : words.finished.replace("{n}", count);
    say(data.state === "done" ? whole : data.note?.text || words.ended);
    this.on.running(this.running);
    const url = answer.article.dataset.poll;
    if (data.whole && !document.hidden) {
      answer.complete(data.lang);
      this.on.complete(data.untitled);
    } else await this.settle(answer);
    this.on.ended(data.state, { ...data, url });
  }

  // The ended answer with its note and actions, as the server shows it.
  async settle(answer) {
    for (let tries = 0; tries < 6; tries += 1) {
      try {
        const seen = document.hidden ? "" : "&seen=1";
        const given = await fragment(`${words.send}${answer.article.dataset.id}/?part=end${seen}`);
        const fresh = given.querySelector("article.a");
        answer.absorb(fresh);
        this.on.side(given.querySelector("[data-side]"));
        this.on.left(given);
        this.memory(fresh.dataset.memory);
        return fresh;
      } catch (error) {
        if (error.status === 401) this.on.signedOut();
        if (error instanceof Refusal && !error.passing) return null;
        await pause(backoff(tries));
      }
    }
    return null;
  }

  // The line where the model's memory now begins, once the server has told where.
  memory(id) {
    const first = this.find(id);
    if (!first || first.previousElementSibling?.matches(".fold")) return;
    keepPlace(() => {
      root.querySelector(".fold")?.remove();
      first.before(fold.cloneNode(true));
    });
  }

  // The poll's ticket is over: the answer as it stands brings a new one, or its end.
  async again(answer) {
    answer.unfollow = null;
    this.gone += 1;
    if (this.gone > 1) await pause(backoff(this.gone));
    const fresh = await this.settle(answer);
    if (fresh && answer.article.dataset.poll) this.attach(answer.article);
    else if (this.running === answer) {
      this.running = null;
      this.on.running(null);
      if (fresh) this.on.ended(answer.state, {});
    }
  }

  // Puts in what the server answered to a send or an action. What is known by its id is brought up to date, not doubled.
  take(accepted, { edits = "" } = {}) {
    document.getElementById("hello")?.remove();
    root.dataset.conversation = accepted.conversation_id;
    this.moved(accepted.version);
    const fresh = parsed(accepted.html);
    const known = this.find(accepted.message_id);
    if (known) {
      this.answer(known).absorb(fresh.querySelector("article.a"));
    } else {
      const asked = this.find(accepted.question_id);
      const first = edits && this.find(edits);
      if (asked) this.cutAfter(asked);
      else if (first) this.cutAfter(first.previousElementSibling, first);
      for (const node of [...fresh.children]) if (!this.find(node.dataset.id)) root.append(node);
    }
    const article = this.find(accepted.message_id);
    if (article.dataset.poll) this.attach(article);
    toBottom();
  }

  find(id) { return id ? document.getElementById(`m-${id}`) : null; }

  // A question, or the last one, in the words it was asked in.
  question(id) {
    const found = id ? this.find(id) : [...root.querySelectorAll(".q")].at(-1);
    return found && { id: found.dataset.id, text: found.querySelector("div").textContent };
  }

  cutAfter(node, first = following(node)) {
    for (let next = first; next;) {
      const after = following(next);
      this.answers.get(next.dataset?.id)?.unfollow?.();
      next.remove();
      next = after;
    }
  }

  moved(version) {
    root.dataset.version = version;
    this.on.moved(version);
  }

  // The cheap question whether another tab or device has gone on here.
  async look() {
    if (!this.conversation || this.running || this.looking || "older" in root.dataset) return;
    this.looking = true;
    try {
      const now = await json(`${words.new}${this.conversation}/state/`);
      if (String(now.version) !== this.version || now.generation_id) await this.reload(now.version);
    } catch (error) {
      if (error.status === 401) this.on.signedOut();
    } finally {
      this.looking = false;
    }
  }

  // Another tab or device was here: the code for the newest window anew comes when it is wanted.
  async reload(version) { await (await import("./anew.js")).reload(this, version, following); }

  adopt() {
    for (const article of root.querySelectorAll("article.a")) this.answer(article);
  }

  // The code for older windows comes with the first link to one.
  async watchOlder() {
    if (!root.querySelector("a[data-older]")) return;
    this.older ||= import("./older.js").then(({ listen }) => listen(() => this.adopt()));
    (await this.older)();
  }
}
