import { Answer } from "../../parts/Answer";
import { Empty, Section } from "../../parts/Page";
import { type Column, Table } from "../../parts/Table";
import { figure } from "../../words/event";
import { type Money, money } from "../../words/money";
import { Chart, type Series } from "../insights/Chart";
import { ChoosePeriod } from "../insights/ChoosePeriod";
import { Funnel } from "../insights/Funnel";
import { type Bucket, type Slot, slots } from "../insights/pieces";
import { csvOf, type EventInsights, useInsights, usePeriod } from "../insights/useInsights";
import { useEvent } from "./useEvent";

const EVERY_MS = 10_000;

type Line = EventInsights["by_type"][number];

/** How the concert sold: over time, by ticket type, and from a look to paid tickets. */
function Insights() {
  const { id, status, timezone } = useEvent();
  const { wish, set, asked } = usePeriod(timezone);
  const question = { ...asked, event_id: id };
  const insights = useInsights(question, status === "active" ? EVERY_MS : false);
  return (
    <>
      <ChoosePeriod wish={wish} set={set} csv={csvOf(question)} />
      <Answer of={insights}>
        {({ events: [event] }) => event && <Figures event={event} bucket={asked.bucket} />}
      </Answer>
    </>
  );
}

function Figures({ event, bucket }: { event: EventInsights; bucket: Bucket }) {
  const { total, by_type, timezone } = event;
  const figures: [string, string][] = [
    ["Sold", figure(total.sold)],
    ["Given back", figure(total.refunded)],
    ["Revenue", total.revenue.map(money).join(", ")],
    ["Refunds", total.refunds.map(money).join(", ")],
    ["Held now", figure(event.held)],
    ["Left now", event.free == null ? "no limit" : figure(event.free)],
  ];
  const times = slots(event.by_time, bucket, timezone);
  return (
    <>
      <dl className="figures">
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {times.length === 0 ? (
        <Empty>Nothing happened in this period.</Empty>
      ) : (
        <div className="charts">
          <Chart
            {...overTime(times)}
            title="Tickets sold"
            series={soldByType(times, by_type)}
            words={figure}
          />
          {total.revenue.map(({ currency }) => (
            <Chart
              key={currency}
              {...overTime(times)}
              title={`Revenue and refunds in ${currency}`}
              series={[
                {
                  name: "Revenue",
                  look: 0,
                  values: times.map((slot) => minor(slot.piece?.revenue, currency)),
                },
                {
                  name: "Refunds",
                  look: 3,
                  values: times.map((slot) => minor(slot.piece?.refunds, currency)),
                },
              ]}
              words={(amount_minor) => money({ amount_minor, currency })}
              kind="lines"
            />
          ))}
        </div>
      )}
      <Section title="From a look to paid tickets">
        <Funnel {...event} />
      </Section>
      <Section title="By ticket type">
        <Table label="Figures by ticket type" rows={by_type} columns={COLUMNS} keyOf={keyOf} />
      </Section>
      <p className="quiet small">Days are those of {timezone}.</p>
    </>
  );
}

const keyOf = ({ ticket_type_id, revenue }: Line) => `${ticket_type_id} ${revenue.currency}`;

const COLUMNS: Column<Line>[] = [
  {
    name: "Ticket",
    cell: ({ category }) => (category == null ? "For no ticket in particular" : <strong>{category}</strong>),
  },
  { name: "Sold", cell: ({ sold }) => figure(sold), isNumber: true },
  { name: "Given back", cell: ({ refunded }) => figure(refunded), isNumber: true },
  { name: "Revenue", cell: ({ revenue }) => money(revenue), isNumber: true },
  { name: "Refunds", cell: ({ refunds }) => money(refunds), isNumber: true },
  { name: "Held now", cell: ({ held }) => (held == null ? "" : figure(held)), isNumber: true },
  {
    name: "Left now",
    cell: ({ category, free }) => (category == null ? "" : free == null ? "no limit" : figure(free)),
    isNumber: true,
  },
];

function overTime(times: Slot[]) {
  return { labels: times.map(({ label }) => label), head: "When" };
}

function minor(sums: Money[] | undefined, currency: string): number {
  return sums?.find((sum) => sum.currency === currency)?.amount_minor ?? 0;
}

/** Each type by itself; what two currencies sold of one is one. */
function soldByType(times: Slot[], types: Line[]): Series[] {
  const ids = [...new Set(types.map(({ ticket_type_id }) => ticket_type_id))].filter((id) => id != null);
  return ids.map((id, look) => ({
    name: types.find(({ ticket_type_id }) => ticket_type_id === id)?.category ?? "Another type",
    look,
    values: times.map(({ piece }) =>
      (piece?.by_type ?? [])
        .filter(({ ticket_type_id }) => ticket_type_id === id)
        .reduce((sum, { sold }) => sum + sold, 0),
    ),
  }));
}

export { Insights as Component };
