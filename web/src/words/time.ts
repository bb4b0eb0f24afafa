/** A wall clock's time in a zone, as `<input type="datetime-local">` has it: `2027-06-12T20:00`. */
export type LocalTime = string;

const MINUTE_MS = 60_000;

function wallClock(instant: number, zone: string): LocalTime {
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  });
  const parts = Object.fromEntries(format.formatToParts(instant).map((part) => [part.type, part.value]));
  return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}`;
}

/** The time of an instant on the clocks of a zone. */
export function toLocal(iso: string, zone: string): LocalTime {
  return wallClock(Date.parse(iso), zone);
}

/**
 * The instant at which clocks of a zone show a time; the first one where they show it twice. Null where
 * it is no time, or where they skip it because summer begins.
 */
export function fromLocal(local: LocalTime, zone: string): string | null {
  const asUtc = Date.parse(`${local}Z`);
  if (Number.isNaN(asUtc)) return null;
  const wanted = local.slice(0, 16);
  const offsets = [-24, 24].map((hours) => {
    const near = asUtc + hours * 60 * MINUTE_MS;
    return Date.parse(`${wallClock(near, zone)}Z`) - near;
  });
  // The greater offset is the earlier instant.
  const instants = offsets.sort((a, b) => b - a).map((offset) => asUtc - offset);
  const found = instants.find((instant) => wallClock(instant, zone) === wanted);
  return found === undefined ? null : new Date(found).toISOString();
}

/** Date and time of a concert, in its own zone. */
export function eventTime(iso: string, zone: string): string {
  return new Intl.DateTimeFormat(undefined, {
    dateStyle: "medium",
    timeStyle: "short",
    timeZone: zone,
  }).format(new Date(iso));
}

/** Date and time on the clock of who looks. */
export function moment(iso: string): string {
  return new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(
    new Date(iso),
  );
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 24 * 60],
  ["hour", 60],
  ["minute", 1],
];

/** `5 minutes ago`, `in 3 days`. */
export function ago(iso: string, now = Date.now()): string {
  const minutes = Math.round((Date.parse(iso) - now) / MINUTE_MS);
  const words = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  const [unit, length] = UNITS.find(([, length]) => Math.abs(minutes) >= length) ?? (["minute", 1] as const);
  return words.format(Math.trunc(minutes / length), unit);
}

/** How long something lasts, in its greatest unit: `40 seconds`, `3 hours`. */
export function lasting(seconds: number): string {
  const [unit, length] = UNITS.find(([, length]) => seconds >= length * 60) ?? (["second", 1 / 60] as const);
  const words = new Intl.NumberFormat(undefined, { style: "unit", unit, unitDisplay: "long" });
  return words.format(Math.trunc(seconds / (length * 60)));
}

/** Every zone that the browser knows; the one of who looks is among them. */
export function zones(): string[] {
  return Intl.supportedValuesOf("timeZone");
}

export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}
