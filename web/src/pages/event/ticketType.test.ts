import { expect, test } from "vitest";
import { bodyOf, faultsOf, valuesOf } from "./ticketType";

const given = { zone: "Europe/Berlin", currency: "EUR" };

test("a new ticket type", () => {
  const values = { ...valuesOf(undefined, given.zone), category: "Standing", price: "45,50", tax: "19" };
  expect(faultsOf(values, given)).toEqual({});
  expect(bodyOf({ ...values, sales_start: "2027-05-01T10:00", total_stock: "" }, given)).toEqual({
    category: "Standing",
    price: { amount_minor: 4550, currency: "EUR" },
    tax_rate_ppm: 190_000,
    total_stock: null,
    blocked: 0,
    min_per_order: 1,
    max_per_order: 10,
    max_per_guest: null,
    sales_start: "2027-05-01T08:00:00.000Z",
    sales_end: null,
    pool_ids: [],
  });
});

test("slips are told at their fields", () => {
  const values = { ...valuesOf(undefined, given.zone), price: "x", tax: "a lot" };
  const window = { sales_start: "2027-05-02T10:00", sales_end: "2027-05-01T10:00" };
  expect(Object.keys(faultsOf({ ...values, ...window }, given)).sort()).toEqual([
    "price",
    "sales_end",
    "tax",
  ]);
  expect(
    faultsOf({ ...values, price: "1", tax: "0", sales_start: "2027-03-28T02:30" }, given),
  ).toHaveProperty("sales_start");
});
