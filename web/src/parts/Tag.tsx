import type { ReactNode } from "react";

export type Tone = "good" | "busy" | "bad" | "calm";

/** One word about a thing's state. */
export function Tag({ tone, children }: { tone: Tone; children: ReactNode }) {
  return <span className={`tag ${tone}`}>{children}</span>;
}
