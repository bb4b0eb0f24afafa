// The concert's page works without this. It follows what is left.
// @ts-check

// As the server has it (gateway/src/shop/words.rs).
const FEW_TICKETS = 10;
const ASK_EVERY_MS = 10000;

/** @typedef {{ id: string, remaining: number | null, availability: string }} Left */

/** @typedef {Record<string, string>} Words what the page says, in its language */

/** @param {Words} words @param {Left} left @param {number} min of an order */
function wordOf(words, { remaining, availability }, min) {
  if (availability !== "on_sale") return words[availability] ?? "";
  if (remaining !== null && remaining < min) return words.too_few;
  if (remaining === 1) return words.last;
  if (remaining !== null && remaining <= FEW_TICKETS) return words.few.replace("{n}", String(remaining));
  return words.available;
}

/**
 * Counts down to the beginning of a sale. @param {HTMLElement} element with that time in a data attribute
 * @param {number} skew of the server's clock @param {() => void} begun
 */
function countToSale(element, skew, begun) {
  const { opens, text = "{time}", days = "{n}" } = element.dataset;
  const tick = () => {
    const seconds = Math.ceil((Date.parse(opens ?? "") - Date.now() - skew) / 1000);
    if (!element.isConnected || Number.isNaN(seconds)) return;
    if (seconds <= 0) {
      element.textContent = "";
      begun();
      return;
    }
    const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
    const clock = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    const whole = Math.floor(seconds / 86400);
    const time = whole > 0 ? `${days.replace("{n}", String(whole))} ${clock}` : clock;
    element.textContent = text.replace("{time}", time);
    setTimeout(tick, 1000);
  };
  tick();
}

/** @param {Words} words @param {HTMLElement} row of a ticket type @param {Left} left */
function showLeft(words, row, left) {
  const tag = row.querySelector(".tag");
  const pick = row.querySelector(".pick");
  const select = row.querySelector("select");
  if (!tag || !(pick instanceof HTMLElement) || !select) return;
  const min = Number(row.dataset.min);
  // The server's words for a sale that has not begun name its time.
  const knowsMore = left.availability === "not_yet" && tag.classList.contains("not_yet");
  const text = wordOf(words, left, min);
  if (!knowsMore && tag.textContent !== text) tag.textContent = text;
  tag.className = `tag ${left.availability}`;
  if (left.availability !== "not_yet") row.querySelector(".opens")?.remove();
  const most = left.availability === "on_sale" ? Math.min(Number(row.dataset.max), left.remaining ?? Infinity) : 0;
  const wanted = most < min ? 0 : most;
  const highest = Number(select.options[select.options.length - 1].value);
  if (wanted !== highest) {
    const chosen = Number(select.value);
    const values = [0];
    for (let quantity = min; quantity <= wanted; quantity++) values.push(quantity);
    select.replaceChildren(...values.map((value) => new Option(String(value), String(value))));
    select.value = String(values.includes(chosen) ? chosen : 0);
  }
  pick.hidden = wanted === 0;
}

/** @param {HTMLElement} section with the address of what is left in a data attribute */
function followLeft(section) {
  const { live } = section.dataset;
  if (!live) return;
  /** @type {Words} */
  const words = JSON.parse(section.dataset.words ?? "{}");
  const unsure = section.querySelector(".unsure");
  const take = section.querySelector(".take");
  if (!(unsure instanceof HTMLElement) || !(take instanceof HTMLElement)) return;
  /** @param {string} text */
  const say = (text) => {
    if (unsure.textContent !== text) unsure.textContent = text;
    unsure.hidden = text === "";
  };
  /** @param {{ ticket_types: Left[] }} left */
  const show = (left) => {
    for (const kind of left.ticket_types) {
      const row = section.querySelector(`[data-type="${CSS.escape(kind.id)}"]`);
      if (row instanceof HTMLElement) showLeft(words, row, kind);
    }
    take.hidden = !section.querySelector(".pick:not([hidden])");
    say("");
  };
  const lost = words.unsure;
  /** @type {EventSource | undefined} */
  let events;
  let timer = 0;
  let isGone = false;
  const rest = () => {
    events?.close();
    events = undefined;
    clearTimeout(timer);
  };
  const leave = () => {
    isGone = true;
    rest();
    take.hidden = true;
    say(words.gone);
  };
  const ask = async () => {
    try {
      const answer = await fetch(live, { headers: { accept: "application/json" } });
      if (answer.status === 404) return leave();
      if (answer.ok) show(await answer.json());
      if (!answer.ok || answer.headers.has("age")) say(lost);
    } catch {
      say(lost);
    }
  };
  // Nobody looks at a hidden page, and a browser has few connections for all pages of a shop.
  const follow = () => {
    rest();
    if (isGone || document.hidden) return;
    const source = new EventSource(`${live}/stream`);
    events = source;
    source.addEventListener("availability", (event) => show(JSON.parse(event.data)));
    source.addEventListener("unsure", () => say(lost));
    source.addEventListener("gone", leave);
    source.addEventListener("error", () => {
      say(lost);
      // The browser connects again by itself, unless it was refused: too many watch. Then it is asked now
      // and then, and tried again.
      if (source.readyState !== EventSource.CLOSED) return;
      ask();
      timer = setTimeout(follow, ASK_EVERY_MS * (1 + Math.random()));
    });
  };
  follow();
  const opening = section.querySelectorAll(".opens");
  if (opening.length > 0) {
    // The guest's clock may be wrong.
    const asked = fetch(live, { method: "HEAD" }).then(
      (answer) => Date.parse(answer.headers.get("date") ?? ""),
      () => Number.NaN,
    );
    asked.then((now) => {
      const skew = Number.isNaN(now) ? 0 : now - Date.now();
      const begun = () => setTimeout(ask, 1000 * (1 + Math.random()));
      for (const element of opening) {
        if (element instanceof HTMLElement) countToSale(element, skew, begun);
      }
    });
  }
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", rest);
  addEventListener("pageshow", (event) => {
    if (event.persisted) follow();
  });
}

for (const element of document.querySelectorAll("[data-live]")) {
  if (element instanceof HTMLElement) followLeft(element);
}
