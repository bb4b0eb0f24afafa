import { Anchor } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, type Schema, take } from "../api/client";
import { Answer } from "../parts/Answer";
import { Notice } from "../parts/Notice";
import { Page, Section } from "../parts/Page";
import { type Column, Table } from "../parts/Table";
import { Tag } from "../parts/Tag";
import { figure } from "../words/event";
import { lasting } from "../words/time";
import { HaltedPools } from "./health/HaltedPools";
import { PoisonMessages } from "./health/PoisonMessages";

const EVERY_MS = 10_000;

/** What is announced arrives within seconds; docs/operations.md has a page for what does not. */
const LATE_SECS = 120;

const NAMES: { [service: string]: string } = {
  gateway: "Shop and REST",
  "user-svc": "Accounts",
  "ticket-svc": "Tickets and stock",
  "payment-svc": "Orders and money",
  "notify-svc": "Mails and documents",
};

type Status = Schema["ServiceStatus"];
type Service = { name: string; state: string; status?: Status | undefined };

const services: Column<Service>[] = [
  { name: "Service", cell: ({ name }) => NAMES[name] ?? name },
  {
    name: "State",
    cell: ({ state }) => <Tag tone={state === "up" ? "good" : "bad"}>{state === "up" ? "Works" : state}</Tag>,
  },
  { name: "Version", cell: ({ status }) => status?.version ?? "not known" },
  { name: "Messages waiting", cell: ({ status }) => <MessagesWaiting status={status} /> },
];

/** That it has for the other services. */
function MessagesWaiting({ status }: { status: Status | undefined }) {
  if (!status?.answers) return "not known";
  if (!status.outbox) return "sends none";
  const { open, oldest_seconds } = status.outbox;
  if (open === 0 || oldest_seconds === null || oldest_seconds === undefined) return "none";
  const words = `${figure(open)}, the oldest for ${lasting(oldest_seconds)}`;
  return oldest_seconds < LATE_SECS ? words : <Tag tone="bad">{words}</Tag>;
}

/** Whether everything works, and what waits for a person. */
function Health() {
  const health = useQuery({ queryKey: ["health"], queryFn: readiness, refetchInterval: EVERY_MS });
  // What is not told does not keep anybody from seeing who works.
  const statuses = useQuery({
    queryKey: ["services"],
    queryFn: () => take(api.GET("/api/v1/admin/services")),
    refetchInterval: EVERY_MS,
    retry: false,
  });
  const statusOf = (name: string) =>
    statuses.isError ? undefined : statuses.data?.services.find((status) => status.name === name);
  return (
    <Page title="Health">
      <Section title="The services">
        <Answer of={health}>
          {({ ready, reasons, services: states }) => (
            <div className="stack">
              {ready ? (
                <Notice kind="good">Everything works.</Notice>
              ) : (
                <Notice kind="error" title="Something does not work">
                  {reasons.join(" ")}
                </Notice>
              )}
              <Table
                label="Services"
                rows={Object.entries({ gateway: "up", ...states }).map(([name, state]) => ({
                  name,
                  state,
                  status: statusOf(name),
                }))}
                columns={services}
                keyOf={({ name }) => name}
              />
            </div>
          )}
        </Answer>
      </Section>
      <Waiting />
      <HaltedPools />
      <PoisonMessages />
    </Page>
  );
}

/** 503 is an answer here, too. */
async function readiness(): Promise<Schema["Readiness"] & { services: { [service: string]: string } }> {
  const { data, error, response } = await api.GET("/readyz");
  const found = data ?? error;
  if (found && "ready" in found) return found as never;
  return take(Promise.resolve({ data: found as never, error, response }));
}

/** Orders and mails that need a person. */
function Waiting() {
  const waiting = useQuery({
    queryKey: ["waiting"],
    queryFn: async () => {
      const query = { needs_attention: true, page_size: 100 };
      const [orders, mails, refunds] = await Promise.all([
        take(api.GET("/api/v1/admin/orders", { params: { query } })),
        take(api.GET("/api/v1/admin/notifications", { params: { query } })),
        take(
          api.GET("/api/v1/admin/refunds", { params: { query: { status: "failed_final", page_size: 100 } } }),
        ),
      ]);
      return { orders: orders.orders.length, mails: mails.notifications.length, refunds: refunds.refunds };
    },
    refetchInterval: EVERY_MS,
  });
  return (
    <Section title="What needs somebody">
      <Answer of={waiting}>
        {({ orders, mails, refunds }) => (
          <ul>
            <li>
              <Anchor component={Link} to="/orders?attention=yes">
                Orders: {atMost(orders)}
              </Anchor>
            </li>
            <li>
              <Anchor component={Link} to="/mails?attention=yes">
                Mails: {atMost(mails)}
              </Anchor>
            </li>
            <li>
              Refunds that failed: {atMost(refunds.length)}
              {refunds.map(({ id, order_id, order_number }) => (
                <span key={id}>
                  {" "}
                  <Anchor component={Link} to={`/orders/${order_id}`}>
                    {order_number}
                  </Anchor>
                </span>
              ))}
            </li>
          </ul>
        )}
      </Answer>
    </Section>
  );
}

function atMost(count: number): string {
  if (count === 0) return "none";
  return count === 100 ? "100 or more" : String(count);
}

export { Health as Component };
