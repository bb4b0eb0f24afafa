export type Money = { amount_minor: number; currency: string };

/** Digits behind the point: 2 for EUR, 0 for JPY. */
export function digitsOf(currency: string): number {
  const options = new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions();
  return options.maximumFractionDigits ?? 2;
}

/** For people: `45,00 €`. */
export function money({ amount_minor, currency }: Money): string {
  const amount = amount_minor / 10 ** digitsOf(currency);
  return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(amount);
}

/** For a field: `45.00`. */
export function moneyText({ amount_minor, currency }: Money): string {
  const digits = digitsOf(currency);
  return (amount_minor / 10 ** digits).toFixed(digits);
}

/**
 * What a person typed, in the smallest unit; null where it is no amount. Point and comma both are
 * understood: the last one is the decimal mark if no more digits follow than the currency has.
 */
export function parseMoney(text: string, currency: string): number | null {
  const digits = digitsOf(currency);
  const compact = text.replace(/[\s\u00a0'’]/g, "");
  if (!/^\d[\d.,]*$/.test(compact)) return null;
  const mark = Math.max(compact.lastIndexOf("."), compact.lastIndexOf(","));
  const behind = mark < 0 ? "" : compact.slice(mark + 1);
  const isDecimal = mark >= 0 && behind.length <= digits && behind.length > 0;
  const whole = (isDecimal ? compact.slice(0, mark) : compact).replace(/[.,]/g, "");
  // `1.234.5` or `12,3456` are slips, not amounts.
  if (!isDecimal && mark >= 0 && !/^\d{1,3}([.,]\d{3})+$/.test(compact)) return null;
  const amount = Number(whole) * 10 ** digits + (isDecimal ? Number(behind.padEnd(digits, "0")) : 0);
  return Number.isSafeInteger(amount) ? amount : null;
}

/** Parts per million as a percentage: `2.5`. */
export function percentText(ppm: number): string {
  return String(ppm / 10_000);
}

/** A percentage that a person typed, in parts per million. */
export function parsePercent(text: string): number | null {
  const compact = text.trim().replace(",", ".").replace(/%$/, "").trim();
  if (!/^\d{1,3}(\.\d{1,4})?$/.test(compact)) return null;
  return Math.round(Number(compact) * 10_000);
}
