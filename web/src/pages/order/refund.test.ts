import { expect, test } from "vitest";
import type { Schema } from "../../api/client";
import { bodyOf, preview, refundable } from "./refund";

const eur = (amount_minor: number) => ({ amount_minor, currency: "EUR" });

/** Two for 45.00 and one for 80.00, all paid; 45.00 went back, and another refund was withdrawn. */
const story = {
  order: {
    total_amount: eur(17_000),
    lines: [
      { ticket_type_id: "standing", quantity: 2, refunded_quantity: 1, unit_price: eur(4_500) },
      { ticket_type_id: "seated", quantity: 1, refunded_quantity: 0, unit_price: eur(8_000) },
    ],
  },
  attempts: [{ captured: null }, { captured: eur(17_000) }],
  refunds: [
    { amount: eur(4_500), withdrawn: false },
    { amount: eur(8_000), withdrawn: true },
  ],
} as unknown as Schema["OrderStory"];

test("what is left is what came less what went", () => {
  expect(refundable(story)).toBe(12_500);
  expect(preview(story, { kind: "all" })).toEqual(eur(12_500));
});

test("tickets cost what they cost", () => {
  const wish = { kind: "tickets", quantities: { seated: 1, standing: 1 } } as const;
  expect(preview(story, wish)).toEqual(eur(12_500));
  expect(bodyOf({ ...wish, quantities: { seated: 1, standing: 0 } }, "ill", "EUR")).toEqual({
    lines: [{ ticket_type_id: "seated", quantity: 1 }],
    reason: "ill",
  });
});

test("nothing and too much are no refunds", () => {
  expect(preview(story, { kind: "tickets", quantities: {} })).toBeNull();
  expect(preview(story, { kind: "amount", amount_minor: null })).toBeNull();
  expect(preview(story, { kind: "amount", amount_minor: 12_501 })).toBeNull();
  expect(preview(story, { kind: "amount", amount_minor: 12_500 })).toEqual(eur(12_500));
});
