import { expect, test } from "vitest";
import { type Piece, query, slots } from "./pieces";

const piece = (start: string) => ({ start }) as Piece;
const starts = (bucket: "hour" | "day" | "week" | "month", zone: string, ...of: string[]) =>
  slots(of.map(piece), bucket, zone).map(({ start }) => new Date(start).toISOString());

test("days go on by the clock of the place", () => {
  // Summer time ends on 25 October 2026 in Berlin.
  expect(starts("day", "Europe/Berlin", "2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z")).toEqual([
    "2026-10-23T22:00:00.000Z",
    "2026-10-24T22:00:00.000Z",
    "2026-10-25T23:00:00.000Z",
    "2026-10-26T23:00:00.000Z",
  ]);
  expect(starts("hour", "Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T22:00:00Z")).toHaveLength(25);
  expect(starts("month", "UTC", "2026-11-01T00:00:00Z", "2027-02-01T00:00:00Z")).toHaveLength(4);
  expect(starts("week", "UTC", "2026-11-02T00:00:00Z", "2026-11-30T00:00:00Z")).toHaveLength(5);
});

test("what happened keeps its place among what did not", () => {
  const pieces = ["2026-06-01T00:00:00Z", "2026-06-04T00:00:00Z"].map(piece);
  expect(slots(pieces, "day", "UTC").map(({ piece }) => piece !== null)).toEqual([true, false, false, true]);
  expect(slots([], "day", "UTC")).toEqual([]);
});

test("a choice becomes days", () => {
  const wish = { period: "", from: "", to: "", bucket: "" };
  expect(query(wish, "2027-03-01")).toEqual({ from: "2027-01-31", bucket: "day" });
  expect(query({ ...wish, period: "1" }, "2027-03-01")).toEqual({ from: "2027-02-28", bucket: "hour" });
  expect(query({ ...wish, period: "all", bucket: "month" }, "2027-03-01")).toEqual({ bucket: "month" });
  expect(query({ ...wish, period: "own", to: "2027-01-02" }, "2027-03-01")).toEqual({
    to: "2027-01-02",
    bucket: "day",
  });
});
