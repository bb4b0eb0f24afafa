import { expect, test } from "vitest";
import { moneyText, parseMoney, parsePercent, percentText } from "./money";

test("an amount is read with either mark", () => {
  const cases: [string, string, number | null][] = [
    ["45", "EUR", 4500],
    ["45.5", "EUR", 4550],
    ["45,50", "EUR", 4550],
    ["1.234,50", "EUR", 123450],
    ["1,234.50", "EUR", 123450],
    ["1.234", "EUR", 123400],
    ["1 234,5", "EUR", 123450],
    ["0", "EUR", 0],
    ["450", "JPY", 450],
    ["1,200", "JPY", 1200],
    ["45.123", "KWD", 45123],
    ["", "EUR", null],
    ["-1", "EUR", null],
    ["12,3456", "EUR", null],
    ["45.", "EUR", null],
    ["abc", "EUR", null],
    ["99999999999999999", "EUR", null],
  ];
  for (const [text, currency, amount] of cases) {
    expect([text, parseMoney(text, currency)]).toEqual([text, amount]);
  }
});

test("a field shows what it would read", () => {
  for (const [amount_minor, currency] of [
    [4500, "EUR"],
    [1, "EUR"],
    [450, "JPY"],
    [45123, "KWD"],
  ] as const) {
    expect(parseMoney(moneyText({ amount_minor, currency }), currency)).toBe(amount_minor);
  }
});

test("percentages", () => {
  expect(parsePercent("2,5 %")).toBe(25_000);
  expect(parsePercent("19")).toBe(190_000);
  expect(parsePercent("x")).toBeNull();
  expect(parsePercent(percentText(77_000))).toBe(77_000);
});
