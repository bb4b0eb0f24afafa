// The newcomer's path, by browser only: from the link that the first start prints to a refund that the guest
// is told of. `SHOTS` keeps a picture of every step; docs/tour.md shows some of them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, open } from "./boxoffice.mjs";
import { found, launch, look, MAIL, PHONE, shoot, visitor } from "./browser.mjs";
import { mailOf } from "./mail.mjs";
import { poster } from "./poster.mjs";
import { decide, go, heading, part, press } from "./steps.mjs";

const ADA = { email: "ada@example.org", password: "a long enough password" };
const GRACE = "grace@example.org";
const TITLE = "Moonlight Sessions";

let box;
let browser;
/** The newcomer, at a desk. */
let ada;
/** A guest, with a phone. */
let guest;

before(async () => {
  [box, browser] = await Promise.all([open({ DEMO_PROGRAMME: "false" }), launch()]);
  ada = await visitor(browser, box.http);
  guest = await visitor(browser, box.http, { viewport: PHONE, hasTouch: true, deviceScaleFactor: 2 });
});

after(async () => {
  await browser?.close();
  await box?.close();
});

let failed = false;
let steps = 0;

/** Each goes on where the one before ended. What it leads to is looked at. */
function step(name, work) {
  test(name, async (context) => {
    if (failed) return context.skip("a step before failed");
    try {
      await work();
    } catch (error) {
      failed = true;
      await Promise.all([shoot(ada.page, "tour-failure-desk"), shoot(guest.page, "tour-failure-phone")]);
      throw error;
    }
    assert.deepEqual([...ada.faults.splice(0), ...guest.faults.splice(0)], []);
  });
}

/** Most of these pages are looked at in the other tests too, so only who wants pictures waits for four looks. */
async function seen(page, name, rules) {
  steps += 1;
  if (process.env.SHOTS) await look(page, `tour-${String(steps).padStart(2, "0")}-${name}`, rules);
}

const button = (page, name) => page.getByRole("button", { name });
const isShown = (page) =>
  page.waitForFunction(() => {
    const picture = document.querySelector("img.picture");
    return picture?.complete && picture.naturalWidth > 0;
  });

step("the link of the first start makes the first account", async () => {
  const { page } = ada;
  await page.goto(`/admin/setup#${box.setup_token}`);
  await heading(page, "Welcome to your box office");
  await page.getByLabel("E-mail address").fill(ADA.email);
  await page.getByLabel(/^Password/).fill(ADA.password);
  await seen(page, "setup");
  await press(page, "Open the box office");
  await heading(page, "Programme");
  await page.getByText("Your programme is empty").waitFor();
  await seen(page, "programme-empty");
});

step("a concert with two ticket types and a picture", async () => {
  const { page } = ada;
  await page.getByRole("link", { name: "New concert" }).first().click();
  await page.getByLabel("Title").fill(TITLE);
  await page.getByLabel("Place").fill("Waldbühne, Berlin");
  await page.getByLabel("Date and time").fill("2031-06-12T20:00");
  await page.getByLabel("Description").fill("Strings and brass under the open sky.\n\nDoors open at 18:30.");
  await seen(page, "new-concert");
  await press(page, "Go on to the tickets");
  await heading(page, TITLE);
  for (const [name, price, tickets] of [
    ["Lawn", "45", "200"],
    ["Front rows", "79,50", "40"],
  ]) {
    await press(page, "New ticket type");
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill(name);
    await dialog.getByLabel(/^Price/).fill(price);
    await dialog.getByLabel("Tickets").fill(tickets);
    await decide(page, "Add it");
    await page.getByRole("cell", { name, exact: true }).waitFor();
  }
  await seen(page, "tickets");
  await part(page, "Details");
  const buffer = await poster(browser);
  await page
    .locator('input[type="file"]')
    .setInputFiles({ name: "moon.jpg", mimeType: "image/jpeg", buffer });
  await page.getByLabel("What it shows").fill("A full moon over a stage among trees");
  await press(page, "Save the picture");
  await page.getByText("The picture is saved.").waitFor();
  await isShown(page);
  await seen(page, "details");
});

step("it is put on sale", async () => {
  const { page } = ada;
  await part(page, "Sales");
  await press(page, "Put on sale");
  await page.getByRole("dialog").getByText("Front rows, €79.50, 40 tickets").waitFor();
  await seen(page, "put-on-sale");
  await decide(page, "Put on sale");
  await page.getByText("On sale").first().waitFor();
});

