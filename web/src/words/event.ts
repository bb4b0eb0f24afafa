import type { Schema } from "../api/client";
import type { Tone } from "../parts/Tag";

type Event = Pick<Schema["AdminEvent"], "status" | "availability" | "date_time"> & {
  archived_at?: string | null;
};

const AVAILABILITY: Record<Schema["Availability"], [string, Tone]> = {
  on_sale: ["On sale", "good"],
  not_yet: ["Sale begins later", "busy"],
  sold_out: ["Sold out", "good"],
  held_by_others: ["All held", "busy"],
  ended: ["Sale has ended", "calm"],
  cancelled: ["Cancelled", "bad"],
  halted: ["Interrupted", "bad"],
};

/** How a concert stands, in two words. */
export function eventState(event: Event, now = Date.now()): [string, Tone] {
  if (event.archived_at) return ["Archived", "calm"];
  if (event.status === "cancelled") return ["Cancelled", "bad"];
  if (Date.parse(event.date_time) < now) return ["Over", "calm"];
  if (event.status === "inactive") return ["Not on sale", "busy"];
  return AVAILABILITY[event.availability];
}

/** How a ticket type stands. Nothing of a concert that guests do not see is on sale, whatever its own times say. */
export function saleState(
  availability: Schema["Availability"],
  concert: Schema["EventStatus"],
): [string, Tone] {
  return concert === "inactive" ? ["Not on sale", "busy"] : AVAILABILITY[availability];
}

/** `3 tickets`, `1 ticket`, `no tickets`. */
export function count(number: number, thing: string): string {
  const words = new Intl.NumberFormat().format(number);
  return `${number === 0 ? "no" : words} ${thing}${number === 1 ? "" : "s"}`;
}

export function figure(number: number): string {
  return new Intl.NumberFormat().format(number);
}
