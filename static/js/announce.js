// What a screen reader is told, and nothing else: that an answer begins, that it has ended, that something was copied.
const region = document.getElementById("announce");
// Holds the reading of finished blocks, once its file has come.
export const aloud = {};
let free = 0;

// One after the other: what comes at the same moment would replace the words before it unheard.
export function say(text) {
  free = Math.max(free, performance.now());
  // An empty moment between, or the same words twice are not said again.
  for (const part of ["", text]) {
    setTimeout(() => { region.textContent = part; }, free - performance.now());
    free += 60;
  }
}
