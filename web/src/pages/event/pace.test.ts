import { expect, test } from "vitest";
import { minutesLeft, pace, type Sample, span, WINDOW_MS, withSample } from "./pace";

test("the pace is that of the last minutes", () => {
  let samples: Sample[] = [];
  expect(pace(samples)).toBeNull();
  samples = withSample(samples, { at: 0, sold: 100 });
  expect(pace(samples)).toBeNull();
  samples = withSample(samples, { at: 60_000, sold: 130 });
  expect(pace(samples)).toBe(30);
  samples = withSample(samples, { at: 60_000 + WINDOW_MS, sold: 130 });
  expect(samples).toHaveLength(2);
  expect(pace(samples)).toBe(0);
});

test("what was given back is no sale", () => {
  expect(
    pace([
      { at: 0, sold: 10 },
      { at: 60_000, sold: 8 },
    ]),
  ).toBe(0);
});

test("when it is sold out", () => {
  expect(minutesLeft(90, 30)).toBe(3);
  expect(minutesLeft(91, 30)).toBe(4);
  expect(minutesLeft(0, 30)).toBe(0);
  expect(minutesLeft(90, 0)).toBeNull();
  expect(minutesLeft(null, 30)).toBeNull();
});

test("a span is said in the unit that fits", () => {
  expect(span(31)).toMatch(/^31 min/);
  expect(span(150)).toMatch(/^3 hr?/);
  expect(span(14_238)).toBe("10 days");
});
