import { Button } from "@mantine/core";
import { useState } from "react";
import { api, ifMatch, type Schema, take } from "../../api/client";
import { Answer } from "../../parts/Answer";
import { Confirm } from "../../parts/Confirm";
import { Dialog } from "../../parts/Dialog";
import { Empty, Section } from "../../parts/Page";
import { type Column, Table } from "../../parts/Table";
import { figure } from "../../words/event";
import { money, percentText } from "../../words/money";
import { eventTime } from "../../words/time";
import { Pools } from "./Pools";
import { TicketTypeForm } from "./TicketTypeForm";
import { type EventDetail, eventKey, useEvent } from "./useEvent";
import { usePools } from "./usePools";

type Type = Schema["AdminTicketType"];

/** What of the concert is sold, at which price, when and how many. */
function Tickets() {
  const event = useEvent();
  const pools = usePools(event.id);
  const [edited, edit] = useState<Type | "new">();
  const isFinal = event.status === "cancelled" || !!event.archived_at;
  const columns = columnsOf(event, isFinal ? null : edit);
  return (
    <Answer of={pools}>
      {({ pools }) => (
        <>
          <Section
            title="Ticket types"
            actions={!isFinal && <Button onClick={() => edit("new")}>New ticket type</Button>}
          >
            {event.ticket_types.length ? (
              <Table
                label="Ticket types"
                rows={event.ticket_types}
                columns={columns}
                keyOf={({ id }) => id}
              />
            ) : (
              <Empty>
                Nothing is for sale yet. A ticket type has a name, a price and a number of tickets.
              </Empty>
            )}
          </Section>
          <Pools event={event} pools={pools} isFinal={isFinal} />
          <Dialog
            opened={!!edited}
            onClose={() => edit(undefined)}
            title={edited === "new" ? "New ticket type" : (edited?.category ?? "")}
          >
            {edited && (
              <TicketTypeForm
                event={event}
                pools={pools}
                close={() => edit(undefined)}
                {...(edited !== "new" && { type: edited })}
              />
            )}
          </Dialog>
        </>
      )}
    </Answer>
  );
}

function columnsOf(event: EventDetail, edit: ((type: Type) => void) | null): Column<Type>[] {
  return [
    { name: "Name", cell: ({ category }) => <strong>{category}</strong> },
    {
      name: "Price",
      isNumber: true,
      cell: ({ price, tax_rate_ppm }) =>
        tax_rate_ppm ? `${money(price)} (${percentText(tax_rate_ppm)} % tax in it)` : money(price),
    },
    {
      name: "Tickets",
      isNumber: true,
      cell: ({ total_stock, blocked }) =>
        `${total_stock == null ? "no limit" : figure(total_stock)}${blocked ? `, ${figure(blocked)} blocked` : ""}`,
    },
    { name: "Sale", cell: (type) => window(type, event.timezone) },
    {
      name: "",
      cell: (type) => edit && <Change event={event} type={type} edit={() => edit(type)} />,
    },
  ];
}

function window({ sales_start, sales_end }: Type, zone: string): string {
  const from = sales_start ? `from ${eventTime(sales_start, zone)}` : "";
  const until = sales_end ? `until ${eventTime(sales_end, zone)}` : "";
  return [from, until].filter(Boolean).join(" ") || "until the concert begins";
}

function Change({ event, type, edit }: { event: EventDetail; type: Type; edit: () => void }) {
  return (
    <span className="row">
      <Button size="xs" variant="default" onClick={edit} aria-label={`Edit ${type.category}`}>
        Edit
      </Button>
      {type.sold + type.held === 0 && (
        <Confirm
          label="Delete"
          title={`Delete ${type.category}`}
          size="xs"
          isDanger
          act={() =>
            take(
              api.DELETE("/api/v1/admin/ticket-types/{id}", {
                params: { path: { id: type.id }, header: { "If-Match": ifMatch(type) } },
              }),
            )
          }
          changes={[eventKey(event.id), ["pools", event.id]]}
        >
          It is gone for good. Only what was never held or sold can be deleted.
        </Confirm>
      )}
    </span>
  );
}

export { Tickets as Component };
