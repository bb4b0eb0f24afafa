// What is done less often at a box office: pictures, previews, shared stock, who may what, another date, a copy, money by
// hand, books that disagree, words of mails. In a real browser, against a box office of its own.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, mailWith, open, sql } from "./boxoffice.mjs";
import { found, launch, look, MAIL, shoot, visitor } from "./browser.mjs";
import { buy, call, order } from "./guest.mjs";
import { png } from "./png.mjs";
import { NARROW, samples, spilt } from "./samples.mjs";
import { decide, go, heading, more, part, press } from "./steps.mjs";

const ADA = { email: "ada@example.org", password: "a long enough password" };
const BOB = { email: "bob@example.org", password: "another long enough password" };
const TITLE = "Northern Lights";
const COPY = "Northern Lights, the second night";
const GUEST = { email: "grace@example.org", phone_number: "+49301234567", name: "Grace Hopper" };
const DUSK = [
  [20, 16, 60],
  [240, 120, 90],
];
/** Mails that have between them all that there is in mails. */
const LOOKED_AT = ["receipt", "awaiting_transfer", "cancelled", "lookup_code", "reminder"];
const DAWN = [
  [250, 220, 140],
  [60, 130, 170],
];

let box;
let browser;
let ada;
let bob;
let concert;

before(async () => {
  [box, browser] = await Promise.all([open({ PAYMENT_PROVIDERS: "sandbox,manual" }), launch()]);
  ada = await visitor(browser, box.http);
});

after(async () => {
  await browser?.close();
  await box?.close();
});

let failed = false;

/** Each goes on where the one before ended. */
function step(name, work) {
  test(name, async (context) => {
    if (failed) return context.skip("a step before failed");
    try {
      await work(ada);
    } catch (error) {
      failed = true;
      await shoot(ada.page, "office-failure");
      throw error;
    }
    assert.deepEqual(ada.faults.splice(0), []);
  });
}

/** A file as somebody chooses one. */
const file = (name, mimeType, buffer) => ({ name, mimeType, buffer });

async function choose(page, chosen) {
  await page.locator('input[type="file"]').setInputFiles(chosen);
}

/** Whether the pictures of a page have come. */
const isShown = (page, selector) =>
  page.waitForFunction((selector) => {
    const pictures = [...document.querySelectorAll(selector)];
    return (
      pictures.length > 0 && pictures.every(({ complete, naturalWidth }) => complete && naturalWidth > 0)
    );
  }, selector);

step("a concert is begun", async ({ page }) => {
  await page.goto(`/admin/setup#${box.setup_token}`);
  await page.getByLabel("E-mail address").fill(ADA.email);
  await page.getByLabel(/^Password/).fill(ADA.password);
  await press(page, "Open the box office");
  await heading(page, "Programme");
  await page.getByRole("link", { name: "New concert" }).first().click();
  await page.getByLabel("Title").fill(TITLE);
  await page.getByLabel("Place").fill("Harpa, Reykjavík");
  await page.getByLabel("Date and time").fill("2031-02-12T20:00");
  await press(page, "Go on to the tickets");
  await heading(page, TITLE);
  concert = new URL(page.url()).pathname.split("/")[3];
});

step("two ticket types share a hall, of which some is kept back", async ({ page }) => {
  await press(page, "New shared stock");
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("The whole hall");
  await dialog.getByLabel("Room for").fill("100");
  await dialog.getByLabel("Blocked").fill("10");
  await look(page, "office-pool");
  await decide(page, "Add it");
  await page.getByRole("cell", { name: "The whole hall", exact: true }).waitFor();
  for (const [name, price] of [
    ["Floor", "40"],
    ["Balcony", "60"],
  ]) {
    await press(page, "New ticket type");
    await dialog.getByLabel("Name").fill(name);
    await dialog.getByLabel(/^Price/).fill(price);
    await dialog.getByLabel("Tickets").fill("80");
    await dialog.getByLabel("The whole hall").check();
    await decide(page, "Add it");
    await page.getByRole("cell", { name, exact: true }).waitFor();
  }
  await press(page, "Edit The whole hall");
  await dialog.getByLabel("Blocked").fill("101");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByRole("alert").waitFor();
  await dialog.getByLabel("Blocked").fill("20");
  await decide(page, "Save");
  const hall = page.getByRole("row", { name: /The whole hall/ });
  await hall.getByRole("cell", { name: "20", exact: true }).waitFor();
  await look(page, "office-tickets");
});

