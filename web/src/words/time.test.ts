import { expect, test } from "vitest";
import { ago, fromLocal, lasting, toLocal } from "./time";

test("a time in a zone is one instant", () => {
  const cases = [
    ["2027-06-12T20:00", "Europe/Berlin", "2027-06-12T18:00:00.000Z"],
    ["2027-01-12T20:00", "Europe/Berlin", "2027-01-12T19:00:00.000Z"],
    ["2027-01-12T20:00", "America/New_York", "2027-01-13T01:00:00.000Z"],
    ["2027-01-12T00:30", "Asia/Kolkata", "2027-01-11T19:00:00.000Z"],
    ["2027-01-12T00:30", "Pacific/Kiritimati", "2027-01-11T10:30:00.000Z"],
    ["2027-07-01T00:00", "UTC", "2027-07-01T00:00:00.000Z"],
  ] as const;
  for (const [local, zone, instant] of cases) {
    expect(fromLocal(local, zone)).toBe(instant);
    expect(toLocal(instant, zone)).toBe(local);
  }
});

test("where clocks jump", () => {
  // Summer begins: 02:00 to 03:00 does not exist.
  expect(fromLocal("2027-03-28T02:30", "Europe/Berlin")).toBeNull();
  expect(fromLocal("2027-03-28T03:00", "Europe/Berlin")).toBe("2027-03-28T01:00:00.000Z");
  // It ends: 02:30 comes twice, the first is meant.
  expect(fromLocal("2027-10-31T02:30", "Europe/Berlin")).toBe("2027-10-31T00:30:00.000Z");
  expect(fromLocal("nonsense", "Europe/Berlin")).toBeNull();
});

test("how long ago", () => {
  const now = Date.parse("2027-06-12T18:00:00Z");
  expect(ago("2027-06-12T17:55:00Z", now)).toBe("5 minutes ago");
  expect(ago("2027-06-12T18:00:10Z", now)).toBe("this minute");
  expect(ago("2027-06-09T17:00:00Z", now)).toBe("3 days ago");
});

test("how long", () => {
  const cases = [
    [0, "0 seconds"],
    [59, "59 seconds"],
    [60, "1 minute"],
    [7_199, "1 hour"],
    [90_000, "1 day"],
  ] as const;
  for (const [seconds, words] of cases) expect(lasting(seconds)).toBe(words);
});
