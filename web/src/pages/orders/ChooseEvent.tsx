import { Select } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, take } from "../../api/client";

const QUIET_MS = 250;
/** As many as somebody looks through; whoever wants another one writes more of its title. */
const SHOWN = 20;

/** One of the concerts, found by its title: there may be more of them than a list has room for. */
export function ChooseEvent({ id, choose }: { id: string; choose: (id: string) => void }) {
  const [text, setText] = useState("");
  const chosen = useQuery({
    queryKey: ["events", "name", id],
    queryFn: () => take(api.GET("/api/v1/admin/events/{id}", { params: { path: { id } } })),
    enabled: id !== "",
  });
  const title = id ? (chosen.data?.title ?? "This concert") : "";
  // The field shows what is chosen as if it had been searched for.
  const [words] = useDebouncedValue(text === title ? "" : text.trim(), QUIET_MS);
  const found = useQuery({
    queryKey: ["events", "names", words],
    queryFn: () =>
      take(api.GET("/api/v1/admin/events", { params: { query: { q: words, page_size: SHOWN } } })),
    placeholderData: keepPreviousData,
  });
  const options = (found.data?.events ?? []).map((event) => ({ value: event.id, label: event.title }));
  const others = options.filter(({ value }) => value !== id);
  const fits = new Set(options.map(({ value }) => value));
  return (
    <Select
      label="Concert"
      data={id ? [{ value: id, label: title }, ...others] : options}
      // The server has searched. What is chosen stays among the data, for its title.
      filter={({ options }) =>
        options.filter((option) => words === "" || ("value" in option && fits.has(option.value)))
      }
      placeholder="Any"
      searchable
      searchValue={text}
      onSearchChange={setText}
      nothingFoundMessage={found.isFetching ? "Searching" : "No concert fits."}
      // Inside the page's landmarks.
      comboboxProps={{ withinPortal: false }}
      clearable
      clearButtonProps={{ "aria-label": "Any concert" }}
      error={found.isError && "The concerts cannot be searched just now."}
      value={id || null}
      onChange={(value) => choose(value ?? "")}
    />
  );
}
