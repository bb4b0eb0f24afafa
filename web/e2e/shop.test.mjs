// The shop in a real browser, on a phone: every way in which a purchase goes wrong is met with a sentence
// and a way on. Whatever is opened is looked at: nothing in it failed or was forbidden.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { eventually, mailWith, open } from "./boxoffice.mjs";
import { found, launch, look, PHONE, shoot, visitor } from "./browser.mjs";
import { buy, call } from "./guest.mjs";

const SCRIPTS_MAX_BYTES = 20 * 1024;
const HOLD_SECS = 5;
const GOOD = "4242424242424242";

let box;
/** Its holds end at once, and its mails go nowhere. */
let hasty;
let browser;

before(async () => {
  const nowhere = { HOLD_TTL_SECS: String(HOLD_SECS), SMTP_URL: "smtp://127.0.0.1:9" };
  [box, hasty, browser] = await Promise.all([open(), open(nowhere), launch()]);
  for (const one of [box, hasty]) one.token = await setUp(one);
});

after(async () => {
  await browser?.close();
  await Promise.all([box?.close(), hasty?.close()]);
});

async function setUp({ http, setup_token }) {
  const ada = { email: "ada@example.org", password: "a long enough password" };
  await call(http, "POST", "/api/v1/admin/setup", { body: { setup_token, ...ada } });
  return (await call(http, "POST", "/api/v1/auth/login", { body: ada })).access_token;
}

const hours = (number) => new Date(Date.now() + number * 3_600_000).toISOString();

/** A concert on sale. Its words are of no language. */
async function concert(title, { types, on = box, ...event } = {}) {
  const body = {
    title,
    description: "Lorem ipsum dolor sit amet.",
    location: "Kesselhaus, Berlin",
    date_time: hours(24 * 30),
    timezone: "Europe/Berlin",
    currency: "EUR",
    ...event,
  };
  const secret = on.token;
  const made = await call(on.http, "POST", "/api/v1/admin/events", { body, secret });
  const path = `/api/v1/admin/events/${made.id}`;
  const kinds = [];
  for (const type of types ?? [{}]) {
    const price = { amount_minor: 2500, currency: "EUR" };
    const kind = { category: "Parkett", price, total_stock: 50, ...type };
    kinds.push(await call(on.http, "POST", `${path}/ticket-types`, { body: kind, secret }));
  }
  const version = async () => (await call(on.http, "GET", path, { secret })).version;
  const change = async (body) => call(on.http, "PATCH", path, { body, secret, version: await version() });
  await change({ status: "active" });
  await eventually(`${title} in the shop`, async () => {
    const answer = await fetch(`${on.http}/events/${made.slug}`);
    return answer.ok && (await answer.text()).includes(`data-type="${kinds.at(-1).id}"`);
  });
  return {
    ...made,
    page: `/events/${made.slug}`,
    kinds,
    change,
    call: async (verb, body) =>
      call(on.http, "POST", `${path}/${verb}`, { body, secret, version: await version() }),
    kind: async (index = 0) => {
      const list = await call(on.http, "GET", `${path}/ticket-types`, { secret });
      return list.ticket_types.find(({ id }) => id === kinds[index].id);
    },
    orders: async () => {
      const list = `/api/v1/admin/orders?event_id=${made.id}`;
      return (await call(on.http, "GET", list, { secret })).orders;
    },
  };
}

/** Somebody else's hold, with its secret. */
const hold = ({ id, kinds }, quantity, on = box) =>
  call(on.http, "POST", "/api/v1/holds", {
    body: { event_id: id, lines: [{ ticket_type_id: kinds[0].id, quantity }] },
  });

/** A guest with a phone, and the work done there. Nothing of their pages failed or was forbidden. */
async function guest(work, { on = box, faulty = false, ...options } = {}) {
  const one = await visitor(browser, on.http, { viewport: PHONE, hasTouch: true, ...options });
  try {
    await work(one.page, one);
    if (!faulty) assert.deepEqual(one.faults, []);
  } catch (error) {
    await shoot(one.page, "failure");
    throw error;
  } finally {
    await one.context.close();
  }
}

const button = (page, name) => page.getByRole("button", { name });
const says = (page, text) => page.getByText(text).first().waitFor();

async function choose(page, { page: path }, quantity = 1) {
  const select = page.locator("select").first();
  // A page without a script shows what was free a moment ago.
  await eventually("tickets to choose", async () => {
    await page.goto(path);
    return (await select.isVisible()) && (await select.locator(`option[value="${quantity}"]`).count()) > 0;
  });
  await select.selectOption(String(quantity));
}

