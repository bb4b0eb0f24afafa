import type { Schema } from "../../api/client";
import { moneyText, parseMoney, parsePercent, percentText } from "../../words/money";
import { fromLocal, toLocal } from "../../words/time";

type Type = Schema["AdminTicketType"];

/** A ticket type as its form has it. */
export type TypeValues = {
  category: string;
  price: string;
  tax: string;
  /** Empty: no limit. */
  total_stock: number | "";
  blocked: number | "";
  min_per_order: number | "";
  max_per_order: number | "";
  max_per_guest: number | "";
  sales_start: string;
  sales_end: string;
  pool_ids: string[];
};

export function valuesOf(type: Type | undefined, zone: string): TypeValues {
  return {
    category: type?.category ?? "",
    price: type ? moneyText(type.price) : "",
    tax: percentText(type?.tax_rate_ppm ?? 0),
    total_stock: type ? (type.total_stock ?? "") : 100,
    blocked: type?.blocked ?? 0,
    min_per_order: type?.min_per_order ?? 1,
    max_per_order: type?.max_per_order ?? 10,
    max_per_guest: type?.max_per_guest ?? "",
    sales_start: type?.sales_start ? toLocal(type.sales_start, zone) : "",
    sales_end: type?.sales_end ? toLocal(type.sales_end, zone) : "",
    pool_ids: type?.pool_ids ?? [],
  };
}

type Given = { zone: string; currency: string };

/** What can be said before the gateway is asked. */
export function faultsOf(values: TypeValues, { zone, currency }: Given): Record<string, string> {
  const faults: Record<string, string> = {};
  if (parseMoney(values.price, currency) === null) faults.price = "An amount such as 45 or 45.50";
  if (parsePercent(values.tax) === null) faults.tax = "A percentage such as 7 or 19";
  for (const field of ["sales_start", "sales_end"] as const) {
    if (values[field] && !fromLocal(values[field], zone))
      faults[field] = "Clocks do not show this time on that day.";
  }
  const { sales_start, sales_end } = values;
  if (sales_start && sales_end && sales_start >= sales_end)
    faults.sales_end = "The end has to be after the beginning.";
  return faults;
}

/** What the gateway is told. */
export function bodyOf(values: TypeValues, { zone, currency }: Given) {
  const number = (value: number | "") => (value === "" ? null : value);
  const time = (local: string) => (local ? fromLocal(local, zone) : null);
  return {
    category: values.category,
    price: { amount_minor: parseMoney(values.price, currency) ?? 0, currency },
    tax_rate_ppm: parsePercent(values.tax) ?? 0,
    total_stock: number(values.total_stock),
    blocked: values.blocked || 0,
    min_per_order: values.min_per_order || 1,
    max_per_order: values.max_per_order || 10,
    max_per_guest: number(values.max_per_guest),
    sales_start: time(values.sales_start),
    sales_end: time(values.sales_end),
    pool_ids: values.pool_ids,
  };
}
