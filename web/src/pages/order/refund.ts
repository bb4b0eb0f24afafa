import type { Schema } from "../../api/client";
import type { Money } from "../../words/money";

type Story = Schema["OrderStory"];

/** Refunds whose money left or will leave. */
function isCounted({ withdrawn }: Schema["RefundDetail"]): boolean {
  return !withdrawn;
}

/** What can still go back, in the smallest unit. */
export function refundable({ attempts, refunds }: Story): number {
  const captured = attempts.reduce((sum, { captured }) => sum + (captured?.amount_minor ?? 0), 0);
  const gone = refunds.filter(isCounted).reduce((sum, { amount }) => sum + amount.amount_minor, 0);
  return Math.max(0, captured - gone);
}

/** How much to send back: everything, some tickets by their type, or an amount. */
export type Wish =
  | { kind: "all" }
  | { kind: "tickets"; quantities: Record<string, number> }
  | { kind: "amount"; amount_minor: number | null };

/** Tickets of a line that can still be given back. */
export function returnable(line: Schema["Line"]): number {
  return line.quantity - line.refunded_quantity;
}

/** What would go back; null where the wish says nothing, or too much. */
export function preview(story: Story, wish: Wish): Money | null {
  const left = refundable(story);
  const { currency } = story.order.total_amount;
  const amount_minor = sumOf(story, wish);
  return amount_minor > 0 && amount_minor <= left ? { amount_minor, currency } : null;
}

function sumOf(story: Story, wish: Wish): number {
  if (wish.kind === "all") return refundable(story);
  if (wish.kind === "amount") return wish.amount_minor ?? 0;
  const priceOf = ({ ticket_type_id, unit_price }: Schema["Line"]) =>
    unit_price.amount_minor * (wish.quantities[ticket_type_id] ?? 0);
  return story.order.lines.reduce((sum, line) => sum + priceOf(line), 0);
}

/** What the gateway is told. */
export function bodyOf(wish: Wish, reason: string, currency: string): Schema["NewRefund"] {
  if (wish.kind === "amount") return { amount: { amount_minor: wish.amount_minor ?? 0, currency }, reason };
  if (wish.kind === "all") return { reason };
  const chosen = Object.entries(wish.quantities).filter(([, quantity]) => quantity > 0);
  return { lines: chosen.map(([ticket_type_id, quantity]) => ({ ticket_type_id, quantity })), reason };
}