step("a guest finds it on a phone, and buys", async () => {
  const { page } = guest;
  await eventually("the concert in the programme", async () => {
    await page.goto("/");
    return page.locator(".pictured img").count();
  });
  await seen(page, "shop-programme");
  await page.getByRole("link", { name: TITLE }).click();
  await isShown(page);
  await page.locator("select").first().selectOption("2");
  await page.locator("select").nth(1).selectOption("1");
  await seen(page, "shop-event");
  await button(page, "Take these tickets").click();
  await page.waitForURL(/\/checkout\//);
  await page.locator("#email").fill(GRACE);
  await page.locator("#phone_number").fill("+49301234567");
  await page.locator("#name").fill("Grace Hopper");
  await seen(page, "shop-checkout");
  await button(page, /^Buy for/).click();
  await page.waitForURL(/\/pay\//);
  await page.locator("#card_number").fill("4242424242424242");
  await page.locator("#exp").fill("12/40");
  await page.locator("#cvc").fill("123");
  await seen(page, "shop-pay");
  await button(page, /^Pay/).click();
  await page.waitForURL(/\/orders\//);
  await page.locator("svg.qr").nth(2).waitFor();
  await seen(page, "shop-order");
});

/** A mail as a mail program draws it: without scripts, and no page of ours. */
async function read(mail, name) {
  const { context, page } = await visitor(browser, undefined);
  await page.setContent(mail.html);
  assert.equal(await page.locator("h1").count(), 1, "one heading");
  await seen(page, name, MAIL);
  await context.close();
}

step("the receipt has the tickets, on paper too", async () => {
  const { page, context } = guest;
  const receipt = await mailOf(box, GRACE, (mail) => mail.attachments.length > 0);
  const pdf = receipt.attachments.find(({ type }) => type === "application/pdf");
  assert.equal(pdf.bytes.subarray(0, 5).toString("latin1"), "%PDF-");
  assert.match(receipt.html, /Moonlight Sessions/);
  assert.match(receipt.html, /169\.50/);
  await read(receipt, "mail-receipt");
  const href = await page.locator("a[href$='tickets.pdf']").getAttribute("href");
  const again = await context.request.get(href);
  assert.equal((await again.body()).subarray(0, 5).toString("latin1"), "%PDF-");
});

step("insights show what was sold", async () => {
  const { page } = ada;
  await page.waitForFunction(() => document.querySelector(".figures dd")?.textContent === "3");
  await seen(page, "sales");
  await go(page, "Insights");
  await page.getByRole("cell", { name: "€169.50" }).first().waitFor();
  await page.getByRole("link", { name: TITLE }).click();
  await page.getByRole("img", { name: /^Revenue and refunds in EUR\. Revenue: €169\.50/ }).waitFor();
  await seen(page, "insights");
});

step("one ticket goes back", async () => {
  const { page } = ada;
  await go(page, "Orders");
  await page.getByRole("link", { name: /Grace Hopper/ }).waitFor();
  await seen(page, "orders");
  await page.getByRole("link", { name: /Grace Hopper/ }).click();
  await page.getByRole("cell", { name: "Sent" }).first().waitFor();
  await press(page, "Refund");
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Some tickets").check();
  await dialog.getByLabel("Front rows").fill("1");
  await dialog.getByLabel("Reason").fill("Sorry that one of you cannot come.");
  await dialog.getByText("€79.50 goes back").waitFor();
  await seen(page, "refund");
  await decide(page, "Send €79.50 back");
  await page.getByText("Partly refunded").first().waitFor();
  await seen(page, "order-refunded");
});

step("the guest is told, by mail and by the order's own page", async () => {
  const told = await mailOf(box, GRACE, (mail) => mail.html.includes("Sorry that one of you cannot come."));
  assert.match(told.html, /79\.50/);
  await read(told, "mail-refund");
  const { page } = guest;
  await eventually("the refund on the order's page", async () => {
    await page.reload();
    return page.locator(".ticket.void").count();
  });
  await seen(page, "shop-order-refunded");
});

step("a mail leads to the same order on another device", async () => {
  const receipt = await mailOf(box, GRACE, (mail) => mail.attachments.length > 0);
  const other = await visitor(browser, box.http);
  await other.page.setContent(receipt.html);
  await other.page.goto(await other.page.getByRole("link", { name: "Show my tickets" }).getAttribute("href"));
  await other.page.locator("svg.qr").first().waitFor();
  assert.deepEqual(other.faults, []);
  await other.context.close();
});

test("every page was accessible, and as wide as its window", () => {
  assert.deepEqual(found, []);
});
