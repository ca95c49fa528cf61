// Files and very long texts that were pasted or dropped: they can't be attached yet. A chip says so; no word is lost.
import { words } from "./words.js";

const chip = document.getElementById("later");
chip.querySelector("button").addEventListener("click", () => {
  chip.hidden = true;
  document.getElementById("text").focus();
});

export function tell({ names, length }) {
  const count = (length || 0).toLocaleString(document.documentElement.lang);
  const said = names.length ? words.noFiles.replace("{names}", names.join(", ")) : words.longText.replace("{n}", count);
  chip.querySelector("span").textContent = said;
  chip.hidden = false;
}
