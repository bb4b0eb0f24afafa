import { Button } from "@mantine/core";
import type { InfiniteData, UseInfiniteQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Loading } from "./Loading";
import { ProblemNotice } from "./Notice";
import { Empty } from "./Page";

type Props<Page, Entry> = {
  of: UseInfiniteQueryResult<InfiniteData<Page>>;
  entries: (page: Page) => Entry[];
  /** What stands there where nothing is. */
  empty: ReactNode;
  children: (entries: Entry[]) => ReactNode;
};

/** A list that comes page by page. */
export function Pages<Page, Entry>({ of, entries, empty, children }: Props<Page, Entry>) {
  const found = (of.data?.pages ?? []).flatMap(entries);
  return (
    <>
      <ProblemNotice error={of.error} retry={of.refetch} />
      {of.isPending && <Loading lines={5} />}
      {of.data && found.length === 0 && <Empty>{empty}</Empty>}
      {found.length > 0 && children(found)}
      {of.hasNextPage && (
        <Button variant="default" loading={of.isFetchingNextPage} onClick={() => of.fetchNextPage()}>
          Show more
        </Button>
      )}
    </>
  );
}

/** How lists of the gateway go on. */
export const paged = {
  initialPageParam: "",
  getNextPageParam: (page: { next_page_token: string }) => page.next_page_token || null,
};
