// The dashboard in a real browser, against a real box office: from the setup to a refund. Every page is
// looked at on its way.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { mailWith, open } from "./boxoffice.mjs";
import { DESKTOP, found, launch, look, PHONE, shoot, visitor } from "./browser.mjs";
import { buy } from "./guest.mjs";
import { code } from "./totp.mjs";

const ADA = { email: "ada@example.org", password: "a long enough password" };
const BOB = { email: "bob@example.org", password: "another long enough password" };
const TITLE = "Moonlight Sessions";
const GUEST = { email: "grace@example.org", phone_number: "+49301234567", name: "Grace Hopper" };

let box;
let browser;
let ada;
let order;

before(async () => {
  [box, browser] = await Promise.all([open(), launch()]);
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
      await work();
    } catch (error) {
      failed = true;
      await shoot(ada.page, "failure");
      throw error;
    }
  });
}

/** Nothing on the pages failed, or was forbidden by their policy. */
function sound({ faults }) {
  assert.deepEqual(faults.splice(0), []);
}

const heading = (page, name) => page.getByRole("heading", { name }).first().waitFor();
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

async function signIn(page, { email, password }) {
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel(/^Password/).fill(password);
  await press(page, "Sign in");
}

/** In the dialog that is open. */
async function decide(page, label) {
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: label, exact: true }).click();
  await dialog.waitFor({ state: "hidden" });
}

test("the client is made from what the gateway answers", async () => {
  const kept = JSON.parse(readFileSync(new URL("../openapi.json", import.meta.url)));
  const served = await (await fetch(`${box.http}/openapi.json`)).json();
  assert.deepEqual(served, kept, "`just web-api` makes it anew");
});

step("the first account is made with the setup token", async () => {
  const { page } = ada;
  await page.goto("/admin");
  await heading(page, "Sign in");
  await look(page, "login");
  await page.goto(`/admin/setup#${box.setup_token}`);
  await heading(page, "Welcome to your box office");
  assert.equal(new URL(page.url()).hash, "", "the token is out of the address bar");
  await look(page, "setup");
  await page.getByLabel("E-mail address").fill(ADA.email);
  await page.getByLabel(/^Password/).fill("short");
  await press(page, "Open the box office");
  await heading(page, "Welcome to your box office");
  await page.getByLabel(/^Password/).fill(ADA.password);
  await press(page, "Open the box office");
  await heading(page, "Programme");
  await look(page, "programme");
  sound(ada);
});

step("a concert with two ticket types is put on sale", async () => {
  const { page } = ada;
  await page.getByRole("link", { name: "New concert" }).first().click();
  await heading(page, "New concert");
  await page.getByLabel("Title").fill(TITLE);
  await page.getByLabel("Place").fill("Waldbühne, Berlin");
  await page.getByLabel("Date and time").fill("2031-06-12T20:00");
  await page.getByLabel("Description").fill("Strings under the open sky.\n\nBring a blanket.");
  await look(page, "new-concert");
  await press(page, "Go on to the tickets");
  await heading(page, TITLE);
  await look(page, "tickets-empty");
  await addType(page, { name: "Standing", price: "45", tickets: "100" });
  await addType(page, { name: "Seated", price: "80,50", tickets: "20" });
  await look(page, "tickets");
  await page.getByRole("link", { name: "Sales" }).click();
  await press(page, "Put on sale");
  await page.getByRole("dialog").getByText("Seated, €80.50, 20 tickets").waitFor();
  await look(page, "put-on-sale");
  await decide(page, "Put on sale");
  await page.getByText("On sale").first().waitFor();
  sound(ada);
});

async function addType(page, { name, price, tickets }) {
  await press(page, "New ticket type");
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill(name);
  await dialog.getByLabel(/^Price/).fill(price);
  await dialog.getByLabel("Tickets").fill(tickets);
  if (name === "Standing") await look(page, "ticket-type");
  await dialog.getByRole("button", { name: "Add it" }).click();
  await dialog.waitFor({ state: "hidden" });
  await page.getByRole("cell", { name, exact: true }).waitFor();
}

