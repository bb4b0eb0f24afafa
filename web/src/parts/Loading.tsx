import { Skeleton } from "@mantine/core";

/** While something comes. It shows after a moment only, so that what is quick does not flicker. */
export function Loading({ lines = 3 }: { lines?: number }) {
  return (
    <div className="loading" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, line) => line).map((line) => (
        <Skeleton key={line} height={20} width={line === lines - 1 ? "60%" : "100%"} radius="sm" />
      ))}
    </div>
  );
}
