// Beside a hot sale: a concert's page comes in time, and whatever it says of what is left is honest. Guests buy by
// the API as fast as they can; a browser loads the page again and again, and a second one stays and follows the
// stream. `HOT_SALE=5000x64` is 5000 tickets and 64 guests.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, open } from "./boxoffice.mjs";
import { launch, PHONE, visitor } from "./browser.mjs";
import { buyAll } from "./crowd.mjs";
import { call } from "./guest.mjs";

const [TICKETS, GUESTS] = (process.env.HOT_SALE ?? "60x12").split("x").map(Number);
/** A page says that it is not sure beyond three seconds; what is on its way takes its time on a busy machine. */
const LAG_MS = 5_000;
const IDLE_LOADS = 7;
/** Beside the sale a page may take this many times what it takes alone, and this much more. */
const TIMES = 5;
const MORE_MS = 1_000;

let box;
let browser;

before(async () => {
  [box, browser] = await Promise.all([open({ DEMO_PROGRAMME: "false" }), launch()]);
});

after(async () => {
  await browser?.close();
  await box?.close();
});

async function concert() {
  const { http, setup_token } = box;
  const ada = { email: "ada@example.org", password: "a long enough password" };
  await call(http, "POST", "/api/v1/admin/setup", { body: { setup_token, ...ada } });
  const { access_token: secret } = await call(http, "POST", "/api/v1/auth/login", { body: ada });
  const event = {
    title: "Rush",
    location: "Arena, Berlin",
    date_time: new Date(Date.now() + 30 * 86_400_000).toISOString(),
    timezone: "Europe/Berlin",
    currency: "EUR",
  };
  const { id, slug } = await call(http, "POST", "/api/v1/admin/events", { body: event, secret });
  const path = `/api/v1/admin/events/${id}`;
  const price = { amount_minor: 4500, currency: "EUR" };
  const body = { category: "Standing", price, total_stock: TICKETS };
  const type = await call(http, "POST", `${path}/ticket-types`, { body, secret });
  const { version } = await call(http, "GET", path, { secret });
  await call(http, "PATCH", path, { body: { status: "active" }, secret, version });
  const types = async () => (await call(http, "GET", `${path}/ticket-types`, { secret })).ticket_types;
  return { id, type: type.id, page: `/events/${slug}`, stock: async () => (await types())[0] };
}

/** Notes what the stream of what is left says, and when, before the page's own script reads it. */
function overhear() {
  window.heard = [];
  const Stream = window.EventSource;
  window.EventSource = class extends Stream {
    constructor(address) {
      super(address);
      this.addEventListener("availability", ({ data }) => {
        window.heard.push({ at: Date.now(), left: JSON.parse(data).ticket_types[0].remaining });
      });
    }
  };
}

/** What a page says on its own, before its script has heard anything: the most that can be chosen. */
const offered = (page) =>
  page.evaluate(() => {
    const { options } = document.querySelector(".pick select");
    const words = document.querySelector(".offer-row .tag").textContent;
    const [few] = words.match(/\d+/) ?? [];
    const [load] = performance.getEntriesByType("navigation");
    return {
      most: Number(options[options.length - 1].value),
      few: few === undefined ? null : Number(few),
      unsure: !document.querySelector(".unsure").hidden,
      took: load.loadEventEnd - load.startTime,
    };
  });

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const slowest = (numbers) => Math.round(Math.max(...numbers));

test("a page beside a hot sale is quick, and never promises what is gone", async () => {
  const event = await concert();
  // As the server sends it: this one's script would have changed it before it is read.
  const reader = await visitor(browser, box.http, { viewport: PHONE, javaScriptEnabled: true });
  await reader.page.route("**/shop/live.js*", (route) =>
    route.fulfill({ contentType: "text/javascript", body: "" }),
  );
  const follower = await visitor(browser, box.http, { viewport: PHONE });
  await follower.page.addInitScript(overhear);
  await eventually("the concert in the shop", async () => {
    await follower.page.goto(event.page);
    return (await follower.page.locator(".pick select option").count()) > 1;
  });
  const load = async () => {
    const asked = Date.now();
    await reader.page.goto(event.page, { waitUntil: "load" });
    return { asked, read: Date.now(), ...(await offered(reader.page)) };
  };
  const idle = [];
  for (let number = 0; number < IDLE_LOADS; number++) idle.push((await load()).took);

  const crowd = buyAll(box.http, event, { guests: GUESTS, tickets: TICKETS });
  const loads = [];
  while (!crowd.isOver()) loads.push(await load());
  const { begun, held, seconds } = await crowd.end();

  /** The most that can have been left at a time, and the least: by when guests asked, and when they were answered. */
  const before = (times, at) => times.filter((time) => time < at).length;
  const most = (at) => TICKETS - before(held, at);
  const least = (at) => TICKETS - before(begun, at);
  for (const { asked, most: offer, few, unsure } of loads) {
    assert.ok(
      unsure || offer <= Math.max(0, most(asked - LAG_MS)),
      `${offer} to choose, ${most(asked - LAG_MS)} left`,
    );
    assert.ok(few === null || unsure || few <= most(asked - LAG_MS), `“${few} left”`);
  }
  await follower.page.getByText("Sold out").first().waitFor();
  await follower.page.getByRole("button", { name: "Take these tickets" }).waitFor({ state: "hidden" });
  const heard = await follower.page.evaluate(() => window.heard);
  for (const { at, left } of heard) {
    assert.ok(left <= most(at - LAG_MS), `the stream says ${left}, ${most(at - LAG_MS)} were left`);
    assert.ok(left >= least(at), `the stream says ${left}, ${least(at)} were left at least`);
  }
  assert.equal(heard.at(-1).left, 0);
  const { sold, held: kept } = await event.stock();
  assert.deepEqual({ sold, held: kept }, { sold: TICKETS, held: 0 });

  const [alone, beside] = [median(idle), median(loads.map(({ took }) => took))];
  console.log(
    `${TICKETS} tickets to ${GUESTS} guests in ${seconds.toFixed(1)} s; the page alone ${Math.round(alone)} ms ` +
      `(slowest ${slowest(idle)}), beside the sale ${Math.round(beside)} ms (slowest ` +
      `${slowest(loads.map(({ took }) => took))}) in ${loads.length} loads; ${heard.length} numbers heard`,
  );
  assert.ok(loads.length > 3, "it was looked at while it was hot");
  assert.ok(beside <= alone * TIMES + MORE_MS, `${beside} ms beside ${alone} ms`);
  assert.deepEqual([...reader.faults, ...follower.faults], []);
});