step("guests see it in the shop, and buy", async () => {
  const { page, faults, context } = await visitor(browser, box.http);
  order = await buy(box.http, { title: TITLE, category: "Standing", quantity: 2, guest: GUEST });
  await page.goto("/");
  await page.getByRole("link", { name: TITLE }).first().click();
  await page.getByText("Standing").first().waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

step("the sale shows itself", async () => {
  const { page } = ada;
  const figure = (name) => page.locator(".figures div", { hasText: name }).locator("dd");
  await page.waitForFunction(() => document.querySelector(".figures dd")?.textContent === "2");
  await page.waitForFunction(() => document.querySelector(".figures")?.textContent.includes("€90.00"));
  assert.equal(await figure("Left").first().textContent(), "118");
  await look(page, "sales");
  for (const part of ["Details", "Terms", "People"]) {
    await page.getByRole("navigation", { name: "Parts" }).getByRole("link", { name: part }).click();
    await page.waitForLoadState("networkidle");
    await look(page, `concert-${part.toLowerCase()}`);
  }
  sound(ada);
});

step("a concert is changed by one person at a time", async () => {
  const { page, context } = ada;
  await page.getByRole("link", { name: "Details" }).click();
  await page.getByLabel("Place").fill("Große Waldbühne, Berlin");
  const other = await context.newPage();
  await other.goto(page.url());
  await other.getByLabel("Place").fill("Kleine Waldbühne, Berlin");
  await press(other, "Save");
  await other.getByText("Saved.").waitFor();
  await other.close();
  await press(page, "Save");
  await page.getByText("Somebody else changed this meanwhile").waitFor();
  await press(page, "Load again");
  await page.waitForFunction(() =>
    [...document.querySelectorAll("input")].some((field) => field.value.startsWith("Kleine")),
  );
  sound(ada);
});

step("the order is found, and refunded", async () => {
  const { page } = ada;
  await page.getByRole("link", { name: "Orders", exact: true }).click();
  await heading(page, "Orders");
  await page.getByRole("link", { name: /Grace Hopper/ }).waitFor();
  await look(page, "orders");
  await page.getByLabel("Search").fill("nobody at all");
  await page.getByText("No order fits.").waitFor();
  await page.getByLabel("Search").fill(order.number);
  await page.getByRole("link", { name: /Grace Hopper/ }).click();
  await heading(page, `Order ${order.number}`);
  await page.getByRole("cell", { name: "Sent" }).first().waitFor();
  await look(page, "order");
  await press(page, "Refund");
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Some tickets").check();
  await dialog.getByLabel("Standing").fill("1");
  await dialog.getByLabel("Reason").fill("One of you is ill.");
  await dialog.getByText("€45.00 goes back").waitFor();
  await look(page, "refund");
  await decide(page, "Send €45.00 back");
  await page.getByText("Sent back").first().waitFor();
  await mailWith(box, "One of you is ill.");
  await page.getByText("Partly refunded").first().waitFor();
  await look(page, "order-refunded");
  sound(ada);
});

step("insights show what was sold, and who looked", async () => {
  const { page } = ada;
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Insights" }).click();
  await heading(page, "Insights");
  await page.getByRole("cell", { name: "€90.00" }).first().waitFor();
  await page.getByRole("img", { name: /^Tickets sold, concert by concert.*Moonlight Sessions: 2/ }).waitFor();
  await look(page, "insights");
  await page.getByRole("link", { name: TITLE }).click();
  await heading(page, TITLE);
  await page.waitForFunction(() => document.querySelector(".figures dd")?.textContent === "2");
  await page
    .getByRole("img", { name: /^Revenue and refunds in EUR\. Revenue: €90\.00, Refunds: €45\.00/ })
    .waitFor();
  const funnel = page.getByRole("list", { name: "From a look to paid tickets" });
  await funnel.getByText("Looked at it").waitFor();
  await look(page, "concert-insights");
  const tables = page.getByText("As a table");
  for (const each of await tables.all()) await each.click();
  await page
    .getByRole("table", { name: "Tickets sold" })
    .getByRole("cell", { name: "2", exact: true })
    .waitFor();
  await look(page, "concert-insights-tables");
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download CSV" }).click();
  const text = readFileSync(await (await download).path(), "utf8");
  assert.match(text, /Standing,,,,,2,1,90\.00,45\.00,45\.00,EUR/);
  await page.goto(`${new URL(page.url()).pathname}?period=own&to=2020-01-01`);
  await page.getByText("Nothing happened in this period.").waitFor();
  await look(page, "concert-insights-empty");
  sound(ada);
});

step("a second factor is set up, and asked for", async () => {
  const { page, context } = ada;
  await press(page, ADA.email);
  await page.getByRole("menuitem", { name: "Your account" }).click();
  await heading(page, "Your account");
  await page.getByRole("button", { name: "Set it up" }).waitFor();
  await look(page, "account");
  await press(page, "Set it up");
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(/^Password/).fill(ADA.password);
  await dialog.getByRole("button", { name: "Go on" }).click();
  await dialog.getByRole("img", { name: /QR/ }).waitFor();
  await look(page, "second-factor");
  const secret = (await dialog.locator("code").textContent()).replace(/\s/g, "");
  await dialog.getByLabel(/^The code/).fill(code(secret));
  await dialog.getByRole("button", { name: "Switch it on" }).click();
  const recovery = await dialog.getByRole("listitem").first().textContent();
  await decide(page, "I have them");
  await press(page, ADA.email);
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await heading(page, "Sign in");
  assert.equal(
    (await context.cookies()).some(({ name }) => name === "session"),
    false,
  );
  await signIn(page, { ...ADA, password: "not this password" });
  await page.getByRole("alert").waitFor();
  await signIn(page, ADA);
  await page.getByLabel("Code").waitFor();
  await look(page, "login-code");
  await page.getByLabel("Code").fill(recovery);
  await press(page, "Sign in");
  await heading(page, "Your account");
  sound(ada);
});

step("who is invited makes an account, and has another password later", async () => {
  const { page } = ada;
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "People" }).click();
  await press(page, "Invite somebody");
  await page.getByRole("dialog").getByLabel("E-mail address").fill(BOB.email);
  await decide(page, "Send the invitation");
  await page.getByRole("cell", { name: BOB.email }).waitFor();
  await look(page, "people");
  sound(ada);

  const bob = await visitor(browser, box.http);
  const invitation = await mailWith(box, "/admin/invitation#");
  await bob.page.goto(invitation.match(/http\S+\/admin\/invitation#[\w-]+/)[0]);
  await heading(bob.page, "You are invited");
  await look(bob.page, "invitation");
  await bob.page.getByLabel("E-mail address").fill(BOB.email);
  await bob.page.getByLabel(/^Password/).fill(BOB.password);
  await press(bob.page, "Make the account");
  await heading(bob.page, "Programme");
  await look(bob.page, "programme-empty");
  assert.equal(await bob.page.getByRole("link", { name: "People" }).count(), 0, "that is for superadmins");

  await bob.page.goto("/admin/forgot-password");
  await bob.page.getByLabel("E-mail address").fill(BOB.email);
  await look(bob.page, "forgot-password");
  await press(bob.page, "Send the link");
  const reset = await mailWith(box, "/admin/password-reset#");
  await bob.page.goto(reset.match(/http\S+\/admin\/password-reset#[\w-]+/)[0]);
  await heading(bob.page, "Choose another password");
  await look(bob.page, "password-reset");
  const password = "quite another long password";
  await bob.page.getByLabel(/^New password/).fill(password);
  await press(bob.page, "Change the password");
  await bob.page.getByText("Your password is changed.").waitFor();
  await signIn(bob.page, { ...BOB, password });
  await heading(bob.page, "Programme");
  sound(bob);
  await bob.context.close();
});

step("the other pages", async () => {
  const { page } = ada;
  for (const name of ["Mails", "Record", "Health"]) {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name, exact: true }).click();
    await heading(page, name);
    await page.waitForLoadState("networkidle");
    await look(page, name.toLowerCase());
  }
  await page.getByText("Everything works.").waitFor();
  assert.equal(await page.getByRole("cell", { name: "Works", exact: true }).count(), 5);
  const cells = (name) => page.getByRole("cell", { name, exact: true });
  await cells("sends none").first().waitFor();
  assert.equal(await cells("sends none").count(), 3);
  assert.equal(await cells("not known").count(), 0);
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Words of mails" }).click();
  await page
    .getByRole("link", { name: /^Receipt/ })
    .first()
    .waitFor();
  await look(page, "templates");
  await page
    .getByRole("link", { name: /^Receipt/ })
    .first()
    .click();
  await page.locator(".mail-frame").first().waitFor();
  await look(page, "template");
  await page.goto("/admin/no/such/page");
  await heading(page, "There is no such page");
  await look(page, "no-such-page");
  sound(ada);
});

step("by keyboard, and on a phone", async () => {
  const { page } = ada;
  await page.goto("/admin");
  await heading(page, "Programme");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "main", "past the links");
  await page.setViewportSize(PHONE);
  await press(page, "Menu");
  await look(page, "menu");
  await page.setViewportSize(PHONE);
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Orders" }).click();
  await heading(page, "Orders");
  assert.equal(
    await page.getByRole("navigation", { name: "Pages" }).isVisible(),
    false,
    "it closes behind who goes",
  );
  await page.setViewportSize(DESKTOP);
  sound(ada);
});

step("a lost connection is said, and the way on", async () => {
  const { page, context } = ada;
  await page.goto("/admin/orders");
  await heading(page, "Orders");
  await context.setOffline(true);
  await page.getByLabel("Search").fill("offline");
  await page.getByText("The box office cannot be reached").waitFor();
  await look(page, "offline");
  await context.setOffline(false);
  await press(page, "Try again");
  await page.getByText("No order fits.").waitFor();
  sound(ada);
});

step("a concert is cancelled, and the money goes back", async () => {
  const { page } = ada;
  await page.goto("/admin");
  await page.getByRole("link", { name: new RegExp(TITLE) }).click();
  await heading(page, TITLE);
  await press(page, "More");
  await page.getByRole("menuitem", { name: "Cancel the concert" }).click();
  const dialog = page.getByRole("dialog");
  const cancel = dialog.getByRole("button", { name: "Cancel the concert", exact: true });
  assert.equal(await cancel.isDisabled(), true, "before the title is typed");
  await dialog.getByLabel("Reason").fill("The hall is flooded.");
  await dialog.getByLabel(/^Type/).fill(TITLE);
  await look(page, "cancel");
  await decide(page, "Cancel the concert");
  await page.getByText("Every order is done.").waitFor();
  await look(page, "cancelled");
  await mailWith(box, "The hall is flooded.");
  sound(ada);
});

test("every page was accessible, and as wide as its window", () => {
  assert.deepEqual(found, []);
});
