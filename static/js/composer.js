// The box: one send for one press, text that stays until the server has it, the question that waits for its turn.
import * as allowance from "./allowance.js";
import { Draft } from "./draft.js";
import * as keys from "./keys.js";
import { insist, Refusal, key, parsed } from "./net.js";
import { words } from "./words.js";

const form = document.getElementById("composer");
const box = document.getElementById("text");
const send = document.getElementById("send");
const stop = document.getElementById("stop");
const line = document.getElementById("line");
const chip = document.getElementById("next");
const editing = document.getElementById("editing");
const icon = document.getElementById("warn-icon").content;

const LONG = 4000;

export class Composer {
  // `thread` is asked whether an answer is running; `onSent(accepted, edits)` puts the turns into the page.
  constructor(thread, onSent) {
    this.thread = thread;
    this.onSent = onSent;
    this.sending = false;
    this.troubles = new Map();
    this.draft = new Draft(form.dataset.edits || form.conversation.value);
    const kept = this.draft.read();
    if (!box.value && kept.text) box.value = kept.text;
    this.grow();
    this.showNext();
  }

  listen() {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    keys.listen(box);
    box.addEventListener("paste", (event) => this.brought(event, event.clipboardData));
    // Also beside the box: a browser would leave the page to show the file.
    for (const type of ["dragover", "drop"]) {
      document.addEventListener(type, (event) => this.brought(event, event.dataTransfer));
    }
    box.addEventListener("keydown", (event) => this.pressed(event));
    document.addEventListener("keydown", (event) => this.escaped(event));
    box.addEventListener("input", () => {
      this.draft.write({ text: box.value });
      this.grow();
    });
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.("a.start, a[data-edit], #editing a");
      if (!link || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      if (link.matches(".start")) this.fill(link.dataset.words);
      else if (link.dataset.edit) this.edit(this.thread.question(link.dataset.edit));
      else this.stopEditing();
    });
    chip.querySelector("button").addEventListener("click", () => this.takeBack());
    this.left();
    addEventListener("offline", () => this.trouble("network", true));
    addEventListener("online", () => this.trouble("network", false));
    if (matchMedia("(hover: hover)").matches) box.focus();
  }

  // An answer has ended and was counted.
  counted() { if (allowance.limited()) import("./limited.js").then((limited) => limited.look(this)).catch(() => {}); }

  // What is left now; the code for a limit in the way is seldom needed.
  left(given) {
    if (given) allowance.put(given);
    this.buttons();
    if (allowance.stopped()) import("./limited.js").then((limited) => limited.listen(this));
  }

  pressed(event) {
    if (keys.sends(event)) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "ArrowUp" && !box.value && !form.dataset.edits && !keys.composes(event)) {
      const last = this.thread.question();
      if (!last) return;
      event.preventDefault();
      this.edit(last);
    }
  }

  // Files wait for a later version, and a long text stays in the box: a chip says so.
  async brought(event, data) {
    const { length } = data.getData("text/plain");
    const names = length ? [] : [...data.files].map((file) => file.name);
    if (data.types.includes("Files") && !length) event.preventDefault();
    if (event.type !== "dragover" && (names.length || length > LONG)) (await import("./files.js")).tell({ names, length });
  }

  // Esc ends the rewording, or stops the answer; menus, dialogs and fields elsewhere come first.
  escaped(event) {
    const elsewhere = event.target !== box && event.target.matches?.("input, textarea, select");
    if (event.key !== "Escape" || event.defaultPrevented || keys.composes(event) || elsewhere) return;
    if (form.dataset.edits) this.stopEditing();
    else if (!stop.hidden) stop.click();
  }

  // Where the focus goes when the button that had it is gone: on touch not into the box, that would open the keyboard.
  rest() {
    const article = document.querySelector("#thread > article.a:last-of-type");
    if (!keys.onTouch || !article) return box.focus({ preventScroll: true });
    article.tabIndex = -1;
    return article.focus({ preventScroll: true });
  }

  // Puts a question into the box to be asked in other words; what stood there waits as the conversation's draft.
  edit({ id, text }) {
    if (this.sending) return;
    form.dataset.edits = id;
    form.setAttribute("action", `${words.send}${id}/edit/`);
    editing.hidden = false;
    this.draft.move(id);
    this.fill(this.draft.read().text || text);
  }

  fill(text) {
    box.value = text;
    this.draft.write({ text });
    this.grow();
    box.focus();
    box.setSelectionRange(text.length, text.length);
  }

  grow() {
    form.toggleAttribute("data-empty", !box.value.trim());
    this.buttons();
    if (CSS.supports("field-sizing", "content")) return;
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight}px`;
  }

  buttons() {
    const running = this.thread.running;
    stop.hidden = !running;
    if (running?.article.dataset.stop) stop.setAttribute("formaction", running.article.dataset.stop);
    if (!running) stop.disabled = false;
    send.hidden = !!running && !box.value.trim();
    send.disabled = allowance.stopped();
  }

  submit() {
    const text = box.value;
    if (this.sending || !text.trim() || allowance.stopped()) return;
    if (this.thread.running && !form.dataset.edits) {
      const { next } = this.draft.read();
      this.draft.write({ text: "", next: next === undefined ? text : `${next}\n\n${text}` });
      box.value = "";
      this.grow();
      this.showNext();
      return;
    }
    this.deliver(text, { wanted: () => box.value === text });
  }

  // The answer has ended: the waiting question goes, or comes back into the box when something went wrong.
  turn(state) {
    this.buttons();
    const next = this.draft.read().next;
    if (next === undefined || this.sending) return;
    if (state === "done") this.deliver(next, { wanted: () => true, waited: true });
    else this.takeBack();
  }

  async deliver(text, { wanted, waited = false }) {
    const url = form.getAttribute("action");
    this.busy(true);
    this.say(null);
    try {
      const fields = { text, client_id: this.draft.keyFor(text, url), model: form.elements.model?.value || "" };
      const mode = form.querySelector(".modes:not([hidden]) :checked");
      if (mode) fields.mode = mode.value;
      if (!form.dataset.edits) Object.assign(fields, this.place());
      const accepted = await insist(url, fields, { wanted, trouble: (on) => this.hindered(on) });
      if (accepted) this.accepted(accepted, { waited });
    } catch (error) {
      this.refused(error, { text, waited, wanted });
    } finally {
      this.busy(false);
    }
  }

  place() {
    const version = form.elements.version.value;
    const conversation = form.elements.conversation.value;
    if (!conversation) return form.elements.temporary?.checked ? { temporary: "1" } : {};
    return { conversation, version: version === "" ? null : Number(version) };
  }

  // While nobody answers, the words may be changed: then it is another send.
  hindered(on) {
    box.readOnly = false;
    this.trouble("send", on);
  }

  accepted(accepted, { waited }) {
    const edits = form.dataset.edits || "";
    if (waited) this.draft.write({ next: undefined, key: "" });
    else {
      box.value = "";
      this.draft.clear();
    }
    form.elements.conversation.value = accepted.conversation_id;
    this.settled();
    if (edits) this.stopEditing();
    else this.draft.move(accepted.conversation_id);
    box.placeholder = words.further;
    document.getElementById("later").hidden = true;
    this.onSent(accepted, edits);
    this.showNext();
    this.grow();
  }

  // Whether a chat is temporary is said once, at its beginning.
  settled() {
    const temporary = form.elements.temporary;
    if (temporary?.checked) temporary.disabled = true;
    else document.getElementById("temporary")?.remove();
  }

  stopEditing() {
    delete form.dataset.edits;
    form.setAttribute("action", words.send);
    editing.hidden = true;
    history.replaceState(null, "", location.pathname);
    this.draft.move(form.elements.conversation.value);
    this.fill(this.draft.read().text || "");
    this.showNext();
  }

  refused(error, { text, waited, wanted }) {
    if (waited) this.takeBack();
    if (error.status === 401) {
      const now = box.value;
      this.signedOut(() => this.deliver(now, { wanted: () => box.value === now }));
      return;
    }
    if (error.code === "client_id_reused") {
      // Under this key other words were sent: these have not been.
      this.draft.write({ key: key(), sentText: text, url: form.getAttribute("action") });
      queueMicrotask(() => this.deliver(text, { wanted }));
      return;
    }
    this.refusal(error);
  }

  // Says why, and shows the newest state when the conversation is not where the page thought.
  refusal(error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 401) this.signedOut();
    else if (error.notice) this.left(parsed(error.notice));
    else this.say(error.message || words.failed);
    if (error.status === 409) this.thread.look();
  }

  // Asks to sign in here and now, if `then` waits for it; else a word and a way. The code for it is seldom needed.
  async signedOut(then) {
    const { wayIn } = await import("./signin.js");
    const signedIn = () => {
      this.say(null);
      box.focus();
      (then || (() => this.thread.look()))();
    };
    this.say(words.signedOut, wayIn(signedIn, { now: !!then }));
  }

  showNext() {
    const next = this.draft.read().next;
    chip.hidden = next === undefined;
    chip.querySelector("span").textContent = next || "";
  }

  takeBack() {
    const next = this.draft.read().next;
    if (next === undefined) return;
    this.draft.write({ next: undefined });
    this.fill(box.value.trim() ? `${next}\n${box.value}` : next);
    this.showNext();
  }

  busy(on) {
    this.sending = on;
    box.readOnly = on;
    send.setAttribute("aria-busy", String(on));
    this.buttons();
  }

  // One line above the box: something that must be read, or that there is no connection at the moment.
  say(text, ...more) {
    this.said = text ? [text, ...more] : null;
    this.draw();
  }

  trouble(name, on) {
    if (!!this.troubles.get(name) === on) return;
    this.troubles.set(name, on);
    this.draw();
  }

  draw() {
    const offline = [...this.troubles.values()].some(Boolean);
    const parts = offline ? [words.offline] : this.said || [];
    const shown = document.createElement("span");
    parts.forEach((part, index) => shown.append(index ? " " : "", part));
    line.replaceChildren(...(parts.length ? [icon.cloneNode(true), shown] : []));
    line.classList.toggle("off", !parts.length);
  }
}
