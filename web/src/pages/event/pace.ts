/** What was left, and when. */
export type Sample = { at: number; sold: number };

/** Samples older than this say nothing about now. */
export const WINDOW_MS = 10 * 60_000;
const SHORTEST_MS = 20_000;

/** With what was seen just now, and without what is too old. */
export function withSample(samples: Sample[], sample: Sample): Sample[] {
  return [...samples, sample].filter(({ at }) => sample.at - at <= WINDOW_MS);
}

/** Tickets a minute; null where it is too early to say. */
export function pace(samples: Sample[]): number | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || last.at - first.at < SHORTEST_MS) return null;
  return Math.max(0, ((last.sold - first.sold) * 60_000) / (last.at - first.at));
}

/** Minutes until nothing is left; null where nothing says so. */
export function minutesLeft(free: number | null, perMinute: number | null): number | null {
  if (free === null || !perMinute) return null;
  return Math.ceil(free / perMinute);
}

const DAY_MINUTES = 24 * 60;

/** In the unit that fits: `31 min`, `5 h`, `12 days`. */
export function span(minutes: number): string {
  const [number, unit] =
    minutes < 120
      ? [minutes, "minute"]
      : minutes < 2 * DAY_MINUTES
        ? [Math.round(minutes / 60), "hour"]
        : [Math.round(minutes / DAY_MINUTES), "day"];
  return new Intl.NumberFormat(undefined, { style: "unit", unit, unitDisplay: "short" }).format(number);
}
