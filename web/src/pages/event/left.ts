import type { Schema } from "../../api/client";

type Type = Pick<Schema["AdminTicketType"], "remaining" | "pool_ids">;
type Pool = Pick<Schema["Pool"], "id" | "remaining">;

/**
 * How many tickets can still be sold; null where something has no limit. A ticket takes a unit of its type's
 * stock and of every shared stock, so types that share one have no more between them than it has. Where a
 * type draws from several, this is the most it can be.
 */
export function left(types: Type[], pools: Pool[]): number | null {
  const byFirstPool = new Map<string, number | null>();
  for (const { remaining, pool_ids } of types) {
    const pool = pool_ids[0] ?? "";
    const before = byFirstPool.get(pool);
    byFirstPool.set(pool, before === null || remaining == null ? null : (before ?? 0) + remaining);
  }
  let sum = 0;
  for (const [id, ofTypes] of byFirstPool) {
    const ofPool = pools.find((pool) => pool.id === id)?.remaining ?? null;
    const limits = [ofTypes, ofPool].filter((limit) => limit !== null);
    if (limits.length === 0) return null;
    sum += Math.min(...limits);
  }
  return sum;
}
