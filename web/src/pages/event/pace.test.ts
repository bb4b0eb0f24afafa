import { expect, test } from "vitest";
import { minutesLeft, pace, type Sample, WINDOW_MS, withSample } from "./pace";

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
