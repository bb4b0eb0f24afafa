import { Button, Select, TextInput } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { Link, useSearchParams } from "react-router";
import { api, type Schema, take } from "../api/client";
import { Loading } from "../parts/Loading";
import { ProblemNotice } from "../parts/Notice";
import { Empty, Page } from "../parts/Page";
import { Tag } from "../parts/Tag";
import { eventState } from "../words/event";
import { money } from "../words/money";
import { eventTime } from "../words/time";

type AdminEvent = Schema["AdminEvent"];

const STATES = [
  { value: "", label: "All but the archive" },
  { value: "active", label: "On sale" },
  { value: "inactive", label: "Not on sale" },
  { value: "cancelled", label: "Cancelled" },
  { value: "archived", label: "The archive" },
];

/** Every concert of who is signed in. */
function Programme() {
  const [search, setSearch] = useSearchParams();
  const [words, state] = [search.get("q") ?? "", search.get("state") ?? ""];
  const archived = state === "archived";
  const pages = useInfiniteQuery({
    queryKey: ["events", { archived, words }],
    initialPageParam: "",
    // What was found stays until more letters have found something else.
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam }) =>
      take(
        api.GET("/api/v1/admin/events", {
          params: { query: { archived, q: words, page_size: 100, page_token: pageParam } },
        }),
      ),
    getNextPageParam: (page) => page.next_page_token || null,
  });
  const { hasNextPage, isFetchingNextPage, fetchNextPage, isError } = pages;
  const narrowed = Boolean(state) && !archived;
  useEffect(() => {
    // What is searched for may stand on any page.
    if (narrowed && hasNextPage && !isFetchingNextPage && !isError) void fetchNextPage();
  }, [narrowed, hasNextPage, isFetchingNextPage, isError, fetchNextPage]);

  const events = (pages.data?.pages ?? []).flatMap((page) => page.events);
  const found = events.filter((event) => fits(event, state));
  function look(name: string, value: string) {
    setSearch(
      (before) => {
        if (value) before.set(name, value);
        else before.delete(name);
        return before;
      },
      { replace: true },
    );
  }
  const isSearch = narrowed || archived || Boolean(words);
  const isNew = pages.data !== undefined && events.length === 0 && !isSearch;
  return (
    <Page
      title="Programme"
      actions={
        !isNew && (
          <Button component={Link} to="/events/new">
            New concert
          </Button>
        )
      }
    >
      <search className="search">
        <TextInput
          label="Search"
          placeholder="Title or place"
          type="search"
          maxLength={200}
          value={words}
          onChange={(event) => look("q", event.currentTarget.value)}
        />
        <Select
          label="Show"
          data={STATES}
          value={state}
          allowDeselect={false}
          onChange={(value) => look("state", value ?? "")}
        />
      </search>
      <ProblemNotice error={pages.error} retry={pages.refetch} />
      {pages.isPending && <Loading lines={5} />}
      {pages.data && found.length === 0 && !isFetchingNextPage && <Nothing isSearch={isSearch} />}
      {found.length > 0 && (
        <ul className="entries">
          {found.map((event) => (
            <Entry key={event.id} event={event} />
          ))}
        </ul>
      )}
      {hasNextPage && (
        <Button variant="default" loading={isFetchingNextPage} onClick={() => fetchNextPage()}>
          Show more
        </Button>
      )}
    </Page>
  );
}

function fits(event: AdminEvent, state: string): boolean {
  return !state || state === "archived" || event.status === state;
}

function Entry({ event }: { event: AdminEvent }) {
  const [state, tone] = eventState(event);
  return (
    <li>
      <Link className="entry" to={`/events/${event.id}`}>
        <strong>{event.title}</strong>
        <Tag tone={tone}>{state}</Tag>
        <span className="quiet small">
          {eventTime(event.date_time, event.timezone)}, {event.location}
        </span>
        <span className="small number">{event.price_from && `from ${money(event.price_from)}`}</span>
      </Link>
    </li>
  );
}

function Nothing({ isSearch }: { isSearch: boolean }) {
  if (isSearch) return <Empty>No concert fits.</Empty>;
  return (
    <Empty>
      <p>Your programme is empty. A concert needs a title, a place and a date; tickets come next.</p>
      <Button component={Link} to="/events/new">
        New concert
      </Button>
    </Empty>
  );
}

export { Programme as Component };