step("a picture is chosen, described, replaced", async ({ page }) => {
  await part(page, "Details");
  await choose(page, file("words.png", "image/png", Buffer.from("no picture at all")));
  await page.getByText("This is no picture that can be shown").waitFor();
  await choose(page, file("small.png", "image/png", png(150, 150, DUSK)));
  await page.getByLabel("What it shows").fill("x");
  await press(page, "Save the picture");
  await page.getByText("must be at least 200 pixels").waitFor();
  await look(page, "office-picture-refused");
  await choose(page, file("dusk.png", "image/png", png(3000, 1700, DUSK)));
  await page.getByLabel("What it shows").fill("The sky over the harbour at dusk");
  await isShown(page, "img.picture");
  await press(page, "Save the picture");
  await page.getByText("The picture is saved.").waitFor();
  await isShown(page, "img.picture");
  assert.match(await page.locator("img.picture").getAttribute("src"), /^\/images\/[0-9a-f]{64}-480\.jpg$/);
  await look(page, "office-picture");
  // Its own change is no other's.
  await page.getByLabel("Description").fill("Strings and brass under the aurora.");
  await press(page, "Save");
  await page.getByText("Saved.", { exact: true }).waitFor();
  const first = await page.locator("img.picture").getAttribute("src");
  await choose(page, file("dawn.png", "image/png", png(1600, 900, DAWN)));
  await page.getByLabel("What it shows").fill("Dusk over the harbour");
  await press(page, "Save the picture");
  await page.getByText("The picture is saved.").waitFor();
  await page.waitForFunction((first) => {
    const src = document.querySelector("img.picture")?.getAttribute("src") ?? "";
    return src.startsWith("/images/") && src !== first;
  }, first);
  assert.equal((await fetch(box.http + first)).status, 200, "the one of before is still there");
});

step("its page is seen before guests see it, by who may", async ({ page, context }) => {
  const [shown] = await Promise.all([
    context.waitForEvent("page"),
    page.getByRole("link", { name: "Preview the page" }).click(),
  ]);
  await heading(shown, TITLE);
  await shown.getByText("guests do not see this concert yet").waitFor();
  await isShown(shown, "img.picture");
  assert.equal(await shown.getByRole("button", { name: "Take these tickets" }).isDisabled(), true);
  await look(shown, "office-preview");
  const preview = shown.url();
  await shown.close();
  const stranger = await visitor(browser, box.http);
  await stranger.page.goto(preview);
  await heading(stranger.page, "Please sign in");
  await look(stranger.page, "office-preview-stranger");
  await stranger.context.close();
});

step("on sale, it has its picture in the shop", async ({ page }) => {
  await part(page, "Sales");
  await press(page, "Put on sale");
  await decide(page, "Put on sale");
  await page.getByText("On sale").first().waitFor();
  const guest = await visitor(browser, box.http);
  await eventually("the picture in the programme", async () => {
    await guest.page.goto("/");
    return guest.page.locator(".pictured img").count();
  });
  await isShown(guest.page, ".pictured img");
  await look(guest.page, "shop-programme-pictures");
  await guest.page.getByRole("link", { name: TITLE }).click();
  await isShown(guest.page, "img.picture");
  await look(guest.page, "shop-event-picture");
  const shared = await guest.page.locator('meta[property="og:image"]').getAttribute("content");
  const sent = await fetch(shared);
  assert.equal(sent.headers.get("content-type"), "image/jpeg");
  const linked = await guest.page.locator("script[type='application/ld+json']").textContent();
  const { image } = JSON.parse(linked);
  assert.equal(image[0], shared);
  assert.equal((await fetch(image[1])).headers.get("content-type"), "image/jpeg");
  assert.deepEqual(guest.faults, []);
  await guest.context.close();
});

