import { Anchor, Checkbox } from "@mantine/core";
import { useState } from "react";
import { Link } from "react-router";
import { Answer } from "../parts/Answer";
import { Empty, Page, Section } from "../parts/Page";
import { Pages } from "../parts/Pages";
import { type Column, Table } from "../parts/Table";
import { figure } from "../words/event";
import { money } from "../words/money";
import { Chart } from "./insights/Chart";
import { ChoosePeriod } from "./insights/ChoosePeriod";
import { type Bucket, label, type Slot, slots } from "./insights/pieces";
import { csvOf, type EventInsights, useInsights, useInsightsList, usePeriod } from "./insights/useInsights";

/** More lines than this are no picture any more. */
const COMPARED_MAX = 6;

const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });

/** What each concert came to in a period, and several beside each other. */
function Insights() {
  const { wish, set, asked } = usePeriod();
  const { bucket: _, ...period } = asked;
  const list = useInsightsList({ ...period, bucket: asked.bucket === "hour" ? "day" : asked.bucket });
  const [chosen, choose] = useState<string[]>([]);
  const toggle = (id: string) =>
    choose((before) => (before.includes(id) ? before.filter((one) => one !== id) : [...before, id]));
  const ids =
    chosen.length > 0 ? chosen : (list.data?.pages[0]?.events ?? []).slice(0, 3).map(({ id }) => id);
  const columns: Column<EventInsights>[] = [
    {
      name: "Compare",
      cell: ({ id, title }) => (
        <Checkbox
          aria-label={`Compare ${title}`}
          checked={ids.includes(id)}
          disabled={!ids.includes(id) && ids.length >= COMPARED_MAX}
          onChange={() => (chosen.length > 0 ? toggle(id) : choose(flip(ids, id)))}
        />
      ),
    },
    {
      name: "Concert",
      cell: ({ id, title }) => (
        <Anchor component={Link} to={`/events/${id}/insights`}>
          {title}
        </Anchor>
      ),
    },
    { name: "Sold", cell: ({ total }) => figure(total.sold), isNumber: true },
    { name: "Revenue", cell: ({ total }) => total.revenue.map(money).join(", "), isNumber: true },
    { name: "Refunds", cell: ({ total }) => total.refunds.map(money).join(", "), isNumber: true },
    { name: "Views", cell: ({ total }) => figure(total.views), isNumber: true },
    {
      name: "Views that were paid",
      cell: ({ total }) => (total.views > 0 ? percent.format(total.paid_orders / total.views) : ""),
      isNumber: true,
    },
  ];
  return (
    <Page title="Insights">
      <ChoosePeriod
        wish={wish}
        set={set}
        csv={csvOf(ids.length > 0 ? { ...asked, event_id: ids.join(",") } : asked)}
      />
      {ids.length > 0 && <Compared asked={{ ...asked, event_id: ids.join(",") }} />}
      <Pages
        of={list}
        entries={({ events }) => events}
        empty="There is no concert yet whose sale could be looked at."
      >
        {(events) => (
          <Section title="Concerts">
            <Table label="Concerts" rows={events} columns={columns} keyOf={({ id }) => id} />
          </Section>
        )}
      </Pages>
    </Page>
  );
}

function flip(ids: string[], id: string): string[] {
  return ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id];
}

/** A line for each concert: tickets sold in each piece of time. */
function Compared({ asked }: { asked: { event_id: string; bucket: Bucket } }) {
  const compared = useInsights(asked);
  return (
    <Answer of={compared}>
      {({ events }) => {
        const [labels, series] = beside(events, asked.bucket);
        if (labels.length === 0) return <Empty>None of them sold anything in this period.</Empty>;
        return (
          <Chart
            title="Tickets sold, concert by concert"
            head="When"
            labels={labels}
            series={series}
            words={figure}
            kind="lines"
          />
        );
      }}
    </Answer>
  );
}

/** By the clock of each concert's own place: a day is compared with a day. */
function beside(events: EventInsights[], bucket: Bucket) {
  const zone = events[0]?.timezone ?? "UTC";
  const all = events.flatMap(({ by_time }) => by_time);
  const byTime = [...all].sort((a, b) => Date.parse(a.start) - Date.parse(b.start));
  const times: Slot[] = slots(byTime, bucket, zone);
  const labels = [...new Set(times.map((slot) => slot.label))];
  const series = events.map(({ title, by_time, timezone }, look) => ({
    name: title,
    look,
    values: labels.map((name) =>
      by_time
        .filter((piece) => label(piece.start, bucket, timezone) === name)
        .reduce((sum, piece) => sum + piece.sold, 0),
    ),
  }));
  return [labels, series] as const;
}

export { Insights as Component };
