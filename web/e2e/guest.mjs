// A guest who buys by the API, as the shop's pages do.

import { randomBytes } from "node:crypto";
import { eventually } from "./boxoffice.mjs";

async function call(base, method, path, { body, secret, form } = {}) {
  const answer = await fetch(base + path, {
    method,
    redirect: "manual",
    headers: {
      ...(method !== "GET" && { "idempotency-key": randomBytes(16).toString("hex") }),
      ...(secret && { authorization: `Bearer ${secret}` }),
      ...(body && { "content-type": "application/json" }),
    },
    body: form ? new URLSearchParams(form) : body && JSON.stringify(body),
  });
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.headers.get("content-type")?.includes("json") ? answer.json() : null;
}

/** An order that is paid, with its tickets. */
export async function buy(base, { title, category, quantity, guest }) {
  const event = await eventually(`${title} in the programme`, async () => {
    const { events } = await call(base, "GET", `/api/v1/events?query=${encodeURIComponent(title)}`);
    return events.find((one) => one.title === title);
  });
  const { ticket_types } = await call(base, "GET", `/api/v1/events/${event.id}`);
  const { id: ticket_type_id } = ticket_types.find((type) => type.category === category);
  const body = { event_id: event.id, lines: [{ ticket_type_id, quantity }] };
  const hold = await call(base, "POST", "/api/v1/holds", { body });
  const order = await call(base, "POST", "/api/v1/orders", {
    body: {
      hold_id: hold.id,
      hold_secret: hold.secret,
      expected_total: hold.total,
      provider: "sandbox",
      ...guest,
    },
  });
  const { secret } = order;
  const url = await eventually("a page to pay on", async () => {
    const now = await call(base, "GET", `/api/v1/orders/${order.id}`, { secret });
    return now.payment?.checkout_url;
  });
  const card = { card_number: "4242424242424242", exp: "12/40", cvc: "123" };
  await call(base, "POST", new URL(url).pathname, { form: card });
  return eventually("tickets", async () => {
    const now = await call(base, "GET", `/api/v1/orders/${order.id}`, { secret });
    return now.status === "fulfilled" && now;
  });
}
