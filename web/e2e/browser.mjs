// A real Chromium, and what is looked at on every page: that it is accessible, and that nothing in it
// failed or was forbidden.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const PHONE = { width: 390, height: 844 };
export const DESKTOP = { width: 1440, height: 900 };

/** Where pictures of every page go; none are taken where it is not set. */
const SHOTS = process.env.SHOTS;

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome"].map((name) => `/usr/bin/${name}`);

/** `CHROMIUM` names the program where it is elsewhere. */
export function launch() {
  const executablePath = process.env.CHROMIUM ?? PROGRAMS.find(existsSync);
  if (!executablePath) throw new Error("there is no Chromium: install it, or name it in CHROMIUM");
  // As root there is no sandbox to be had.
  const args = ["--lang=en-GB", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])];
  return chromium.launch({ executablePath, args });
}

/** A visitor with cookies of their own. What goes wrong in the page is kept in `faults`. */
export async function visitor(browser, base, options = {}) {
  const context = await browser.newContext({
    baseURL: base,
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    viewport: DESKTOP,
    ...options,
  });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    // A refusal is an answer like others; the pages say what it means.
    if (message.type() === "error" && !message.text().includes("Failed to load resource"))
      faults.push(message.text());
  });
  return { context, page, faults };
}

/** A picture, where pictures are wanted. */
export async function shoot(page, name) {
  if (!SHOTS) return;
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
}

/** What `look` found anywhere. */
export const found = [];

/** What a mail has to keep: it is a part of its reader's page, and has none of a page's landmarks. */
export const MAIL = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const PAGE = [...MAIL, "best-practice"];

/** Notes what axe finds, in light and in dark, on a phone and on a desk; takes pictures. */
export async function look(page, name, rules = PAGE) {
  const before = page.viewportSize();
  for (const [width, size] of [
    ["1440", DESKTOP],
    ["390", PHONE],
  ]) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.evaluate(
        () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
      );
      await shoot(page, `${name}-${width}-${colorScheme}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (wide > 0) found.push(`${name} ${width}: ${wide} pixels too wide`);
      for (const { id, help, nodes } of await violations(page, rules)) {
        found.push(
          `${name} ${width} ${colorScheme}: ${id}, ${help}: ${nodes.map(({ html }) => html).join(" | ")}`,
        );
      }
    }
  }
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
}

async function violations(page, rules) {
  // The policy of the pages lets no script in by an element; the debugger's is none.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate((runOnly) => window.axe.run(document, { runOnly }), rules);
  return violations;
}
