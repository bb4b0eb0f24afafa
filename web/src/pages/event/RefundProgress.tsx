import { useQuery } from "@tanstack/react-query";
import { api, take } from "../../api/client";
import { Answer } from "../../parts/Answer";
import { Facts } from "../../parts/Facts";
import { Notice } from "../../parts/Notice";
import { Section } from "../../parts/Page";
import { figure } from "../../words/event";
import { money } from "../../words/money";

const EVERY_MS = 3_000;

/** How far the refunds of a cancelled concert are. */
export function RefundProgress({ eventId: id }: { eventId: string }) {
  const refund = useQuery({
    queryKey: ["event-refund", id],
    queryFn: () => take(api.GET("/api/v1/admin/events/{id}/refund", { params: { path: { id } } })),
    refetchInterval: ({ state }) => (state.data?.finished_at ? false : EVERY_MS),
  });
  return (
    <Section title="The money goes back">
      <Answer of={refund}>
        {({ orders_done, orders_total, orders_stuck, refunded, outstanding, finished_at }) => (
          <div className="stack">
            {finished_at ? (
              <Notice kind="good">Every order is done.</Notice>
            ) : (
              <progress
                className="meter"
                aria-label="Orders that are done"
                max={Math.max(1, orders_total)}
                value={orders_done}
              />
            )}
            <Facts
              facts={[
                ["Orders done", `${figure(orders_done)} of ${figure(orders_total)}`],
                ["Sent back", refunded.map(money).join(", ")],
                ["Still to send", outstanding.map(money).join(", ")],
                ["Orders that need somebody", orders_stuck > 0 && figure(orders_stuck)],
              ]}
            />
          </div>
        )}
      </Answer>
    </Section>
  );
}
