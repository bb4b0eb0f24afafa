import { useQuery } from "@tanstack/react-query";
import { api, take } from "../../api/client";
import { Answer } from "../../parts/Answer";
import { MailTable } from "../../parts/MailTable";
import { Empty, Section } from "../../parts/Page";

const EVERY_MS = 5_000;

/** What the guest was told by mail. */
export function OrderMails({ orderId: order_id }: { orderId: string }) {
  const mails = useQuery({
    queryKey: ["mails", { order_id }],
    queryFn: () =>
      take(api.GET("/api/v1/admin/notifications", { params: { query: { order_id, page_size: 50 } } })),
    // Mails come a moment after what they tell of.
    refetchInterval: EVERY_MS,
  });
  return (
    <Section title="Mails">
      <Answer of={mails}>
        {({ notifications }) =>
          notifications.length ? <MailTable mails={notifications} /> : <Empty>No mail went out yet.</Empty>
        }
      </Answer>
    </Section>
  );
}
