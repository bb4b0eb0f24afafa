import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import { Problem } from "../api/problem";

type Kind = "info" | "good" | "warning" | "error";

/** A word in a coloured frame. Errors are read out at once, the rest when it is its turn. */
export function Notice({ kind, title, children }: { kind: Kind; title?: string; children?: ReactNode }) {
  return (
    <div className={`notice ${kind}`} role={kind === "error" ? "alert" : "status"}>
      {title && <strong>{title}</strong>}
      {children && <div>{children}</div>}
    </div>
  );
}

/** What went wrong, with a way on. Nothing where nothing did. */
export function ProblemNotice({ error, retry }: { error: unknown; retry?: () => unknown }) {
  if (!error) return null;
  const problem = Problem.of(error);
  const stale = problem.reason === "VERSION_MISMATCH";
  return (
    <Notice kind="error" title={stale ? "Somebody else changed this meanwhile" : problem.title}>
      <p>{stale ? "Load the page again to see their change, then make yours." : problem.message}</p>
      {problem.traceId && problem.status >= 500 && <p className="small">Trace {problem.traceId}</p>}
      {(retry || stale) && (
        <Button size="xs" variant="default" onClick={() => (stale ? window.location.reload() : retry?.())}>
          {stale ? "Load again" : "Try again"}
        </Button>
      )}
    </Notice>
  );
}
