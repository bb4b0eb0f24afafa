// Guests who want the same tickets at the same moment, by the API.

import { eventually } from "./boxoffice.mjs";
import { call, newKey } from "./guest.mjs";

const PATIENCE_MS = 60_000;
const CARD = { card_number: "4242424242424242", exp: "12/40", cvc: "123" };

/** Buys every ticket, one by one, by so many guests at once. Times are those of this machine's clock. */
export function buyAll(base, event, { guests, tickets }) {
  const [begun, held] = [[], []];
  const started = Date.now();
  let over = false;
  let wanted = tickets;
  const guest = async (number) => {
    while (wanted > 0) {
      wanted -= 1;
      await buyOne(base, event, number, { begun, held });
    }
  };
  const all = Promise.all(Array.from({ length: guests }, (_, number) => guest(number))).finally(() => {
    over = true;
  });
  // Whoever waits for it hears of it.
  all.catch(() => {});
  return {
    isOver: () => over,
    end: async () => {
      await all;
      return { begun, held, seconds: (Date.now() - started) / 1000 };
    },
  };
}

async function buyOne(base, { id: event_id, type }, number, { begun, held }) {
  begun.push(Date.now());
  const lines = [{ ticket_type_id: type, quantity: 1 }];
  const hold = await patiently((key) =>
    call(base, "POST", "/api/v1/holds", { body: { event_id, lines }, key }),
  );
  held.push(Date.now());
  const body = {
    hold_id: hold.id,
    hold_secret: hold.secret,
    expected_total: hold.total,
    provider: "sandbox",
    email: `guest${number}@example.org`,
    phone_number: "+49301234567",
  };
  const { id, secret } = await patiently((key) => call(base, "POST", "/api/v1/orders", { body, key }));
  const look = () => patiently(() => call(base, "GET", `/api/v1/orders/${id}`, { secret }));
  const url = await eventually("a page", async () => (await look()).payment?.checkout_url, PATIENCE_MS);
  await patiently(() => call(base, "POST", new URL(url).pathname, { form: CARD }));
  await eventually("tickets", async () => (await look()).status === "fulfilled", PATIENCE_MS);
}

/** Who is told to come again comes again, with the same wish: it is done once. */
async function patiently(send) {
  const key = newKey();
  const attempt = () =>
    send(key).then(
      (answer) => ({ answer }),
      (error) => {
        if (!/: (429|503) /.test(error.message)) throw error;
      },
    );
  return (await eventually("room", attempt, PATIENCE_MS)).answer;
}
