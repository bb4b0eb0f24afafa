import { TextInput } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { api, type Schema, take } from "../api/client";
import { useUser } from "../app/session";
import { Page } from "../parts/Page";
import { Pages, paged } from "../parts/Pages";
import { useSearch } from "../parts/useSearch";
import { kindName } from "../words/order";
import { moment } from "../words/time";

type Entry = Schema["AuditEntry"];

/** What was done here, and by whom. */
function Record() {
  const { wish, set, settled } = useSearch("action", "object", "from", "to");
  const query = {
    ...(settled.action && { action: settled.action.trim() }),
    ...(settled.object && { object: settled.object.trim() }),
    ...(settled.from && { from: new Date(settled.from).toISOString() }),
    ...(settled.to && { to: new Date(settled.to).toISOString() }),
  };
  const record = useInfiniteQuery({
    queryKey: ["record", query],
    queryFn: ({ pageParam }) =>
      take(
        api.GET("/api/v1/admin/audit", {
          params: { query: { ...query, page_size: 50, page_token: pageParam } },
        }),
      ),
    ...paged,
    placeholderData: (before) => before,
  });
  const nameOf = useNames();
  const field = (name: keyof typeof wish) => ({
    value: wish[name],
    onChange: (event: { currentTarget: HTMLInputElement }) => set(name, event.currentTarget.value),
  });
  return (
    <Page title="Record">
      <search className="search">
        <TextInput label="What" placeholder="event, refund, …" type="search" {...field("action")} />
        <TextInput
          label="Number of the thing"
          placeholder="An order's or a concert's id"
          type="search"
          {...field("object")}
        />
        <TextInput label="From" type="datetime-local" {...field("from")} />
        <TextInput label="To" type="datetime-local" {...field("to")} />
      </search>
      <Pages of={record} entries={(page) => page.entries} empty="Nothing of that was done.">
        {(entries) => (
          <section className="panel">
            <ol className="story">
              {entries.map((entry) => (
                <Line key={entry.id} entry={entry} who={nameOf(entry.actor)} />
              ))}
            </ol>
          </section>
        )}
      </Pages>
    </Page>
  );
}

/** Superadmins read names; others the numbers of accounts. */
function useNames() {
  const me = useUser();
  const users = useQuery({
    queryKey: ["accounts-by-id"],
    queryFn: () => take(api.GET("/api/v1/admin/users", { params: { query: { page_size: 100 } } })),
    enabled: me.role === "superadmin",
  });
  return (id?: string | null) => {
    if (!id) return "Nobody who was signed in";
    if (id === me.id) return "You";
    return users.data?.users.find((user) => user.id === id)?.email ?? id;
  };
}

function Line({ entry, who }: { entry: Entry; who: string }) {
  const changes = changesOf(entry);
  return (
    <li>
      <time dateTime={entry.at}>{moment(entry.at)}</time>
      <strong>{kindName(entry.action)}</strong>, by {who}
      {entry.reason && <div>“{entry.reason}”</div>}
      <details className="small">
        <summary className="quiet">
          {entry.object_kind} {entry.object}
        </summary>
        {changes.map(([name, before, after]) => (
          <div key={name}>
            <span className="quiet">{name}</span> {before} → {after}
          </div>
        ))}
        {entry.address && <div className="quiet">from {entry.address}</div>}
      </details>
    </li>
  );
}

/** The fields that differ between before and after. */
function changesOf({ before, after }: Entry): [string, string, string][] {
  const was = (before ?? {}) as { [name: string]: unknown };
  const is = (after ?? {}) as { [name: string]: unknown };
  const text = (value: unknown) => (value === undefined ? "nothing" : JSON.stringify(value));
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  return names
    .map((name): [string, string, string] => [name, text(was[name]), text(is[name])])
    .filter(([, before, after]) => before !== after);
}

export { Record as Component };
