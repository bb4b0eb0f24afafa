// What only a browser can show of the edge: what its cookies are, that its policy forbids nothing of ours,
// and that pages of others get nothing done.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { eventually, open } from "./boxoffice.mjs";
import { launch, PHONE, visitor } from "./browser.mjs";

const ADA = { email: "ada@example.org", password: "a long enough password" };

let box;
let browser;
let stranger;

before(async () => {
  [box, browser] = await Promise.all([open(), launch()]);
  stranger = await elsewhere();
});

after(async () => {
  await browser?.close();
  stranger?.close();
  await box?.close();
});

/** A server whose pages are another site's: browsers tell sites apart by their names. */
function elsewhere() {
  const server = createServer((_, answer) => {
    answer.setHeader("content-type", "text/html");
    answer.end("<!doctype html><title>Elsewhere</title>");
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** What stands before a box office in the open: it speaks TLS and passes on what it hears to `port`. */
function front(port) {
  const folder = mkdtempSync(join(tmpdir(), "boxoffice-tls-"));
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => join(folder, name));
  const request =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost";
  execFileSync("openssl", [...request.split(" "), "-keyout", key, "-out", cert], { stdio: "ignore" });
  const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
    const inner = connect(port, "127.0.0.1");
    // Either side may leave at any time; then the other one is let go, too.
    for (const [one, other] of [
      [socket, inner],
      [inner, socket],
    ]) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
      one.pipe(other);
    }
  });
  rmSync(folder, { recursive: true });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** A port that nobody has at this moment. */
function freePort() {
  const server = createServer();
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    }),
  );
}

const address = () => `http://localhost:${stranger.address().port}/`;

const flags = (cookies, name) => {
  const cookie = cookies.find((one) => name.test(one.name));
  assert.ok(cookie, `${name} in ${cookies.map((one) => one.name)}`);
  const { httpOnly, sameSite, path, secure } = cookie;
  return { httpOnly, sameSite, path, secure };
};

const first = (page) =>
  eventually("the programme", async () => {
    await page.goto("/");
    const found = page.locator("main a[href^='/events/']").first();
    return (await found.count()) > 0 && found;
  });

test("a guest buys on a phone, and no page was refused anything", async () => {
  const guest = await visitor(browser, box.http, { viewport: PHONE });
  const { page } = guest;
  await (await first(page)).click();
  await page.locator("select").first().selectOption("2");
  await page.getByRole("button", { name: "Take these tickets" }).click();
  await page.getByLabel("E-mail").fill("grace@example.org");
  await page.getByLabel("Phone").fill("+49301234567");
  const held = flags(await guest.context.cookies(), /^hold_/);
  assert.deepEqual(held, { httpOnly: true, sameSite: "Lax", path: "/", secure: false });
  assert.equal(await page.evaluate(() => document.cookie), "", "no script can read it");
  await page.getByRole("button", { name: /^Buy for/ }).click();
  await page.getByLabel("Card number").fill("4242424242424242");
  await page.getByLabel("Expires (MM/YY)").fill("12/40");
  await page.getByLabel("Security code").fill("123");
  await page.getByRole("button", { name: /^Pay/ }).click();
  await page
    .getByRole("img", { name: /^QR code of ticket/ })
    .first()
    .waitFor();
  assert.deepEqual(guest.faults, []);
  await guest.context.close();
});

async function setUp(page, box) {
  await page.goto(`/admin/setup#${box.setup_token}`);
  await page.getByLabel("E-mail address").fill(ADA.email);
  await page.getByLabel(/^Password/).fill(ADA.password);
  await page.getByRole("button", { name: "Open the box office" }).click();
  await page.getByRole("heading", { name: "Programme" }).first().waitFor();
}

test("an admin's cookies are for no script and no other site", async () => {
  const ada = await visitor(browser, box.http);
  const { page } = ada;
  await setUp(page, box);
  const cookies = await ada.context.cookies();
  for (const name of [/^access$/, /^session$/]) {
    const strict = { httpOnly: true, sameSite: "Strict", path: "/", secure: false };
    assert.deepEqual(flags(cookies, name), strict);
  }
  assert.equal(await page.evaluate(() => document.cookie), "");

  // A page of another site, in the same browser: it may send, and nothing happens.
  const other = await ada.context.newPage();
  await other.goto(address());
  const answers = await other.evaluate(async (http) => {
    const read = await fetch(`${http}/api/v1/admin/events`, { credentials: "include" }).then(
      (answer) => answer.status,
      () => "refused",
    );
    const body = JSON.stringify({ title: "Not yours" });
    const write = await fetch(`${http}/api/v1/admin/events`, {
      method: "POST",
      mode: "no-cors",
      credentials: "include",
      body,
    }).then(
      (answer) => answer.type,
      () => "refused",
    );
    return { read, write };
  }, box.http);
  assert.equal(answers.read, "refused");
  assert.equal(answers.write, "refused");
  // A form takes the browser along, with the cookies that may go.
  await Promise.all([
    other.waitForNavigation(),
    other.evaluate((http) => {
      const form = document.createElement("form");
      form.method = "post";
      form.action = `${http}/find`;
      document.body.append(form);
      form.submit();
    }, box.http),
  ]);
  assert.match(await other.locator("body").textContent(), /This form came from elsewhere/);
  const titles = await page.evaluate(async () => {
    const answer = await fetch("/api/v1/admin/events");
    return (await answer.json()).events.map((event) => event.title);
  });
  assert.ok(!titles.includes("Not yours"));
  await ada.context.close();
});

test("behind TLS the browser keeps all cookies to this host and to TLS", async () => {
  let secure;
  const port = await freePort();
  const tls = await front(port);
  const publicUrl = `https://localhost:${tls.address().port}`;
  try {
    secure = await open({ PUBLIC_URL: publicUrl, HTTP_ADDR: `127.0.0.1:${port}` });
    // Nobody has signed its certificate.
    const someone = await visitor(browser, publicUrl, { ignoreHTTPSErrors: true });
    const { page } = someone;
    await (await first(page)).click();
    await page.locator("select").first().selectOption("1");
    await page.getByRole("button", { name: "Take these tickets" }).click();
    await page.getByLabel("E-mail").waitFor();
    await setUp(page, secure);
    const cookies = await someone.context.cookies();
    for (const [name, sameSite] of [
      [/^__Host-hold_/, "Lax"],
      [/^__Host-access$/, "Strict"],
      [/^__Host-session$/, "Strict"],
    ]) {
      const bound = { httpOnly: true, sameSite, path: "/", secure: true };
      assert.deepEqual(flags(cookies, name), bound);
    }
    // A name that begins so is taken by browsers only from this very host; no domain was named.
    for (const { name, domain } of cookies) {
      assert.match(name, /^__Host-/);
      assert.equal(domain, "localhost");
    }
    assert.equal(await page.evaluate(() => document.cookie), "");
    const { headers } = await page.request.get("/").then((answer) => ({ headers: answer.headers() }));
    assert.match(headers["strict-transport-security"], /^max-age=\d{8}/);
    assert.deepEqual(someone.faults, []);
    await someone.context.close();
  } finally {
    await secure?.close();
    tls.close();
  }
});
