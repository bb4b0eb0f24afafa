import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Loading } from "./Loading";
import { ProblemNotice } from "./Notice";

/** What was asked for; until then that it comes, or why it does not. */
export function Answer<T>({ of, children }: { of: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  if (of.isPending) return <Loading />;
  if (of.data === undefined) return <ProblemNotice error={of.error} retry={of.refetch} />;
  return (
    <>
      {of.isError && <ProblemNotice error={of.error} retry={of.refetch} />}
      {children(of.data)}
    </>
  );
}
