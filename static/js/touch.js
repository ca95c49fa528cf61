// What only a touch screen needs: a swipe that closes the drawer, and the composer above the on-screen keyboard where a
// browser lays the keyboard over the page (Safari).
const view = window.visualViewport;
const KEYBOARD_PX = 80;

// A swipe to the left, nearly level, ends in `close`.
function swipes(close) {
  const side = document.getElementById("side");
  let from = null;
  side.addEventListener("touchstart", ({ touches }) => { from = touches.length === 1 ? touches[0] : null; }, { passive: true });
  side.addEventListener("touchend", ({ changedTouches: [to] }) => {
    if (!from) return;
    const across = to.clientX - from.clientX;
    if (across < -50 && Math.abs(to.clientY - from.clientY) < -across / 2) close();
  }, { passive: true });
}

function fit() {
  // Zoomed in with two fingers: then the person decides what is seen.
  const typing = document.activeElement?.matches("input, textarea");
  const covered = typing && view.scale < 1.05 && window.innerHeight - view.height > KEYBOARD_PX;
  document.documentElement.style.setProperty("--app-h", covered ? `${view.height}px` : "100dvh");
  if (covered) window.scrollTo(0, 0);
}

export function listen({ close }) {
  swipes(close);
  view?.addEventListener("resize", fit);
  view?.addEventListener("scroll", fit);
}
