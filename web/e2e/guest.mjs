// A guest who buys by the API, as the shop's pages do.

import { randomBytes } from "node:crypto";
import { eventually } from "./boxoffice.mjs";

/** An intent has one key: whoever sends it again sends the same one. */
export const newKey = () => randomBytes(16).toString("hex");

export async function call(base, method, path, { body, secret, form, version, key = newKey() } = {}) {
  const answer = await fetch(base + path, {
    method,
    redirect: "manual",
    headers: {
      ...(method !== "GET" && { "idempotency-key": key }),
      ...(secret && { authorization: `Bearer ${secret}` }),
      ...(version && { "if-match": `"${version}"` }),
      ...(body && { "content-type": "application/json" }),
    },
    body: form ? new URLSearchParams(form) : body && JSON.stringify(body),
  });
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.headers.get("content-type")?.includes("json") ? answer.json() : null;
}

/** An order that is paid, with its tickets. */
export async function buy(base, wish) {
  const placed = await order(base, { ...wish, provider: "sandbox" });
  await placed.pay();
  return eventually("tickets", async () => {
    const now = await placed.look();
    return now.status === "fulfilled" && now;
  });
}

/** An order that is not paid yet. */
export async function order(base, { title, category, quantity, guest, provider }) {
  const event = await eventually(`${title} in the programme`, async () => {
    const { events } = await call(base, "GET", `/api/v1/events?query=${encodeURIComponent(title)}`);
    return events.find((one) => one.title === title);
  });
  const { ticket_types } = await call(base, "GET", `/api/v1/events/${event.id}`);
  const { id: ticket_type_id } = ticket_types.find((type) => type.category === category);
  const body = { event_id: event.id, lines: [{ ticket_type_id, quantity }] };
  const hold = await call(base, "POST", "/api/v1/holds", { body });
  const placed = await call(base, "POST", "/api/v1/orders", {
    body: {
      hold_id: hold.id,
      hold_secret: hold.secret,
      expected_total: hold.total,
      provider,
      ...guest,
    },
  });
  const { secret } = placed;
  const look = () => call(base, "GET", `/api/v1/orders/${placed.id}`, { secret });
  const url =
    provider === "sandbox" &&
    (await eventually("a page to pay on", async () => (await look()).payment?.checkout_url));
  const card = { card_number: "4242424242424242", exp: "12/40", cvc: "123" };
  const pay = () => call(base, "POST", new URL(url).pathname, { form: card });
  return { ...placed, look, pay };
}
