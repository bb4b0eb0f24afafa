import { Anchor, Select, Switch, TextInput } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, type Schema, take } from "../api/client";
import { Page } from "../parts/Page";
import { Pages, paged } from "../parts/Pages";
import { Tag } from "../parts/Tag";
import { useSearch } from "../parts/useSearch";
import { count } from "../words/event";
import { money } from "../words/money";
import { ORDER_STATES, orderState } from "../words/order";
import { moment } from "../words/time";
import { ByCode, isCode, whole } from "./orders/ByCode";
import { ChooseEvent } from "./orders/ChooseEvent";

/** Orders by number, name, address, phone, ticket code and concert. */
function Orders() {
  const { wish, set, settled } = useSearch("q", "status", "event", "attention");
  // Whoever has it gets in: it stays out of the address and the browser's history.
  const [code, setCode] = useState("");
  const query = {
    query: code || settled.q.trim(),
    event_id: settled.event,
    needs_attention: settled.attention === "yes",
    ...(settled.status && { status: settled.status as Schema["OrderStatus"] }),
  };
  const orders = useInfiniteQuery({
    queryKey: ["orders", query],
    queryFn: ({ pageParam }) =>
      take(
        api.GET("/api/v1/admin/orders", {
          params: { query: { ...query, page_size: 50, page_token: pageParam } },
        }),
      ),
    ...paged,
    placeholderData: (before) => before,
    enabled: !isCode(query.query),
  });
  const isSearch = Object.values(wish).some(Boolean);
  function search(text: string) {
    const found = isCode(text.trim());
    setCode(found ? text.trim() : "");
    set("q", found ? "" : text);
  }
  return (
    <Page title="Orders" actions={<Export eventId={settled.event} status={settled.status} />}>
      <search className="search">
        <TextInput
          label="Search"
          placeholder="Number, name, address, phone, ticket code"
          type="search"
          value={code || wish.q}
          onChange={(event) => search(event.currentTarget.value)}
        />
        <ChooseEvent id={wish.event} choose={(id) => set("event", id)} />
        <Select
          label="State"
          data={ORDER_STATES}
          placeholder="Any"
          clearable
          clearButtonProps={{ "aria-label": "Any state" }}
          value={wish.status || null}
          onChange={(value) => set("status", value ?? "")}
        />
        <Switch
          label="Only what needs somebody"
          checked={wish.attention === "yes"}
          onChange={(event) => set("attention", event.currentTarget.checked ? "yes" : "")}
        />
      </search>
      {isCode(query.query) ? (
        <ByCode code={whole(query.query)} eventId={query.event_id} />
      ) : (
        <Pages
          of={orders}
          entries={(page) => page.orders}
          empty={isSearch ? "No order fits." : "There are no orders yet."}
        >
          {(orders) => (
            <ul className="entries">
              {orders.map((order) => (
                <Entry key={order.id} order={order} />
              ))}
            </ul>
          )}
        </Pages>
      )}
    </Page>
  );
}

function Entry({ order }: { order: Schema["OrderSummary"] }) {
  const [state, tone] = orderState(order.status);
  return (
    <li>
      <Link className="entry" to={`/orders/${order.id}`}>
        <span>
          <strong>{order.name || order.email}</strong>{" "}
          <span className="quiet small nowrap">{order.number}</span>
        </span>
        <span className="row">
          {order.needs_attention && <Tag tone="bad">Needs somebody</Tag>}
          <Tag tone={tone}>{state}</Tag>
        </span>
        <span className="quiet small">
          {order.event_title}, {count(order.ticket_count, "ticket")}, {moment(order.created_at)}
        </span>
        <span className="small number">{money(order.total_amount)}</span>
      </Link>
    </li>
  );
}

/** Every order that fits, for a spreadsheet. The browser loads it with the session's cookie. */
function Export({ eventId, status }: { eventId: string; status: string }) {
  const query = new URLSearchParams({ ...(eventId && { event_id: eventId }), ...(status && { status }) });
  return (
    <Anchor href={`/api/v1/admin/orders.csv?${query}`} download="orders.csv">
      Export for a spreadsheet
    </Anchor>
  );
}

export { Orders as Component };
