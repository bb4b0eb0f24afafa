import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { api, type Schema, take } from "../../api/client";
import { paged } from "../../parts/Pages";
import { useSearch } from "../../parts/useSearch";
import { ownZone, toLocal } from "../../words/time";
import { query, type Wish } from "./pieces";

export type EventInsights = Schema["EventInsights"];

/** The period that is chosen stands in the address. */
export function usePeriod(zone = ownZone()) {
  const { wish, set, settled } = useSearch("period", "from", "to", "bucket");
  const today = toLocal(new Date().toISOString(), zone).slice(0, 10);
  return { wish: wish as Wish, set, asked: query(settled as Wish, today) };
}

type Asked = ReturnType<typeof query> & { event_id?: string };

/** As a program asks; the file is for spreadsheets. */
async function read(asked: Asked & { page_token?: string }): Promise<Schema["Insights"]> {
  const params = { query: { ...asked, format: "json" as const, page_size: 20 } };
  return (await take(api.GET("/api/v1/admin/insights", { params }))) as Schema["Insights"];
}

export function useInsights(asked: Asked, refetchInterval: number | false = false) {
  return useQuery({
    queryKey: ["insights", asked],
    queryFn: () => read(asked),
    placeholderData: (before) => before,
    refetchInterval,
  });
}

/** What every concert came to, page by page. */
export function useInsightsList(asked: Asked) {
  return useInfiniteQuery({
    queryKey: ["insights", "list", asked],
    queryFn: ({ pageParam }) => read({ ...asked, page_token: pageParam }),
    ...paged,
    placeholderData: (before) => before,
  });
}

/** The same as a file. */
export function csvOf(asked: Asked): string {
  return `/api/v1/admin/insights?${new URLSearchParams({ ...asked, format: "csv" })}`;
}
