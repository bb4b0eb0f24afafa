import type { Schema } from "../api/client";
import type { Tone } from "../parts/Tag";

const STATES: Record<Schema["OrderStatus"], [string, Tone]> = {
  created: ["Begun", "calm"],
  awaiting_payment: ["Waits for payment", "busy"],
  processing: ["Payment under way", "busy"],
  paid: ["Paid", "good"],
  fulfilled: ["Tickets issued", "good"],
  partially_refunded: ["Partly refunded", "calm"],
  refunded: ["Refunded", "calm"],
  expired: ["Not paid in time", "calm"],
  cancelled: ["Cancelled", "calm"],
  mismatch: ["Payment differs", "bad"],
  unfulfillable: ["No tickets left for it", "bad"],
};

export const ORDER_STATES = Object.entries(STATES).map(([value, [label]]) => ({ value, label }));

export function orderState(status: Schema["OrderStatus"]): [string, Tone] {
  return STATES[status];
}

const ATTEMPTS: Record<Schema["AttemptStatus"], [string, Tone]> = {
  preparing: ["Being opened", "busy"],
  created: ["Open", "busy"],
  requires_action: ["Waits for the guest", "busy"],
  processing: ["Under way", "busy"],
  succeeded: ["Paid", "good"],
  failed: ["Declined", "bad"],
  cancelled: ["Closed", "calm"],
};

export function attemptState(status: Schema["AttemptStatus"]): [string, Tone] {
  return ATTEMPTS[status];
}

const REFUNDS: Record<Schema["RefundStatus"], [string, Tone]> = {
  requested: ["Begun", "busy"],
  submitted: ["On its way", "busy"],
  succeeded: ["Sent back", "good"],
  failed: ["Is tried again", "bad"],
  failed_final: ["Failed", "bad"],
  external: ["Paid out by hand", "good"],
};

export function refundState(status: Schema["RefundStatus"]): [string, Tone] {
  return REFUNDS[status];
}

const REASONS: Record<Schema["RefundReason"], string> = {
  requested: "asked for here",
  unfulfillable: "no tickets left",
  second_payment: "paid twice",
  overpaid: "paid too much",
  order_ended: "paid too late",
  mismatch: "payment differs",
  event_cancelled: "concert cancelled",
  guest_cancelled: "cancelled by the guest",
  external: "made at the provider",
};

export function refundReason(reason: Schema["RefundReason"]): string {
  return REASONS[reason];
}

const MAILS: Record<Schema["NotificationState"], [string, Tone]> = {
  queued: ["Waits", "busy"],
  sending: ["Being sent", "busy"],
  sent: ["Sent", "good"],
  failed: ["Failed", "bad"],
  bounced: ["Came back", "bad"],
  erased: ["Erased", "calm"],
  withdrawn: ["Withdrawn: another address", "calm"],
};

export const MAIL_STATES = Object.entries(MAILS).map(([value, [label]]) => ({ value, label }));

export function mailState(status: Schema["NotificationState"]): [string, Tone] {
  return MAILS[status];
}

/** `order_refunded` as people write it: `Order refunded`. */
export function kindName(kind: string): string {
  const words = kind.replaceAll("_", " ").replaceAll(".", ": ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
