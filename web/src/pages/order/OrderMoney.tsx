import { api, type Schema, take } from "../../api/client";
import { Confirm } from "../../parts/Confirm";
import { Section } from "../../parts/Page";
import { type Column, Table } from "../../parts/Table";
import { Tag } from "../../parts/Tag";
import { money } from "../../words/money";
import { attemptState, refundReason, refundState } from "../../words/order";
import { moment } from "../../words/time";

type Attempt = Schema["PaymentAttempt"];
type Refund = Schema["RefundDetail"];

const attempts: Column<Attempt>[] = [
  { name: "When", cell: ({ created_at }) => moment(created_at) },
  { name: "With", cell: ({ provider, provider_ref }) => [provider, provider_ref].filter(Boolean).join(", ") },
  { name: "Amount", cell: ({ amount }) => money(amount), isNumber: true },
  {
    name: "State",
    cell: ({ status, failure_reason }) => {
      const [word, tone] = attemptState(status);
      return (
        <>
          <Tag tone={tone}>{word}</Tag> {failure_reason}
        </>
      );
    },
  },
];

/** What was paid and what went back. */
export function OrderMoney({ story }: { story: Schema["OrderStory"] }) {
  const refunds: Column<Refund>[] = [
    { name: "When", cell: ({ created_at }) => moment(created_at) },
    { name: "Why", cell: ({ reason, note }) => [refundReason(reason), note].filter(Boolean).join(": ") },
    { name: "Amount", cell: ({ amount }) => money(amount), isNumber: true },
    {
      name: "State",
      cell: (refund) => {
        const [word, tone] = refundState(refund.status);
        return (
          <>
            <Tag tone={tone}>{word}</Tag> {refund.failure_reason}
          </>
        );
      },
    },
    {
      name: "",
      cell: (refund) =>
        refund.status.startsWith("failed") && <Retry refund={refund} order={story.order.id} />,
    },
  ];
  return (
    <>
      {story.attempts.length > 0 && (
        <Section title="Payments">
          <Table label="Payments" rows={story.attempts} columns={attempts} keyOf={({ id }) => id} />
        </Section>
      )}
      {story.refunds.length > 0 && (
        <Section title="Refunds">
          <Table label="Refunds" rows={story.refunds} columns={refunds} keyOf={({ id }) => id} />
        </Section>
      )}
    </>
  );
}

function Retry({ refund: { id, amount }, order }: { refund: Refund; order: string }) {
  return (
    <Confirm
      label="Try again"
      title="Try the refund again"
      size="xs"
      act={() => take(api.POST("/api/v1/admin/refunds/{id}/retry", { params: { path: { id } } }))}
      changes={[["order", order]]}
    >
      The provider is asked once more to send {money(amount)} back. It leaves once, whatever happened before.
    </Confirm>
  );
}
