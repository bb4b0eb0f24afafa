import { Anchor } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { api, type Schema, take } from "../../api/client";
import { Answer } from "../../parts/Answer";
import { Facts } from "../../parts/Facts";
import { Notice } from "../../parts/Notice";
import { Page, Section } from "../../parts/Page";
import { type Column, Table } from "../../parts/Table";
import { Tag } from "../../parts/Tag";
import { figure } from "../../words/event";
import { money } from "../../words/money";
import { orderState } from "../../words/order";
import { eventTime, moment } from "../../words/time";
import { Mismatch } from "./Mismatch";
import { OrderActions } from "./OrderActions";
import { OrderMails } from "./OrderMails";
import { OrderMoney } from "./OrderMoney";

type Story = Schema["OrderStory"];

const OPEN: Schema["OrderStatus"][] = ["created", "awaiting_payment", "processing", "paid"];
const UNDER_WAY: Schema["RefundStatus"][] = ["requested", "submitted"];
const SOON_MS = 3_000;

/** One order's whole story. */
function Order() {
  const { orderId: id = "" } = useParams();
  const story = useQuery({
    queryKey: ["order", id],
    queryFn: () => take(api.GET("/api/v1/admin/orders/{id}", { params: { path: { id } } })),
    refetchInterval: ({ state }) => (state.data && isMoving(state.data) ? SOON_MS : false),
  });
  return (
    <>
      <Anchor component={Link} to="/orders" size="sm">
        Orders
      </Anchor>
      <Answer of={story}>{(story) => <Whole story={story} />}</Answer>
    </>
  );
}

/** Whether something is under way that ends soon. The order follows a moment after its refunds. */
function isMoving({ order, refunds }: Story): boolean {
  const isBehind = order.status === "fulfilled" && refunds.some(({ withdrawn }) => !withdrawn);
  return isBehind || OPEN.includes(order.status) || refunds.some(({ status }) => UNDER_WAY.includes(status));
}

const lines: Column<Schema["Line"]>[] = [
  { name: "Ticket", cell: ({ category }) => category },
  { name: "Number", cell: ({ quantity }) => figure(quantity), isNumber: true },
  { name: "Given back", cell: ({ refunded_quantity }) => figure(refunded_quantity), isNumber: true },
  { name: "Each", cell: ({ unit_price }) => money(unit_price), isNumber: true },
  { name: "Sum", cell: ({ line_total }) => money(line_total), isNumber: true },
];

function Whole({ story }: { story: Story }) {
  const { order, needs_attention } = story;
  const [state, tone] = orderState(order.status);
  return (
    <Page title={`Order ${order.number}`} actions={<OrderActions story={story} />}>
      <div className="stack">
        <div className="row">
          <Tag tone={tone}>{state}</Tag>
          <Anchor component={Link} to={`/events/${order.event.id}`}>
            {order.event.title}
          </Anchor>
          {order.event.date_time && <span>{eventTime(order.event.date_time, order.event.timezone)}</span>}
        </div>
        {needs_attention && (
          <Notice kind="warning" title="This needs somebody">
            {needs_attention}
          </Notice>
        )}
        {order.status === "mismatch" && <Mismatch orderId={order.id} />}
        <section className="panel">
          <Facts
            facts={[
              ["Guest", order.name],
              ["E-mail address", order.email],
              ["Phone", order.phone_number],
              ["Ordered", moment(order.created_at)],
              ["Sum", money(order.total_amount)],
              ["Tax in it", order.tax_total.amount_minor > 0 && money(order.tax_total)],
              ["Still to pay", order.balance_due && money(order.balance_due)],
              ["Language", order.preferences.locale],
            ]}
          />
        </section>
      </div>
      <Section title="Tickets">
        <Table
          label="Lines of the order"
          rows={order.lines}
          columns={lines}
          keyOf={(line) => line.ticket_type_id}
        />
      </Section>
      <OrderMoney story={story} />
      <OrderMails orderId={order.id} />
      <Timeline story={story} />
    </Page>
  );
}

function Timeline({ story: { order, history } }: { story: Story }) {
  return (
    <Section title="What happened">
      <ol className="story">
        {order.timeline.map(({ at, what, detail }) => (
          <li key={`${at}${what}`}>
            <time dateTime={at}>{moment(at)}</time>
            {detail}
          </li>
        ))}
      </ol>
      <details>
        <summary className="quiet small">Every step, and who took it</summary>
        <ol className="story">
          {history.map(({ at, from, to, actor, reason }) => (
            <li key={`${at}${to}`}>
              <time dateTime={at}>{moment(at)}</time>
              {from ? `${orderState(from)[0]} → ` : ""}
              {orderState(to)[0]}, by {actor}
              {reason && ` (${reason})`}
            </li>
          ))}
        </ol>
      </details>
    </Section>
  );
}

export { Order as Component };
