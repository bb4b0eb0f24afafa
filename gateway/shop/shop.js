// The pages work without this. It counts down a hold, looks after an order that is waiting, and keeps a
// form from being sent twice or into nowhere. What it says stands in the pages, in their language.
// @ts-check

const POLL_FIRST_MS = 1000;
const POLL_SLOWEST_MS = 10000;
const POLL_END_MS = 20 * 60 * 1000;
/** An answer that takes longer may be lost; sending once more is safe. */
const SENT_MS = 8000;
const WAITS = "waits:";

/** @param {HTMLElement} element with the deadline and the server's time in data attributes */
function countDown(element) {
  const left = element.querySelector(".left");
  const deadline = Date.parse(element.dataset.countdown ?? "");
  const serverNow = Date.parse(element.dataset.now ?? "");
  if (!(left instanceof HTMLElement) || Number.isNaN(deadline) || Number.isNaN(serverNow)) return;
  const text = left.dataset.text ?? "{time}";
  // The guest's clock may be wrong, so only time that has passed here counts.
  const start = performance.now();
  const until = String(Date.now() + deadline - serverNow);
  keep(`${WAITS}${element.dataset.waits}`, `${until} ${location.pathname}`);
  const tick = () => {
    const seconds = Math.ceil((deadline - serverNow - (performance.now() - start)) / 1000);
    if (seconds <= 0) {
      // Not a reload: that would send a refused form again. Not at once: clocks may differ a little.
      setTimeout(() => location.replace(location.pathname), 1000);
      return;
    }
    const rest = String(seconds % 60).padStart(2, "0");
    left.textContent = text.replace("{time}", `${Math.floor(seconds / 60)}:${rest}`);
    setTimeout(tick, 1000);
  };
  tick();
}

/** For this window only. @param {string} name @param {string} value */
function keep(name, value) {
  try {
    sessionStorage.setItem(name, value);
  } catch {
    // It is a convenience.
  }
}

/** Nothing is set aside any more. */
function forget() {
  try {
    const names = Object.keys(sessionStorage).filter((name) => name.startsWith(WAITS));
    for (const name of names) sessionStorage.removeItem(name);
  } catch {}
}

/** Whoever went back from the checkout finds the way there. @param {HTMLElement} notice of a concert */
function recall(notice) {
  const link = notice.querySelector("a");
  try {
    const kept = sessionStorage.getItem(`${WAITS}${notice.dataset.waitsFor}`) ?? "";
    const [until, path] = kept.split(" ");
    if (!link || !path?.startsWith("/checkout/") || Number(until) < Date.now()) return;
    link.href = path;
    notice.hidden = false;
  } catch {}
}

/** @param {HTMLElement} element with the address of the order's mark, and the mark of what the page shows */
function watchOrder(element) {
  const { poll, seen, lost } = element.dataset;
  if (!poll) return;
  const notice = sentence("status", lost ?? "");
  const started = performance.now();
  let pause = POLL_FIRST_MS;
  let timer = 0;
  const look = async () => {
    clearTimeout(timer);
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
      notice.remove();
    } catch {
      // Offline for a moment; the next look may work.
      if (!notice.isConnected) element.prepend(notice);
    }
    if (performance.now() - started > POLL_END_MS) return;
    pause = Math.min(pause * 1.3, POLL_SLOWEST_MS);
    timer = setTimeout(look, pause);
  };
  timer = setTimeout(look, pause);
  addEventListener("online", look);
  addEventListener("offline", look);
}

/** @param {string} role @param {string} text */
function sentence(role, text) {
  const element = document.createElement("p");
  element.className = "notice";
  element.setAttribute("role", role);
  element.textContent = text;
  return element;
}

/** @type {WeakMap<HTMLFormElement, number>} when each was sent */
const sent = new WeakMap();
const offline = sentence("alert", document.body.dataset.offline ?? "");

addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement)) return;
  if (!navigator.onLine) {
    event.preventDefault();
    (form.querySelector("[type=submit]")?.closest("p") ?? form).before(offline);
    return;
  }
  if (form.method !== "post") return;
  const before = sent.get(form);
  if (before !== undefined && performance.now() - before < SENT_MS) {
    event.preventDefault();
    return;
  }
  sent.set(form, performance.now());
  if (form.action.endsWith("/release")) forget();
});
addEventListener("online", () => offline.remove());
// Back on a page that the browser kept: its forms may be sent again.
addEventListener("pageshow", (event) => {
  if (event.persisted) for (const form of document.forms) sent.delete(form);
});

if (document.querySelector(".order")) forget();
for (const element of document.querySelectorAll("[data-countdown]")) {
  if (element instanceof HTMLElement) countDown(element);
}
for (const element of document.querySelectorAll("[data-waits-for]")) {
  if (element instanceof HTMLElement) recall(element);
}
for (const element of document.querySelectorAll("[data-poll]")) {
  if (element instanceof HTMLElement) watchOrder(element);
}
