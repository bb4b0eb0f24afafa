// The pages work without this. It counts down a hold and looks after an order that is waiting.
// @ts-check

const POLL_FIRST_MS = 1000;
const POLL_SLOWEST_MS = 10000;
const POLL_END_MS = 20 * 60 * 1000;

/** @param {HTMLElement} element with the deadline and the server's time in data attributes */
function countDown(element) {
  const left = element.querySelector(".left");
  const deadline = Date.parse(element.dataset.countdown ?? "");
  const serverNow = Date.parse(element.dataset.now ?? "");
  if (!left || Number.isNaN(deadline) || Number.isNaN(serverNow)) return;
  // The guest's clock may be wrong, so only time that has passed here counts.
  const start = performance.now();
  const tick = () => {
    const seconds = Math.ceil((deadline - serverNow - (performance.now() - start)) / 1000);
    if (seconds <= 0) {
      // Not a reload: that would send a refused form again. Not at once: clocks may differ a little.
      setTimeout(() => location.replace(location.pathname), 1000);
      return;
    }
    const rest = String(seconds % 60).padStart(2, "0");
    left.textContent = `Time left: ${Math.floor(seconds / 60)}:${rest}`;
    setTimeout(tick, 1000);
  };
  tick();
}

/** @param {HTMLElement} element with the address of the order's mark, and the mark of what the page shows */
function watchOrder(element) {
  const { poll, seen } = element.dataset;
  if (!poll) return;
  const started = performance.now();
  let pause = POLL_FIRST_MS;
  const look = async () => {
    // Nobody reads a page in the background; it looks again when it is seen.
    if (document.hidden) {
      document.addEventListener("visibilitychange", look, { once: true });
      return;
    }
    try {
      const answer = await fetch(poll, { headers: { accept: "application/json" } });
      if (answer.ok && (await answer.json()).mark !== seen) {
        location.replace(location.pathname);
        return;
      }
    } catch {
      // Offline for a moment; the next look may work.
    }
    if (performance.now() - started > POLL_END_MS) return;
    pause = Math.min(pause * 1.3, POLL_SLOWEST_MS);
    setTimeout(look, pause);
  };
  setTimeout(look, pause);
}

for (const element of document.querySelectorAll("[data-countdown]")) {
  if (element instanceof HTMLElement) countDown(element);
}
for (const element of document.querySelectorAll("[data-poll]")) {
  if (element instanceof HTMLElement) watchOrder(element);
}
