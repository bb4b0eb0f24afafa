import type { Schema } from "../../api/client";
import { fromLocal, toLocal } from "../../words/time";

export type Bucket = "hour" | "day" | "week" | "month";
export type Piece = Schema["InsightsPiece"];
/** A piece of time in which something happened, or nothing. */
export type Slot = { start: string; label: string; piece: Piece | null };

/** More than this is no picture any more. */
const SLOTS_MAX = 800;
const HOUR_MS = 3_600_000;

/** Every piece of time from the first to the last, those without anything too. */
export function slots(pieces: Piece[], bucket: Bucket, zone: string): Slot[] {
  const [first, last] = [pieces[0], pieces.at(-1)];
  if (!first || !last) return [];
  const known = new Map(pieces.map((piece) => [Date.parse(piece.start), piece]));
  const all: Slot[] = [];
  let start: string | null = first.start;
  while (start && Date.parse(start) <= Date.parse(last.start)) {
    if (all.length >= SLOTS_MAX) return pieces.map((piece) => slot(piece.start, bucket, zone, piece));
    all.push(slot(start, bucket, zone, known.get(Date.parse(start)) ?? null));
    start = following(start, bucket, zone);
  }
  return all;
}

function slot(start: string, bucket: Bucket, zone: string, piece: Piece | null): Slot {
  return { start, label: label(start, bucket, zone), piece };
}

/** When the next piece begins, by the clock of the zone. */
function following(start: string, bucket: Bucket, zone: string): string | null {
  if (bucket === "hour") return new Date(Date.parse(start) + HOUR_MS).toISOString();
  const day = new Date(`${toLocal(start, zone).slice(0, 10)}T00:00Z`);
  if (bucket === "month") day.setUTCMonth(day.getUTCMonth() + 1, 1);
  else day.setUTCDate(day.getUTCDate() + (bucket === "week" ? 7 : 1));
  const midnight = day.toISOString().slice(0, 10);
  // Where summer begins at midnight, the day begins at one.
  return fromLocal(`${midnight}T00:00`, zone) ?? fromLocal(`${midnight}T01:00`, zone);
}

const FORMATS: Record<Bucket, Intl.DateTimeFormatOptions> = {
  hour: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  day: { day: "numeric", month: "short" },
  week: { day: "numeric", month: "short" },
  month: { month: "short", year: "numeric" },
};

/** For people. */
export function label(start: string, bucket: Bucket, zone: string): string {
  return new Intl.DateTimeFormat(undefined, { ...FORMATS[bucket], timeZone: zone }).format(new Date(start));
}

export type Wish = { period: string; from: string; to: string; bucket: string };

export const PERIODS = [
  { value: "1", label: "Today and yesterday", days: 2, bucket: "hour" },
  { value: "7", label: "7 days", days: 7, bucket: "day" },
  { value: "30", label: "30 days", days: 30, bucket: "day" },
  { value: "90", label: "90 days", days: 90, bucket: "week" },
  { value: "all", label: "From the first ticket on", days: null, bucket: "day" },
  { value: "own", label: "Other days", days: null, bucket: "day" },
] as const;

/** What is asked for, of a choice in words. `today` is a day: `2027-03-28`. */
export function query(wish: Wish, today: string): { from?: string; to?: string; bucket: Bucket } {
  const period = PERIODS.find(({ value }) => value === wish.period) ?? PERIODS[2];
  const bucket = (wish.bucket || period.bucket) as Bucket;
  if (period.value === "own") {
    return { ...(wish.from && { from: wish.from }), ...(wish.to && { to: wish.to }), bucket };
  }
  if (period.days === null) return { bucket };
  const from = new Date(`${today}T00:00Z`);
  from.setUTCDate(from.getUTCDate() - period.days + 1);
  return { from: from.toISOString().slice(0, 10), bucket };
}
