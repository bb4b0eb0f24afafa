// Mails of every kind and language, as the samples of their templates make them: long words, words without a space,
// names in other scripts.

import { call } from "./guest.mjs";

const TEMPLATES = "/api/v1/admin/templates";
/** A narrow phone. */
export const NARROW = { width: 360, height: 780 };

/** One for each way of writing, as the words around are the same; the first are of nothing special. */
function unlike(samples) {
  const writings = new Set(["plain"]);
  return samples.filter((sample) => {
    const [writing] = sample.split(", ");
    return !writings.has(writing) && writings.add(writing);
  });
}

/** Each with its kind and language, the name of its sample, and its HTML. `secret` is a superadmin's. */
export async function* samples(base, secret) {
  const { templates } = await call(base, "GET", TEMPLATES, { secret });
  for (const { kind, language } of templates) {
    const path = `${TEMPLATES}/${kind}/${language}`;
    const template = await call(base, "GET", path, { secret });
    // One after the other: each is a trial of the template, and those are few at a time.
    for (const sample of unlike(template.samples)) {
      const { html } = await call(base, "POST", `${path}/preview`, { body: { sample }, secret });
      yield { kind, language, sample, html };
    }
  }
}

/** What of this page stands out of its window, or out of the box that it is in. */
export const spilt = (page) =>
  page.evaluate(() => {
    const { clientWidth, scrollWidth } = document.documentElement;
    const out = (element) => {
      const { left, right, width } = element.getBoundingClientRect();
      const isInline = getComputedStyle(element).display === "inline";
      const spills = !isInline && element.scrollWidth > element.clientWidth + 1;
      return width > 0 && (left < -0.5 || right > clientWidth + 0.5 || spills);
    };
    const words = ({ tagName, textContent }) => `${tagName}: ${textContent.trim().slice(0, 60)}`;
    const elements = [...document.body.querySelectorAll("*")].filter(out).map(words);
    return scrollWidth > clientWidth ? [`${scrollWidth} pixels wide`, ...elements] : elements;
  });
