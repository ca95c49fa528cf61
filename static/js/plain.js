// Elements as HTML that any program takes. What travels is our own markup, never computed styles: a dark page pastes
// black on white.
const NOT_COPIED = ".code > header, .acts, .caret, button, annotation";

// No classes, no buttons; alignment and lines of tables as attributes.
export function plain(node) {
  const box = document.createElement("div");
  box.append(node.cloneNode(true));
  for (const each of box.querySelectorAll(NOT_COPIED)) each.remove();
  for (const each of box.querySelectorAll("*")) {
    if (each.matches("th, td") && ["center", "right"].includes(each.className)) each.align = each.className;
    if (each.matches("table")) Object.assign(each, { border: "1", cellPadding: "4", cellSpacing: "0" });
    for (const { name } of [...each.attributes]) {
      if (/^(class|id|tabindex|role|lang)$|^(data|aria)-/.test(name)) each.removeAttribute(name);
    }
  }
  return box.innerHTML;
}
