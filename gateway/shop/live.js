// The concert's page works without this. It follows what is left.
// @ts-check

// As the server says them (gateway/src/shop/words.rs).
const FEW_TICKETS = 10;
const ASK_EVERY_MS = 10000;
const WORDS = {
  not_yet: "Not on sale yet",
  sold_out: "Sold out",
  held_by_others: "All taken at the moment. Some may come back within minutes.",
  ended: "Sales have ended",
  cancelled: "The concert is cancelled",
  halted: "The sale is interrupted. Please look again later.",
};

/** @typedef {{ id: string, remaining: number | null, availability: string }} Left */

/** @param {Left} left @param {number} min of an order */
function wordOf({ remaining, availability }, min) {
  if (availability !== "on_sale") return WORDS[availability] ?? "";
  if (remaining !== null && remaining < min) return "Fewer are left than an order takes";
  if (remaining === 1) return "The last one";
  if (remaining !== null && remaining <= FEW_TICKETS) return `Only ${remaining} left`;
  return "Available";
}

/** @param {HTMLElement} row of a ticket type @param {Left} left */
function showLeft(row, left) {
  const tag = row.querySelector(".tag");
  const pick = row.querySelector(".pick");
  const select = row.querySelector("select");
  if (!tag || !(pick instanceof HTMLElement) || !select) return;
  const min = Number(row.dataset.min);
  // The server's words for a sale that has not begun name its time.
  const knowsMore = left.availability === "not_yet" && tag.classList.contains("not_yet");
  const text = wordOf(left, min);
  if (!knowsMore && tag.textContent !== text) tag.textContent = text;
  tag.className = `tag ${left.availability}`;
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
      if (row instanceof HTMLElement) showLeft(row, kind);
    }
    take.hidden = !section.querySelector(".pick:not([hidden])");
    say("");
  };
  const lost = "What is left may have changed. It will be shown as soon as it is known.";
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
    say("This concert is not in the programme any more.");
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
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", rest);
  addEventListener("pageshow", (event) => {
    if (event.persisted) follow();
  });
}

for (const element of document.querySelectorAll("[data-live]")) {
  if (element instanceof HTMLElement) followLeft(element);
}
