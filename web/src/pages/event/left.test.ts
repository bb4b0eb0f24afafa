import { expect, test } from "vitest";
import { left } from "./left";

const type = (remaining: number | null, ...pool_ids: string[]) => ({ remaining, pool_ids });
const hall = { id: "hall", remaining: 150 };

test("types of their own add up", () => {
  expect(left([type(98), type(20)], [])).toBe(118);
  expect(left([type(98), type(null)], [])).toBeNull();
  expect(left([], [])).toBe(0);
});

test("types that share a hall have no more than it has", () => {
  expect(left([type(100, "hall"), type(100, "hall"), type(5)], [hall])).toBe(155);
  expect(left([type(100, "hall"), type(20, "hall")], [hall])).toBe(120);
  expect(left([type(null, "hall"), type(20, "hall")], [hall])).toBe(150);
  expect(left([type(null, "hall")], [{ id: "hall", remaining: null }])).toBeNull();
});
