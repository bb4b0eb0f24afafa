import { Anchor, Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link } from "react-router";
import { api, type Schema, take } from "../../api/client";
import { Empty, Section } from "../../parts/Page";
import { type Column, Table } from "../../parts/Table";
import { Tag } from "../../parts/Tag";
import { figure, saleState } from "../../words/event";
import { type Money, money } from "../../words/money";
import { left } from "./left";
import { minutesLeft, pace, type Sample, span, withSample } from "./pace";
import { RefundProgress } from "./RefundProgress";
import { type EventDetail, sums, useEvent, useEventQuery } from "./useEvent";
import { usePools } from "./usePools";

const EVERY_MS = 5_000;

type Type = Schema["AdminTicketType"];

const columns = ({ status }: EventDetail): Column<Type>[] => [
  { name: "Ticket", cell: ({ category }) => <strong>{category}</strong> },
  { name: "Price", cell: ({ unit_price }) => money(unit_price), isNumber: true },
  { name: "Sold", cell: ({ sold }) => figure(sold), isNumber: true },
  { name: "Held", cell: ({ held }) => figure(held), isNumber: true },
  {
    name: "Left",
    cell: ({ remaining }) => (remaining == null ? "no limit" : figure(remaining)),
    isNumber: true,
  },
  {
    name: "State",
    cell: ({ availability }) => {
      const [word, tone] = saleState(availability, status);
      return <Tag tone={tone}>{word}</Tag>;
    },
  },
];

/** How the sale stands, kept up while one looks. */
function Sales() {
  const event = useEvent();
  useEventQuery(event.status === "active" ? EVERY_MS : false);
  if (event.ticket_types.length === 0) {
    return (
      <section className="panel">
        <Empty>
          <p>It has no tickets yet.</p>
          <Button component={Link} to="tickets">
            Add a ticket type
          </Button>
        </Empty>
      </section>
    );
  }
  return (
    <>
      {event.status === "cancelled" && <RefundProgress eventId={event.id} />}
      <Figures event={event} />
      <Section
        title="By ticket type"
        actions={
          <Anchor component={Link} to={`/orders?event=${event.id}`}>
            Its orders
          </Anchor>
        }
      >
        <Table
          label="Sales by ticket type"
          rows={event.ticket_types}
          columns={columns(event)}
          keyOf={({ id }) => id}
        />
      </Section>
    </>
  );
}

function Figures({ event }: { event: EventDetail }) {
  const pools = usePools(event.id, EVERY_MS).data?.pools ?? [];
  const { sold, held, blocked } = sums(event);
  const free = left(event.ticket_types, pools);
  const perMinute = usePace(sold);
  const minutes = minutesLeft(free, perMinute);
  const income = useIncome(event, sold);
  const figures: [string, string][] = [
    ["Sold", figure(sold)],
    ["Held", figure(held)],
    ["Left", free === null ? "no limit" : figure(free)],
    ["Blocked", figure(blocked)],
    ["Received, less refunds", income],
  ];
  if (event.status === "active" && perMinute !== null) {
    figures.push([
      "Sold a minute",
      new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 }).format(perMinute),
    ]);
    if (minutes !== null) figures.push(["At this pace sold out in", span(minutes)]);
  }
  return (
    <dl className="figures">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function usePace(sold: number): number | null {
  const [samples, setSamples] = useState<Sample[]>([]);
  useEffect(() => {
    const look = () => setSamples((before) => withSample(before, { at: Date.now(), sold }));
    look();
    const timer = setInterval(look, EVERY_MS);
    return () => clearInterval(timer);
  }, [sold]);
  return pace(samples);
}

/** What the payment providers have of it now. */
function useIncome({ id, currency }: EventDetail, sold: number): string {
  const accounts = useQuery({
    queryKey: ["accounts", id, sold],
    queryFn: () => take(api.GET("/api/v1/admin/events/{id}/accounts", { params: { path: { id } } })),
    placeholderData: (before) => before,
    refetchInterval: EVERY_MS,
  });
  if (!accounts.data) return "…";
  const sums = new Map<string, Money>([[currency, { amount_minor: 0, currency }]]);
  for (const { account, balance } of accounts.data.balances) {
    if (!account.startsWith("provider:")) continue;
    const before = sums.get(balance.currency)?.amount_minor ?? 0;
    sums.set(balance.currency, { ...balance, amount_minor: before + balance.amount_minor });
  }
  return [...sums.values()].map(money).join(", ");
}

export { Sales as Component };
