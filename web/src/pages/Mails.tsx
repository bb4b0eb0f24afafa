import { Select, Switch, TextInput } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { api, type Schema, take } from "../api/client";
import { MailTable } from "../parts/MailTable";
import { Page } from "../parts/Page";
import { Pages, paged } from "../parts/Pages";
import { useSearch } from "../parts/useSearch";
import { MAIL_STATES } from "../words/order";

/** What went out by mail, and what did not. */
function Mails() {
  const { wish, set, settled } = useSearch("to", "status", "attention");
  const query = {
    ...(settled.to && { recipient: settled.to.trim() }),
    ...(settled.status && { status: settled.status as Schema["NotificationState"] }),
    ...(settled.attention && { needs_attention: true }),
  };
  const mails = useInfiniteQuery({
    queryKey: ["mails", query],
    queryFn: ({ pageParam }) =>
      take(
        api.GET("/api/v1/admin/notifications", {
          params: { query: { ...query, page_size: 50, page_token: pageParam } },
        }),
      ),
    ...paged,
    placeholderData: (before) => before,
  });
  const isSearch = Object.values(wish).some(Boolean);
  return (
    <Page title="Mails">
      <search className="search">
        <TextInput
          label="To"
          placeholder="An address, or @example.org"
          type="search"
          value={wish.to}
          onChange={(event) => set("to", event.currentTarget.value)}
        />
        <Select
          label="State"
          data={MAIL_STATES}
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
      <Pages
        of={mails}
        entries={(page) => page.notifications}
        empty={isSearch ? "No mail fits. An address has to be whole." : "No mail went out yet."}
      >
        {(mails) => (
          <section className="panel">
            <MailTable mails={mails} />
          </section>
        )}
      </Pages>
    </Page>
  );
}

export { Mails as Component };