step("somebody asks for an account, and is let into the concert", async ({ page }) => {
  bob = await visitor(browser, box.http);
  await bob.page.goto("/admin/login");
  await bob.page.getByRole("link", { name: "No account yet?" }).click();
  await heading(bob.page, "Ask for an account");
  await bob.page.getByLabel("E-mail address").fill(BOB.email);
  await bob.page.getByLabel(/^Who you are/).fill("Bob, of the harbour festival.");
  await look(bob.page, "office-request-account");
  await press(bob.page, "Ask");
  await bob.page.getByText("You have asked").waitFor();

  await go(page, "People");
  await page.getByText("Bob, of the harbour festival.").waitFor();
  await look(page, "office-requests");
  await press(page, "Invite");
  await decide(page, "Invite");
  const invitation = await mailWith(box, "/admin/invitation#");
  await bob.page.goto(invitation.match(/http\S+\/admin\/invitation#[\w-]+/)[0]);
  await bob.page.getByLabel("E-mail address").fill(BOB.email);
  await bob.page.getByLabel(/^Password/).fill(BOB.password);
  await press(bob.page, "Make the account");
  await heading(bob.page, "Programme");
  assert.equal(await bob.page.getByRole("link", { name: new RegExp(TITLE) }).count(), 0);

  await page.goto(`/admin/events/${concert}/people`);
  await page
    .getByLabel(/^Account/)
    .first()
    .click();
  await page.getByRole("option", { name: BOB.email }).click();
  await look(page, "office-grants");
  await press(page, "Let them in");
  const row = page.getByRole("row", { name: new RegExp(BOB.email) });
  await row.getByText("Viewer: sees it").waitFor();
  await bob.page.reload();
  await bob.page.getByRole("link", { name: new RegExp(TITLE) }).click();
  await heading(bob.page, TITLE);
  // Who may see it may see its page, and may not change it.
  await bob.page.goto(`/admin/events/${concert}/preview`);
  await bob.page.getByText("guests see this concert as it is here").waitFor();

  await row.getByRole("button", { name: "Take away" }).click();
  await decide(page, "Take away");
  await row.waitFor({ state: "detached" });
  await bob.page.goto(`/admin/events/${concert}/preview`);
  await bob.page.getByText("does not exist, or it belongs to somebody else").waitFor();
  assert.deepEqual(bob.faults, []);
  await bob.context.close();
});

step("it is put off to another date", async ({ page }) => {
  await page.goto(`/admin/events/${concert}`);
  await heading(page, TITLE);
  const dialog = await more(page, "Postpone");
  const postpone = dialog.getByRole("button", { name: "Postpone", exact: true });
  assert.equal(await postpone.isDisabled(), true, "before there is another date");
  await dialog.getByLabel("New date and time").fill("2031-03-12T20:00");
  await dialog.getByLabel("Reason").fill("The harbour is frozen.");
  await look(page, "office-postpone");
  await decide(page, "Postpone");
  await page.getByText(/^before: /).waitFor();
});

step("a copy for another night has the same picture", async ({ page }) => {
  const dialog = await more(page, "Copy for another date");
  await dialog.getByLabel("Title").fill(COPY);
  await dialog.getByLabel("Date and time").fill("2031-03-13T20:00");
  await look(page, "office-copy");
  await decide(page, "Make the copy");
  await heading(page, COPY);
  await isShown(page, "img.picture");
  assert.equal(await page.getByLabel("What it shows").inputValue(), "Dusk over the harbour");
  await press(page, "Take it away");
  await decide(page, "Take it away");
  await page.locator("img.picture").waitFor({ state: "detached" });
  await page.goto(`/admin/events/${concert}/details`);
  await isShown(page, "img.picture");
});

/** The page of an order. */
async function story(page, { id, number }) {
  await page.goto(`/admin/orders/${id}`);
  await heading(page, `Order ${number}`);
}

const wish = { title: TITLE, category: "Floor", quantity: 1, guest: GUEST };

step("money that came by hand is confirmed, or does not come", async ({ page }) => {
  const paid = await order(box.http, { ...wish, provider: "manual" });
  await story(page, paid);
  await press(page, "Confirm the payment");
  await page.getByRole("dialog").getByText("€40.00 of Grace Hopper has arrived").waitFor();
  await look(page, "office-confirm-payment");
  await decide(page, "Confirm the payment");
  await page.getByText("Tickets issued").first().waitFor();
  const unpaid = await order(box.http, { ...wish, provider: "manual" });
  await story(page, unpaid);
  await press(page, "Cancel the order");
  await decide(page, "Cancel the order");
  await page.getByText("Cancelled").first().waitFor();
});

step("a payment that differs from its order is decided by a person", async ({ page }) => {
  const placed = await order(box.http, { ...wish, provider: "sandbox" });
  sql(box, "payments", `UPDATE sandbox.sessions SET amount_minor = 3900 WHERE order_id = '${placed.id}'`);
  await placed.pay();
  await story(page, placed);
  await page.getByText("The payment differs from the order", { exact: true }).waitFor();
  await look(page, "office-mismatch");
  await press(page, "Send it back");
  await decide(page, "Send it back");
  await page.getByText("Sent back").first().waitFor();
});

step("books that disagree stop the sale until somebody decides", async ({ page }) => {
  sql(box, "tickets", "UPDATE pools SET sold = sold + 1 WHERE name = 'The whole hall' AND sold > 0");
  await go(page, "Health");
  await page.getByRole("heading", { name: "Interrupted sales" }).waitFor({ timeout: 60_000 });
  await look(page, "office-halted");
  await press(page, "Decide");
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(/^The ledger/).check();
  await dialog.getByLabel("Why").fill("Edited by hand.");
  await look(page, "office-resume");
  await decide(page, "Sell it again");
  await page.getByRole("heading", { name: "Interrupted sales" }).waitFor({ state: "detached" });
});

step("what waits too long stands out, and what is not told keeps nobody waiting", async ({ page }) => {
  const late = `INSERT INTO outbox (id, kind, envelope, created_at, next_attempt_at)
    VALUES (gen_random_uuid(), 'order_erased', '', now() - interval '10 minutes', 'infinity')`;
  sql(box, "payments", late);
  await go(page, "Orders");
  await go(page, "Health");
  const money = page.getByRole("row", { name: /Orders and money/ });
  await money.getByText(/, the oldest for 1\d minutes/).waitFor();
  await look(page, "office-health-late");
  sql(box, "payments", "UPDATE outbox SET confirmed_at = now() WHERE next_attempt_at = 'infinity'");
  const all = "**/api/v1/admin/services";
  await page.route(all, async (route) => {
    const answer = await route.fetch();
    const { services } = await answer.json();
    const silent = services.map((one) =>
      one.name === "ticket-svc" ? { name: one.name, answers: false, version: null, outbox: null } : one,
    );
    await route.fulfill({ response: answer, json: { services: silent } });
  });
  const tickets = page.getByRole("row", { name: /Tickets and stock/ });
  await tickets.getByText("not known").first().waitFor({ timeout: 30_000 });
  await page.unroute(all);
  await page.route(all, (route) => route.fulfill({ status: 503, json: {} }));
  await money.getByText("not known").first().waitFor({ timeout: 30_000 });
  await page.getByText("Everything works.").waitFor();
  await look(page, "office-health-silent");
  await page.unroute(all);
  await money
    .getByText(/^0\.|nothing/)
    .first()
    .waitFor({ timeout: 30_000 });
});

step("what a mail said is read without its secrets", async ({ page }) => {
  const reader = { ...GUEST, email: "read@example.org" };
  const placed = await order(box.http, { ...wish, guest: reader, provider: "sandbox" });
  await placed.pay();
  const done = await eventually("tickets", async () => {
    const now = await placed.look();
    return now.status === "fulfilled" && now;
  });
  await mailWith(box, "read@example.org");
  await story(page, done);
  await page.getByRole("button", { name: "Read Receipt" }).click();
  const dialog = page.getByRole("dialog");
  const mail = dialog.frameLocator("iframe.mail-frame");
  await mail.getByText(TITLE).first().waitFor();
  await mail.getByText("•••").first().waitFor();
  await look(page, "office-mail-read");
  const html = await mail.locator("html").evaluate((element) => element.outerHTML);
  await dialog.getByText("As text", { exact: true }).click();
  const text = await dialog.locator(".mail").textContent();
  for (const secret of [placed.secret, done.tickets[0].code])
    for (const seen of [html, text]) assert.ok(!seen.includes(secret), "a secret of the guest's");
  assert.ok(text.includes("•••") && text.includes(TITLE));
  await look(page, "office-mail-text");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
});

step("a guest is forgotten", async ({ page }) => {
  const done = await buy(box.http, { ...wish, guest: { ...GUEST, email: "forget@example.org" } });
  await story(page, done);
  await page.getByText("forget@example.org").first().waitFor();
  await press(page, "Erase the guest");
  await page.getByRole("dialog").getByLabel("Why").fill("Asked for it.");
  await look(page, "office-erase");
  await decide(page, "Erase the guest");
  await page.getByText("forget@example.org").first().waitFor({ state: "detached" });
  await look(page, "office-erased");
});

step("every mail fits a phone, whatever people wrote", async () => {
  const { access_token } = await call(box.http, "POST", "/api/v1/auth/login", { body: ADA });
  const { context, page, faults } = await visitor(browser, undefined, { viewport: NARROW });
  let mails = 0;
  for await (const { kind, language, sample, html } of samples(box.http, access_token)) {
    await page.setContent(html);
    assert.deepEqual(await spilt(page), [], `${kind}, ${language}, ${sample}`);
    const isLookedAt = LOOKED_AT.includes(kind) && language === "de" && sample.startsWith("Greek");
    if (isLookedAt) await look(page, `mail-${kind}`, MAIL);
    mails += 1;
  }
  assert.deepEqual(faults, []);
  assert.ok(mails >= 12 * 3 * 7, `${mails} mails`);
  await context.close();
});

step("the words of a mail are tried out, put in force, and taken back", async ({ page }) => {
  await go(page, "Words of mails");
  await page
    .getByRole("link", { name: /^Receipt/ })
    .first()
    .click();
  const mail = page.frameLocator("iframe.mail-frame");
  await mail.locator("h1").waitFor();
  const colour = () =>
    mail
      .locator(".accent")
      .first()
      .evaluate((element) => element.style.color);
  await eventually("the styles of the mail", async () => (await colour()) !== "");
  await look(page, "office-template-desk");
  await page.getByText("On a phone", { exact: true }).click();
  await mail.locator("h1").waitFor();
  await look(page, "office-template-phone");
  const words = page.getByLabel("Words");
  const before = await words.inputValue();
  await words.fill(`${before}\nBring a scarf.\n`);
  await mail.getByText("Bring a scarf.").waitFor();
  await page.getByText("As text", { exact: true }).click();
  await page.locator(".mail", { hasText: "Bring a scarf." }).waitFor();
  await page.getByLabel("Why").fill("It is cold.");
  await press(page, "Put in force");
  await page.getByRole("cell", { name: "It is cold." }).waitFor();
  await look(page, "office-template-versions");
  await words.fill(`${before}\nBring two scarves.\n`);
  await page.getByLabel("Why").fill("It is colder.");
  await press(page, "Put in force");
  await page.getByRole("cell", { name: "It is colder." }).waitFor();
  await press(page, "Back to this");
  await decide(page, "Back to this");
  await page.waitForFunction(() => document.querySelector("textarea")?.value.includes("Bring a scarf."));
});

step("a cancelled concert says what follows first", async ({ page }) => {
  await page.goto(`/admin/events/${concert}`);
  await heading(page, TITLE);
  const dialog = await more(page, "Cancel the concert");
  await dialog.getByText(/^Sold tickets \([1-9]/).waitFor();
  const cancel = dialog.getByRole("button", { name: "Cancel the concert", exact: true });
  assert.equal(await cancel.isDisabled(), true, "before the title is typed");
  await dialog.getByRole("button", { name: "Leave it as it is" }).click();
  await dialog.waitFor({ state: "hidden" });
  await page.getByText("On sale").first().waitFor();
});

step("orders are narrowed to any concert, however many there are", async ({ page }) => {
  await page.evaluate(async () => {
    const session = await (await fetch("/api/v1/auth/session")).json();
    for (let number = 10; number < 40; number += 1) {
      const body = {
        title: `Chamber evening ${number}`,
        location: "Kleiner Saal",
        date_time: "2032-05-05T20:00:00+02:00",
        timezone: "Europe/Berlin",
        currency: "EUR",
      };
      const headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": crypto.randomUUID(),
        "X-CSRF-Token": session.csrf_token,
      };
      const answer = await fetch("/api/v1/admin/events", {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(await answer.text());
    }
  });
  await go(page, "Orders");
  const field = page.locator("input").and(page.getByLabel("Concert", { exact: true }));
  const options = page.getByRole("option");
  await field.click();
  await options.first().waitFor();
  const shown = await options.allTextContents();
  assert.equal(shown.length, 20, "no more than somebody looks through");
  const numbers = Array.from({ length: 30 }, (_, index) => `Chamber evening ${index + 10}`);
  const hidden = numbers.find((title) => !shown.includes(title));
  await field.fill(hidden);
  await page.getByRole("option", { name: hidden, exact: true }).waitFor();
  await look(page, "office-orders-concert");
  await page.getByRole("option", { name: hidden, exact: true }).click();
  await page.getByText("No order fits.").waitFor();
  await page.reload();
  await page.waitForFunction(
    (title) => [...document.querySelectorAll("input")].some(({ value }) => value === title),
    hidden,
  );
  await look(page, "office-orders-narrowed");
  await field.fill("no such concert");
  await page.getByText("No concert fits.").waitFor();
  await field.fill(TITLE);
  await page.getByRole("option", { name: TITLE, exact: true }).waitFor();
  await field.press("Escape");
  // Hidden from readers, who choose the concert once more to let it go.
  await page.locator("[aria-label='Any concert']").click();
  await page
    .getByRole("link", { name: /Grace Hopper/ })
    .first()
    .waitFor();
});

test("every page was accessible, and as wide as its window", () => {
  assert.deepEqual(found, []);
});
