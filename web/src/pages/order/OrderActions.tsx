import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { api, type Schema, take } from "../../api/client";
import { useUser } from "../../app/session";
import { Confirm } from "../../parts/Confirm";
import { Dialog } from "../../parts/Dialog";
import { money } from "../../words/money";
import { ChangeAddress } from "./ChangeAddress";
import { EraseGuest } from "./EraseGuest";
import { Refund } from "./Refund";
import { refundable } from "./refund";

type Story = Schema["OrderStory"];

const ENDED: Schema["OrderStatus"][] = [
  "fulfilled",
  "partially_refunded",
  "refunded",
  "expired",
  "cancelled",
];

const HAS_TICKETS: Schema["OrderStatus"][] = ["fulfilled", "partially_refunded"];

/** What the order's state allows. */
export function OrderActions({ story }: { story: Story }) {
  const { order, attempts } = story;
  const isSuperadmin = useUser().role === "superadmin";
  const waits = order.status === "awaiting_payment" || order.status === "processing";
  const byHand = waits && attempts.some(({ provider, ended_at }) => provider === "manual" && !ended_at);
  return (
    <>
      {refundable(story) > 0 && <AskRefund story={story} />}
      {byHand && <ConfirmPayment story={story} />}
      {byHand && <RejectPayment story={story} />}
      {HAS_TICKETS.includes(order.status) && order.email && <SendReceipt story={story} />}
      {order.email && <ChangeAddress order={order} />}
      {attempts.length > 0 && <Verify story={story} />}
      {isSuperadmin && ENDED.includes(order.status) && order.email && <EraseGuest order={order} />}
    </>
  );
}

function AskRefund({ story }: { story: Story }) {
  const [open, { open: ask, close }] = useDisclosure();
  return (
    <>
      <Button variant="default" onClick={ask}>
        Refund
      </Button>
      <Dialog opened={open} onClose={close} title={`Refund order ${story.order.number}`}>
        <Refund story={story} close={close} />
      </Dialog>
    </>
  );
}

const keys = (id: string) => [["order", id], ["orders"], ["mails"]];

function ConfirmPayment({ story: { order } }: { story: Story }) {
  return (
    <Confirm
      label="Confirm the payment"
      title="Confirm the payment"
      act={(key) =>
        take(
          api.POST("/api/v1/admin/orders/{id}/confirm-payment", {
            params: { path: { id: order.id }, header: { "Idempotency-Key": key } },
          }),
        )
      }
      changes={keys(order.id)}
    >
      {money(order.total_amount)} of {order.name || order.email} has arrived. The tickets are issued, and the
      receipt goes out.
    </Confirm>
  );
}

function RejectPayment({ story: { order } }: { story: Story }) {
  return (
    <Confirm
      label="Cancel the order"
      title="The payment will not come"
      isDanger
      act={() =>
        take(api.POST("/api/v1/admin/orders/{id}/reject-payment", { params: { path: { id: order.id } } }))
      }
      changes={keys(order.id)}
    >
      The order is cancelled, and its tickets are free again. {order.email} is told.
    </Confirm>
  );
}

function SendReceipt({ story: { order } }: { story: Story }) {
  return (
    <Confirm
      label="Send the receipt"
      title="Send the receipt again"
      act={(key) =>
        take(
          api.POST("/api/v1/admin/orders/{id}/receipt", {
            params: { path: { id: order.id }, header: { "Idempotency-Key": key } },
          }),
        )
      }
      changes={keys(order.id)}
    >
      {order.email} gets the receipt and the tickets as they are now.
    </Confirm>
  );
}

function Verify({ story: { order } }: { story: Story }) {
  return (
    <Confirm
      label="Ask the provider"
      title="Ask the payment provider now"
      act={() =>
        take(api.POST("/api/v1/admin/orders/{id}/verify-payment", { params: { path: { id: order.id } } }))
      }
      changes={keys(order.id)}
    >
      What the provider says of the payment counts from then on, and notes about this order are taken as read.
    </Confirm>
  );
}
