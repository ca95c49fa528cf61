// Copying: which buttons there are, and what travels of a selection. The buttons' work is clipboard.js, which comes when
// one is about to be pressed.
import { plain } from "./plain.js";

const buttons = document.getElementById("copy-buttons").content;
const thread = document.getElementById("thread");

// Gives the code blocks and tables inside `root` their buttons.
export function dress(root) {
  for (const header of root.querySelectorAll(".code > header")) {
    if (!header.querySelector("button")) header.append(buttons.children[0].cloneNode(true));
  }
  for (const wide of root.querySelectorAll(".wide")) {
    if (wide.parentElement.className === "cells") continue;
    const cells = document.createElement("div");
    cells.className = "cells";
    wide.replaceWith(cells);
    cells.append(wide, buttons.children[1].cloneNode(true));
  }
}

// What the person selected in the conversation and copies with Ctrl+C.
function selected(event) {
  const selection = document.getSelection();
  if (selection.isCollapsed || !thread.contains(selection.anchorNode) || !thread.contains(selection.focusNode)) return;
  event.preventDefault();
  event.clipboardData.setData("text/plain", selection.toString());
  event.clipboardData.setData("text/html", plain(selection.getRangeAt(0).cloneContents()));
}

export function listen(tell) {
  for (const type of ["pointerover", "focusin", "click"]) {
    document.addEventListener(type, async (event) => {
      const pressed = event.target.closest?.("[data-copy]");
      if (!pressed) return;
      try {
        const clipboard = await import("./clipboard.js");
        if (type === "click") await clipboard.copy(pressed, tell);
      } catch (error) {
        if (type === "click") throw error;
      }
    });
  }
  document.addEventListener("copy", selected);
}
