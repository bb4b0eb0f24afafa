import { api, ifMatch, take } from "../../../api/client";
import { Notice } from "../../../parts/Notice";
import { count } from "../../../words/event";
import { money } from "../../../words/money";
import { eventTime } from "../../../words/time";
import type { ActionProps } from "../EventActions";
import { Decide } from "./Decide";
import { useStep } from "./useStep";

export function Publish({ event, close }: ActionProps) {
  const publish = useStep({
    event,
    send: () =>
      take(
        api.PATCH("/api/v1/admin/events/{id}", {
          params: { path: { id: event.id }, header: { "If-Match": ifMatch(event) } },
          body: { status: "active" },
        }),
      ),
    done: close,
  });
  const types = event.ticket_types;
  const isPast = Date.parse(event.date_time) < Date.now();
  return (
    <Decide
      label="Put on sale"
      close={close}
      sending={publish}
      isBlocked={types.length === 0}
      onSubmit={(submit) => {
        submit.preventDefault();
        publish.mutate();
      }}
    >
      {types.length === 0 && (
        <Notice kind="warning" title="It has no tickets yet">
          Add a ticket type under “Tickets” first.
        </Notice>
      )}
      {isPast && <Notice kind="warning">Its date is over: nobody can buy.</Notice>}
      <p>
        Guests find <strong>{event.title}</strong> in the shop at once, for{" "}
        {eventTime(event.date_time, event.timezone)}, and can buy:
      </p>
      <ul>
        {types.map((type) => (
          <li key={type.id}>
            {type.category}, {money(type.unit_price)},{" "}
            {type.total_stock == null
              ? "as many as they like"
              : count(type.total_stock - type.blocked, "ticket")}
            {type.sales_start && `, from ${eventTime(type.sales_start, event.timezone)}`}
          </li>
        ))}
      </ul>
    </Decide>
  );
}
