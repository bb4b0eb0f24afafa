/** Round values from 0 to the greatest one or a little above, for the axis of a chart. */
export function ticks(greatest: number): number[] {
  if (greatest <= 0) return [0, 1];
  const rough = greatest / 4;
  const size = 10 ** Math.floor(Math.log10(rough));
  const steps = [1, 2, 2.5, 5, 10].map((step) => step * size);
  // What is counted comes in whole pieces.
  const step = Math.max(1, Math.ceil(steps.find((step) => step >= rough) ?? rough));
  return Array.from({ length: Math.ceil(greatest / step) + 1 }, (_, index) => index * step);
}

/** Which of so many labels are shown where so many have room: evenly, the first one among them. */
export function shownLabels(count: number, room: number): Set<number> {
  const every = Math.max(1, Math.ceil(count / Math.max(1, room)));
  return new Set(Array.from({ length: Math.ceil(count / every) }, (_, index) => index * every));
}