async function take(page) {
  await button(page, "Take these tickets").click();
  await page.waitForURL(/\/checkout\//);
}

async function fill(page, email = "grace@example.org") {
  await page.locator("#email").fill(email);
  await page.locator("#phone_number").fill("+49301234567");
}

async function order(page) {
  await button(page, /^(Buy for|Get the tickets)/).click();
  await page.waitForURL(/\/(pay|orders)\//);
}

async function card(page, number = GOOD) {
  await page.locator("#card_number").fill(number);
  await page.locator("#exp").fill("12/40");
  await page.locator("#cvc").fill("123");
}

async function pay(page, number = GOOD) {
  await card(page, number);
  await button(page, /^Pay/).click();
  await page.waitForURL(/\/orders\//);
}

const tickets = (page) => page.locator("svg.qr").first().waitFor();

/** From the concert to the tickets. */
async function purchase(page, event, { quantity = 1, email } = {}) {
  await choose(page, event, quantity);
  await take(page);
  await fill(page, email);
  await order(page);
  await pay(page);
  await tickets(page);
}

test("the scripts of all pages together are small", async () => {
  let bytes = 0;
  for (const name of ["shop.js", "live.js"]) {
    bytes += gzipSync(Buffer.from(await (await fetch(`${box.http}/shop/${name}`)).arrayBuffer())).length;
  }
  console.log(`scripts: ${bytes} bytes compressed`);
  assert.ok(bytes <= SCRIPTS_MAX_BYTES, `${bytes}`);
});

/** What a finger would miss. Links within a sentence are as high as its line. */
const FINGER = 44;
function tooSmall(finger) {
  const targets = "button, .button, select, summary, nav a, .ways-on a, input:not([type=hidden], label *)";
  return [...document.querySelectorAll(targets)]
    .map((element) => [element.outerHTML, element.getBoundingClientRect()])
    .filter(([, { width, height }]) => width > 0 && Math.min(width, height) < finger)
    .map(([html]) => html);
}

/** What the keyboard comes to from a field on, in a form and what follows it. */
async function tabs(page, from) {
  await page.locator(from).focus();
  const names = [];
  for (let at = 0; at < 4; at++) {
    await page.keyboard.press("Tab");
    names.push(
      await page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim()),
    );
  }
  return names;
}

test("a purchase, with every page looked at and read again on its way", async () => {
  const event = await concert("Vox Aeterna", {
    cancellation: { allowed: true, until_hours: 24, fee_ppm: 0 },
    types: [{}, { category: "Rang", total_stock: 5 }],
  });
  await guest(async (page) => {
    const seen = async (name) => {
      const { weight, requests, ...times } = await page.evaluate(() => {
        const [load] = performance.getEntriesByType("navigation");
        const parts = performance.getEntriesByType("resource");
        const weight = [load, ...parts].reduce((sum, { transferSize }) => sum + transferSize, 0);
        const at = (time) => Math.round(time);
        const { responseEnd, domContentLoadedEventEnd, loadEventEnd } = load;
        const times = { answered: at(responseEnd), parsed: at(domContentLoadedEventEnd) };
        return { weight, requests: parts.length + 1, ...times, loaded: at(loadEventEnd) };
      });
      assert.deepEqual(await page.evaluate(tooSmall, FINGER), [], name);
      console.log(`${name}: ${weight} bytes, ${requests} requests, ${JSON.stringify(times)} ms`);
      await look(page, `shop-${name}`);
      // Again, and nothing is lost.
      await page.reload();
    };
    await page.goto("/");
    await says(page, "Vox Aeterna");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), "#main");
    // It lies above what else is there while it has the focus.
    await page.evaluate(() => document.activeElement.blur());
    await seen("programme");
    await page.getByRole("link", { name: "Vox Aeterna" }).click();
    await seen("event");
    await page.locator("select").first().selectOption("2");
    await take(page);
    await seen("checkout");
    await says(page, "Time left:");
    assert.deepEqual(await tabs(page, "#name"), [
      "email",
      "phone_number",
      "Buy for 50.00 EUR",
      "Give the tickets back",
    ]);
    await fill(page);
    await order(page);
    await seen("pay");
    await pay(page);
    await tickets(page);
    await seen("order");
    await tickets(page);
    assert.equal((await event.orders()).length, 1);
    assert.equal((await event.kind()).sold, 2);
    await page.getByRole("link", { name: /^Cancel the order/ }).click();
    await seen("cancel");
    await page.goBack();
    await page.goBack();
    await page.goto("/find");
    await seen("find");
    await page.goto("/nothing/here");
    await look(page, "shop-problem");
    await page.goto("/terms");
    await look(page, "shop-terms");
    await page.goto("/errors/SOLD_OUT?lang=de");
    await says(page, "Diese Seite ist für Leute, die Programme schreiben");
    await look(page, "shop-error-page");
  });
});

