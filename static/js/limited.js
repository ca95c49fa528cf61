// While a limit is in the way: another model that works is used at once, and a page that comes back to sight looks again.
import { put, stopped } from "./allowance.js";
import { fragment } from "./net.js";
import { words } from "./words.js";

const form = document.getElementById("composer");
const radios = () => [...form.elements].filter((each) => each.type === "radio" && each.name === "model");
let listening = false;

export async function look(composer) {
  const model = radios().find((each) => each.checked)?.value || "";
  put(await fragment(`${words.limit}?model=${encodeURIComponent(model)}`));
  composer.buttons();
}

export function listen(composer) {
  if (listening) return;
  listening = true;
  const again = () => stopped() && look(composer).catch(() => {});
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-use]");
    const other = button && radios().find((each) => each.value === button.value);
    if (!other) return;
    event.preventDefault();
    other.checked = true;
    other.dispatchEvent(new Event("change", { bubbles: true }));
    await look(composer).catch(() => {});
    composer.submit();
  });
  document.getElementById("choose")?.addEventListener("change", again);
  document.addEventListener("visibilitychange", () => document.hidden || again());
}
