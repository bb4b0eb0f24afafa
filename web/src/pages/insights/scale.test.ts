import { expect, test } from "vitest";
import { shownLabels, ticks } from "./scale";

test("an axis ends at or above the greatest value, in few round steps", () => {
  for (const greatest of [1, 2, 3, 7, 10, 48, 99, 101, 12_345, 9_999_999]) {
    const values = ticks(greatest);
    expect(values[0]).toBe(0);
    expect(values.at(-1)).toBeGreaterThanOrEqual(greatest);
    expect(values.length).toBeLessThanOrEqual(6);
    expect(values.every(Number.isInteger)).toBe(true);
  }
  expect(ticks(0)).toEqual([0, 1]);
  expect(ticks(4)).toEqual([0, 1, 2, 3, 4]);
});

test("labels stand apart", () => {
  expect([...shownLabels(5, 10)]).toEqual([0, 1, 2, 3, 4]);
  expect([...shownLabels(10, 4)]).toEqual([0, 3, 6, 9]);
  expect([...shownLabels(0, 4)]).toEqual([]);
});
