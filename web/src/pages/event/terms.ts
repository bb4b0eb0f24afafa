import type { Schema } from "../../api/client";
import { moneyText, parseMoney, parsePercent, percentText } from "../../words/money";

/** The terms of a concert as their form has them. */
export type TermValues = {
  name: string;
  address: string;
  tax_id: string;
  contact: string;
  fee_mode: Schema["FeeMode"];
  fee_fixed: string;
  fee_rate: string;
  payment_providers: string[];
  manual_payment_days: number | "";
  may_cancel: boolean;
  until_hours: number | "";
  cancel_fee: string;
};

export function valuesOf(event: Schema["AdminEvent"]): TermValues {
  const { seller, fee, cancellation, currency } = event;
  return {
    name: seller?.name ?? "",
    address: seller?.address ?? "",
    tax_id: seller?.tax_id ?? "",
    contact: seller?.contact ?? "",
    fee_mode: fee?.mode ?? "absorbed",
    fee_fixed: moneyText({ amount_minor: fee?.fixed_minor ?? 0, currency }),
    fee_rate: percentText(fee?.rate_ppm ?? 0),
    payment_providers: event.payment_providers,
    manual_payment_days: event.manual_payment_days,
    may_cancel: cancellation?.allowed ?? false,
    until_hours: cancellation?.until_hours ?? 48,
    cancel_fee: percentText(cancellation?.fee_ppm ?? 0),
  };
}

export function faultsOf(values: TermValues, currency: string): Record<string, string> {
  const faults: Record<string, string> = {};
  if (parseMoney(values.fee_fixed, currency) === null) faults.fee_fixed = "An amount such as 1 or 1.50";
  if (parsePercent(values.fee_rate) === null) faults.fee_rate = "A percentage such as 2.5";
  if (parsePercent(values.cancel_fee) === null) faults.cancel_fee = "A percentage such as 10";
  return faults;
}

/** What the gateway is told. An empty seller is that of the box office. */
export function bodyOf(values: TermValues, currency: string) {
  const { name, address, tax_id, contact } = values;
  const hasSeller = [name, address, tax_id, contact].some(Boolean);
  return {
    seller: hasSeller ? { name, address, tax_id, contact } : {},
    fee: {
      mode: values.fee_mode,
      fixed_minor: parseMoney(values.fee_fixed, currency) ?? 0,
      rate_ppm: parsePercent(values.fee_rate) ?? 0,
    },
    payment_providers: values.payment_providers,
    manual_payment_days: values.manual_payment_days || 0,
    cancellation: values.may_cancel
      ? { allowed: true, until_hours: values.until_hours || 0, fee_ppm: parsePercent(values.cancel_fee) ?? 0 }
      : { allowed: false },
  };
}