test("who chose on one device continues on another", async () => {
  const event = await concert("Ailleurs");
  await guest(async (page) => {
    await choose(page, event, 2);
    await take(page);
    await page.getByText("Continue on another device").click();
    await look(page, "shop-checkout-elsewhere");
    const link = await page.locator(".elsewhere a").getAttribute("href");
    await guest(async (other) => {
      await other.goto(link);
      await other.waitForURL(/\/checkout\//);
      await fill(other);
      await order(other);
      await pay(other);
      await tickets(other);
    });
    assert.equal((await event.kind()).sold, 2);
  });
});

test("who goes back finds what was set aside, and what was paid", async () => {
  const event = await concert("Retour");
  await guest(async (page) => {
    await choose(page, event, 2);
    await take(page);
    await page.goBack();
    await says(page, "You have tickets for this concert set aside.");
    await look(page, "shop-event-waiting");
    await page.getByRole("link", { name: "Go on to the checkout" }).click();
    await page.waitForURL(/\/checkout\//);
    assert.equal((await event.kind()).held, 2);
    await fill(page);
    await order(page);
    await pay(page);
    await tickets(page);
    await page.goBack();
    await says(page, "This is paid.");
    await page.goBack();
    // The checkout has become an order, and leads there.
    await page.waitForURL(/\/orders\//);
    await tickets(page);
    const { sold, held } = await event.kind();
    assert.deepEqual({ sold, held, orders: (await event.orders()).length }, { sold: 2, held: 0, orders: 1 });
  });
});

/** The second click ends the way that the first one began, and begins its own. */
const arrival = (page, address) => page.waitForURL(address).catch(() => page.waitForURL(address));

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "with" : "without";
  test(`two clicks are one hold, one order and one payment, ${how} a script`, async () => {
    const event = await concert(`Doppio ${how}`);
    await guest(
      async (page) => {
        await choose(page, event, 3);
        await button(page, "Take these tickets").dblclick({ noWaitAfter: true });
        await arrival(page, /\/checkout\//);
        assert.equal((await event.kind()).held, 3);
        await fill(page);
        await button(page, /^Buy for/).dblclick({ noWaitAfter: true });
        await arrival(page, /\/(pay|orders)\//);
        assert.equal((await event.orders()).length, 1);
        await card(page);
        await button(page, /^Pay/).dblclick({ noWaitAfter: true });
        await arrival(page, /\/orders\//);
        await tickets(page);
        const [only, ...others] = await event.orders();
        assert.deepEqual([only.captured.amount_minor, others], [7500, []]);
      },
      { javaScriptEnabled },
    );
  });
}

test("everything works without a script", async () => {
  await concert("Senza", {
    cancellation: { allowed: true, until_hours: 24, fee_ppm: 0 },
  });
  const options = { javaScriptEnabled: false };
  await guest(async (page) => {
    await page.goto("/");
    await page.locator("#q").fill("senza");
    await button(page, "Search").click();
    await page.getByRole("link", { name: "Senza" }).click();
    await button(page, "Take these tickets").click();
    await says(page, "Please choose at least one ticket.");
    await page.locator("select").first().selectOption("1");
    await take(page);
    await page.reload();
    await fill(page, "grace@nowhere");
    await page
      .locator("form")
      .first()
      .evaluate((form) => {
        form.noValidate = true;
      });
    await button(page, /^Buy for/).click();
    await says(page, "The part after the @ is not a domain");
    await fill(page);
    await order(page);
    await pay(page, "4000000000000002");
    await says(page, "The payment was declined.");
    // The answer of the provider comes a moment later, and the page looks again by itself.
    const again = button(page, "Try to pay again").or(page.getByRole("link", { name: /^Pay / }));
    await again.first().click();
    await page.waitForURL(/\/pay\//);
    await pay(page);
    await tickets(page);
    await page.getByRole("link", { name: /^Cancel the order/ }).click();
    await button(page, /^Cancel and get/).click();
    await says(page, "You cancelled this order.");
    await page.goto("/?lang=de");
    assert.equal(await page.locator("html").getAttribute("lang"), "de");
  }, options);
});

test("what ran out while it was looked at is said, and there is a way on", async () => {
  const event = await concert("Fugit", { on: hasty });
  await guest(
    async (page) => {
      await choose(page, event);
      await take(page);
      await says(page, "Time left: 0:0");
      // Nobody touches anything.
      await says(page, "The time to buy has run out");
      await look(page, "shop-checkout-over");
      await page.getByRole("link", { name: "Choose again" }).click();
      await page.locator("select").first().selectOption("1");
      await take(page);
    },
    { on: hasty },
  );
  await guest(
    async (page) => {
      await choose(page, event);
      await take(page);
      await fill(page);
      await page.waitForTimeout((HOLD_SECS + 1) * 1000);
      await button(page, /^Buy for/).click();
      await says(page, "The time to buy has run out");
      assert.equal((await event.orders()).length, 0);
    },
    { on: hasty, javaScriptEnabled: false },
  );
});

test("tickets are shown whether or not a mail arrives", async () => {
  const event = await concert("Muta", { on: hasty });
  await guest((page) => purchase(page, event), { on: hasty });
});

/** What is sent arrives, and the answer does not. */
async function loseAnswer(page, send) {
  let arrived = 0;
  const cut = async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    await route.fetch({ maxRedirects: 0 });
    arrived += 1;
    await route.abort("connectionreset");
  };
  await page.route("**/*", cut);
  await Promise.all([page.waitForEvent("requestfailed"), send()]);
  await page.unroute("**/*", cut);
  assert.equal(arrived, 1);
}

test("a lost connection loses nothing", async () => {
  const event = await concert("Silenzio");
  await guest(
    async (page, { context }) => {
      await choose(page, event, 2);
      await context.setOffline(true);
      await button(page, "Take these tickets").click();
      await says(page, "There is no connection right now.");
      await look(page, "shop-event-offline");
      await context.setOffline(false);
      await page.getByText("There is no connection right now.").waitFor({ state: "detached" });
      // The answer of the first try is lost on its way; the form is sent again.
      await loseAnswer(page, () => button(page, "Take these tickets").click({ noWaitAfter: true }));
      await page.reload();
      await page.waitForURL(/\/checkout\//);
      assert.equal((await event.kind()).held, 2);

      await fill(page);
      await context.setOffline(true);
      await button(page, /^Buy for/).click();
      await says(page, "There is no connection right now.");
      await context.setOffline(false);
      await loseAnswer(page, () => button(page, /^Buy for/).click({ noWaitAfter: true }));
      await page.reload();
      await page.waitForURL(/\/(pay|orders)\//);
      assert.equal((await event.orders()).length, 1);
      await pay(page, "4000000000000119");
      await says(page, "Your bank is still deciding");

      await context.setOffline(true);
      await says(page, "The connection is lost.");
      await look(page, "shop-order-offline");
      await context.setOffline(false);
      await page.getByText("The connection is lost.").waitFor({ state: "detached" });
    },
    { faulty: true },
  );
});

test("the order's page fills itself in when the money arrives", async () => {
  const event = await concert("Dopo");
  await guest(async (page, { context }) => {
    await choose(page, event);
    await take(page);
    await fill(page);
    await order(page);
    const toPay = page.url();
    await pay(page, "4000000000000119");
    await says(page, "Your bank is still deciding");
    await look(page, "shop-order-waiting");
    const other = await context.newPage();
    await other.goto(toPay);
    await button(other, "The money comes").click();
    await other.close();
    await page.bringToFront();
    await tickets(page);
  });
});

test("another device goes on by the link, before and after the payment", async () => {
  const event = await concert("Altrove");
  const held = await hold(event, 1);
  const body = {
    hold_id: held.id,
    hold_secret: held.secret,
    expected_total: held.total,
    email: "hedy@example.org",
    phone_number: "+49301234567",
  };
  const placed = await call(box.http, "POST", "/api/v1/orders", { body });
  await guest(async (page) => {
    await page.goto(placed.link);
    assert.ok(!page.url().includes(placed.secret), "the secret leaves the address");
    await page.getByRole("link", { name: /^Pay / }).click();
    await pay(page);
    await tickets(page);
  });
  const mail = await mailWith(box, placed.number);
  const [link] = mail.match(/http:\/\/[^\s"<>]+\/o\/[^\s"<>]+/);
  await guest(async (page) => {
    await page.goto(link);
    await tickets(page);
    // Whoever has only the address sees nothing.
    await page.context().clearCookies();
    await page.reload();
    await says(page, "This page needs its link");
    await page.getByRole("link", { name: "To my orders" }).waitFor();
  });
});

test("tickets that go while they are looked at", async () => {
  const event = await concert("Esaurito", { types: [{ total_stock: 2 }] });
  await guest(async (page) => {
    await choose(page, event, 2);
    const held = await hold(event, 2);
    await says(page, "All taken at the moment. Some may come back within minutes.");
    await button(page, "Take these tickets").waitFor({ state: "hidden" });
    await look(page, "shop-event-held");
    const secret = held.secret;
    await call(box.http, "DELETE", `/api/v1/holds/${held.id}`, { secret });
    await button(page, "Take these tickets").waitFor();
  });
  // Without a script the page cannot know, and the answer says it.
  await guest(
    async (page) => {
      await choose(page, event, 2);
      const held = await hold(event, 2);
      await button(page, "Take these tickets").click();
      await says(page, "All of these are taken at the moment.");
      await call(box.http, "DELETE", `/api/v1/holds/${held.id}`, { secret: held.secret });
      await choose(page, event, 2);
      await buy(box.http, {
        title: "Esaurito",
        category: "Parkett",
        quantity: 2,
        guest: { email: "a@example.org", phone_number: "+49301234567" },
      });
      await button(page, "Take these tickets").click();
      await says(page, "Sorry, these tickets are sold out now.");
    },
    { javaScriptEnabled: false },
  );
  await guest(async (page) => {
    await page.goto(event.page);
    await says(page, "Sold out");
    await look(page, "shop-event-sold-out");
  });
});

test("a sale begins before one's eyes", async () => {
  const soon = new Date(Date.now() + 9000).toISOString();
  const event = await concert("Presto", {
    types: [{ sales_start: soon }, { category: "Rang", sales_start: hours(50) }],
  });
  await guest(async (page) => {
    await page.goto(event.page);
    await says(page, /^Opens in 00:00:0\d/);
    await says(page, /^Opens in 2 d \d\d:\d\d:\d\d/);
    await look(page, "shop-event-not-yet");
    await page.locator("select").first().selectOption("1");
    await take(page);
  });
});

test("a sale that is over, and concerts that are paused, moved or cancelled", async () => {
  const over = await concert("Finito", { types: [{ sales_end: new Date(Date.now() - 1000).toISOString() }] });
  const moved = await concert("Rinviato");
  const gone = await concert("Via");
  await guest(async (page) => {
    await page.goto(over.page);
    await says(page, "Sales have ended");

    await moved.call("postpone", { date_time: hours(24 * 60), reason: "" });
    await eventually("the new date", async () => {
      await page.goto(moved.page);
      return page.getByText("Postponed.").isVisible();
    });
    await look(page, "shop-event-postponed");
    assert.match(await linkedStatus(page), /EventRescheduled/);

    await purchase(page, gone);
    const bought = page.url();
    await page.goto(gone.page);
    await gone.change({ status: "inactive" });
    await says(page, "This concert is not in the programme any more.");
    await eventually("the page is gone", async () => {
      await page.goto(gone.page);
      return page.getByText("It may be paused, cancelled or over.").isVisible();
    });
    await look(page, "shop-event-gone");
    await page.getByRole("link", { name: "To the programme" }).click();
    await page.getByRole("heading", { name: "Programme" }).waitFor();
    await gone.change({ status: "active" });
    await gone.call("cancel", {});
    await eventually("the order knows", async () => {
      await page.goto(bought);
      return page.getByText("All of your money was sent back.").isVisible();
    });
    await says(page, "Sorry, the concert was cancelled");
    await look(page, "shop-order-cancelled");
  });
});

const linked = async (page) =>
  JSON.parse(await page.locator("script[type='application/ld+json']").textContent());
const linkedStatus = async (page) => (await linked(page)).eventStatus;

test("search engines and messengers read what a concert is", async () => {
  const start = hours(48);
  const event = await concert("Lumen & Nox", { types: [{}, { category: "Rang", sales_start: start }] });
  await guest(async (page) => {
    await page.goto(event.page);
    const data = await linked(page);
    for (const name of ["name", "startDate", "location", "eventStatus", "offers", "url", "description"]) {
      assert.ok(data[name], name);
    }
    assert.deepEqual(
      [data["@context"], data["@type"], data.name, data.location["@type"], data.location.name],
      ["https://schema.org", "Event", "Lumen & Nox", "Place", "Kesselhaus, Berlin"],
    );
    assert.match(data.startDate, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+0[12]:00$/);
    const offers = data.offers.map(({ price, priceCurrency, availability }) => [
      price,
      priceCurrency,
      availability,
    ]);
    assert.deepEqual(offers, [
      ["25.00", "EUR", "https://schema.org/InStock"],
      ["25.00", "EUR", "https://schema.org/PreOrder"],
    ]);
    assert.ok(Math.abs(Date.parse(data.offers[1].validFrom) - Date.parse(start)) < 1000);
    const meta = (name) => page.locator(`meta[property='${name}']`).getAttribute("content");
    assert.equal(await meta("og:title"), "Lumen & Nox");
    assert.equal(await meta("og:url"), data.url);
    assert.equal(await meta("og:description"), "Lorem ipsum dolor sit amet.");
  });
});

test("a guest finds their orders again, and looks after them", async () => {
  const event = await concert("Cura", { cancellation: { allowed: true, until_hours: 24, fee_ppm: 100000 } });
  const email = "wrong@example.org";
  const right = "right@example.org";
  await guest(async (page) => {
    await purchase(page, event, { quantity: 2, email });
    await page.getByRole("link", { name: "Not the right address?" }).click();
    await look(page, "shop-address");
    await page.locator("#email").fill(right);
    await button(page, "Correct it").click();
    await says(page, "The order goes to the new address from now on.");
    await tickets(page);
  });
  await guest(async (page) => {
    await page.goto("/");
    await page.getByRole("link", { name: "Find my orders" }).click();
    await page.locator("#email").fill(right);
    await button(page, "Send me a code").click();
    await says(page, `If there are orders of ${right}`);
    await look(page, "shop-find-code");
    await page.locator("#code").fill("000000");
    await button(page, "Show my orders").click();
    await says(page, "The code is not right");
    const mail = await eventually("the code", async () => {
      const text = await mailWith(box, right);
      return /\n(?:\s*)(\d[\d ]{4,10}\d)\s*\n/.test(text) && text;
    });
    const [, code] = mail.match(/\n(?:\s*)(\d[\d ]{4,10}\d)\s*\n/);
    await page.locator("#code").fill(code);
    await button(page, "Show my orders").click();
    await says(page, "Your orders");
    await look(page, "shop-found");
    await page.getByRole("link", { name: "Cura" }).click();
    await tickets(page);

    await page.getByRole("link", { name: "Hand it on to somebody" }).first().click();
    await look(page, "shop-transfer");
    await page.locator("#name").fill("Lise Meitner");
    await page.locator("#email").fill("lise@example.org");
    await button(page, "Hand the ticket on").click();
    await says(page, "The ticket was handed on.");
    await says(page, "Belongs to Lise Meitner");
  });
  const mail = await mailWith(box, "lise@example.org");
  const [link] = mail.match(/http:\/\/[^\s"<>]+\/t\/[^\s"<>]+/);
  await guest(async (page) => {
    await page.goto(link);
    await says(page, "This ticket is for Lise Meitner.");
    await look(page, "shop-ticket");
  });
  const other = await concert("Addio", { cancellation: { allowed: true, until_hours: 24, fee_ppm: 100000 } });
  await guest(async (page) => {
    await purchase(page, other);
    await page.getByRole("link", { name: "Cancel the order: 22.50 EUR back" }).click();
    await button(page, "Cancel and get 22.50 EUR back").click();
    await says(page, "You cancelled this order.");
  });
});

test("the programme is searched by words, days and places, page by page", async () => {
  const day = (number) => new Date(Date.now() + number * 86_400_000).toISOString().slice(0, 10);
  const at = (number) => `${day(number)}T12:00:00Z`;
  await concert("Cerca Uno", { date_time: at(200), location: "Alte Oper" });
  await concert("Cerca Due", { date_time: at(201), location: "Neue Halle" });
  await guest(async (page) => {
    const shown = (name) => page.getByRole("link", { name, exact: true });
    await page.goto("/");
    await page.getByText("Date and place").click();
    await page.locator("#from").fill(day(201));
    await page.locator("#to").fill(day(201));
    await button(page, "Search").click();
    await shown("Cerca Due").waitFor();
    assert.equal(await shown("Cerca Uno").count(), 0);
    await look(page, "shop-programme-searched");
    await page.locator("#from").fill(day(200));
    await page.locator("#place").fill("oper");
    await button(page, "Search").click();
    await shown("Cerca Uno").waitFor();
    assert.equal(await shown("Cerca Due").count(), 0);
    // The language changes, the search stays.
    await page.getByRole("link", { name: "Deutsch" }).click();
    await shown("Cerca Uno").waitFor();
    await page.goto("/?q=nothing-like-it");
    await page.getByRole("link", { name: "Das ganze Programm ansehen" }).click();
    await page.goto("/?from=12.6.2027&lang=en");
    await says(page, "That is not a date.");
  });
  for (let number = 0; number < 21; number++) {
    await concert(`Serie ${number}`, { date_time: at(300 + number) });
  }
  await guest(async (page) => {
    await page.goto("/?q=serie");
    assert.equal(await page.locator(".card").count(), 20);
    await page.getByRole("link", { name: "More concerts" }).click();
    await says(page, "Serie 20");
    assert.equal(await page.locator(".card").count(), 1);
  });
});

/** The words of a language that no other of ours has, as far as they give English away. */
const ENGLISH = /\b(the|your|you|this|with|and|have|please|has|been|are|of|will|was sent|tickets? for)\b/i;

const TABLES = Object.fromEntries(
  ["en", "de", "fr"].map((tag) => {
    const text = readFileSync(new URL(`../../gateway/shop/words/${tag}.txt`, import.meta.url), "utf8");
    const lines = text.split("\n").filter((line) => line.includes(" = ") && !line.startsWith("#"));
    return [tag, new Map(lines.map((line) => line.split(/ = (.*)/s).slice(0, 2)))];
  }),
);

/** What people see, hear and point at. */
const texts = (page) =>
  page.evaluate(() => {
    const found = [document.title];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const { parentElement, data } = walker.currentNode;
      // The switch says each language's own name.
      if (!parentElement.closest("script, .languages, .code")) found.push(data.trim());
    }
    for (const element of document.querySelectorAll("[aria-label], [placeholder], [title]")) {
      for (const name of ["aria-label", "placeholder", "title"]) found.push(element.getAttribute(name) ?? "");
    }
    return found.filter((text) => text !== "");
  });

async function inLanguage(page, tag) {
  assert.equal(await page.locator("html").getAttribute("lang"), tag);
  const own = new Set(TABLES[tag].values());
  const english = new Set([...TABLES.en.values()].filter((text) => !own.has(text)));
  for (const text of await texts(page)) {
    assert.ok(!english.has(text), `${page.url()} says in English: ${text}`);
    assert.doesNotMatch(text, ENGLISH, `${page.url()} in ${tag}`);
  }
}

/** What is wrong is said beside each field. */
async function refusedDetails(page, send) {
  await page
    .locator("form")
    .first()
    .evaluate((form) => {
      form.noValidate = true;
    });
  await page.locator("#phone_number").fill("1");
  await page.locator("#email").fill("x@y");
  await send();
}

/** The pages around an order that has its ticket, and those of nothing. */
async function otherPages(page, read) {
  const own = new URL(page.url()).pathname;
  const [, ticket] = (await page.locator("a[href$='/transfer']").getAttribute("href")).match(
    /tickets\/([^/]+)/,
  );
  for (const path of [
    `${own}/cancel`,
    `${own}/address`,
    `${own}/tickets/${ticket}/transfer`,
    "/find",
    "/terms",
    "/nothing",
    "/events/nothing",
    "/orders/nothing",
  ]) {
    await page.goto(path);
    await read();
  }
}

for (const [tag, locale, words] of [
  [
    "de",
    "de-AT",
    {
      take: "Diese Tickets nehmen",
      buy: /^Kaufen für/,
      pay: /bezahlen$/,
      search: "Suchen",
      price: "25,00 EUR",
      mails: ["Meine Tickets ansehen", "Jemand, hoffentlich Sie"],
    },
  ],
  [
    "fr",
    "fr-FR",
    {
      take: "Prendre ces billets",
      buy: /^Acheter pour/,
      pay: /^Payer/,
      search: "Chercher",
      price: "25,00 EUR",
      mails: ["Voir mes billets", "vous sans doute"],
    },
  ],
]) {
  test(`a purchase in ${tag}, with no English left over`, async () => {
    const event = await concert(`Lingua ${tag}`, {
      cancellation: { allowed: true, until_hours: 24, fee_ppm: 75000 },
      types: [{}, { category: "Rang", sales_start: hours(50) }, { category: "Loge", total_stock: 3 }],
    });
    const email = `${tag}@example.org`;
    await guest(
      async (page) => {
        const read = () => inLanguage(page, tag);
        await page.goto(`/?q=lingua`);
        await read();
        await page.goto("/?q=xyzzy");
        await read();
        await page.goto(event.page);
        await says(page, words.price);
        await read();
        await button(page, words.take).click();
        await read();
        await page.locator("select").first().selectOption("1");
        await button(page, words.take).click();
        await page.waitForURL(/\/checkout\//);
        await read();
        await refusedDetails(page, () => button(page, words.buy).click());
        await read();
        await fill(page, email);
        await button(page, words.buy).click();
        await page.waitForURL(/\/pay\//);
        await read();
        await card(page, "4000000000000002");
        await button(page, words.pay).click();
        await page.waitForURL(/\/orders\//);
        await read();
        const again = page.locator("main .main").first();
        await again.click();
        await page.waitForURL(/\/pay\//);
        await card(page);
        await button(page, words.pay).click();
        await tickets(page);
        await read();
        await look(page, `shop-order-${tag}`);
        await otherPages(page, read);
        await page.goto("/find");
        await page.locator("#email").fill(email);
        await page.locator("main button").click();
        await read();
        // What was chosen stands above what the browser asks for.
        await page.getByRole("link", { name: "English" }).click();
        await says(page, "Send me a code");
        await page.goto(event.page);
        await says(page, "Take these tickets");
      },
      { locale },
    );
    // The mails follow.
    for (const sentence of words.mails) {
      assert.ok((await mailWith(box, sentence)).includes(email), sentence);
    }
  });
}

test("search engines are told of every language, and that each is a page of its own", async () => {
  const event = await concert("Babel");
  for (const path of [event.page, "/"]) {
    const url = new URL(path, box.http).href;
    for (const [query, canonical] of [
      ["", url],
      ["?lang=en", url],
      ["?lang=de", `${url}?lang=de`],
      ["?lang=fr", `${url}?lang=fr`],
    ]) {
      const text = await (await fetch(url + query)).text();
      const links = [
        ...text.matchAll(/<link rel="(canonical|alternate)"(?: hreflang="([\w-]+)")? href="([^"]+)">/g),
      ];
      const found = links.map(([, rel, tag, href]) => [rel, tag, href.replaceAll("&#x2f;", "/")]);
      const alternates = [
        ["alternate", "en", url],
        ["alternate", "de", `${url}?lang=de`],
        ["alternate", "fr", `${url}?lang=fr`],
        ["alternate", "x-default", url],
      ];
      const of = (wanted) => found.filter(([rel]) => rel === wanted);
      assert.deepEqual(of("alternate"), alternates, query);
      assert.deepEqual(of("canonical"), [["canonical", undefined, canonical]], query);
    }
  }
  const searched = await (await fetch(`${box.http}/?q=babel`)).text();
  assert.ok(!searched.includes("canonical"), "a search is no page of its own");
});

test("caches are told that pages differ by language", async () => {
  const event = await concert("Varia");
  const page = async (headers, path = event.page) => {
    const answer = await fetch(box.http + path, { headers });
    return { text: await answer.text(), vary: answer.headers.get("vary"), answer };
  };
  // Twice, so that the second ones are those that memory has.
  for (const _ of [1, 2]) {
    for (const [asked, lang] of [
      ["de", "de"],
      ["fr-CA,de;q=0.5", "fr"],
      ["pl", "en"],
    ]) {
      const { text, vary } = await page({ "accept-language": asked });
      assert.ok(text.includes(`<html lang="${lang}">`), `${asked}: ${text.slice(0, 40)}`);
      assert.match(vary, /accept-language, cookie/);
    }
  }
  const { text, answer } = await page({ "accept-language": "de" }, `${event.page}?lang=fr`);
  assert.ok(text.includes('<html lang="fr">'));
  assert.match(answer.headers.get("set-cookie"), /^language=fr; Path=\/; HttpOnly; SameSite=Lax/);
});

test("every page is accessible, and none is too wide", () => {
  assert.deepEqual(found, []);
});
