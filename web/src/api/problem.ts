import type { components } from "./schema";

/** A refusal of the gateway, or that it was not reached. */
export class Problem extends Error {
  readonly reason: string;
  readonly status: number;
  readonly title: string;
  readonly traceId: string;
  /** What is wrong with which field. */
  readonly fields: Record<string, string>;

  constructor(body: Partial<components["schemas"]["Problem"]>, status: number) {
    super(body.detail || "That did not work. Please try again.");
    this.reason = body.reason ?? "UNKNOWN";
    this.status = status;
    this.title = body.title ?? "Something went wrong";
    this.traceId = body.trace_id ?? "";
    this.fields = Object.fromEntries((body.errors ?? []).map((error) => [error.field, error.detail]));
  }

  static unreachable(): Problem {
    return new Problem(
      {
        reason: "UNREACHABLE",
        title: "The box office cannot be reached",
        detail: "Check the connection, then try again. If something was being changed, look whether it was.",
      },
      0,
    );
  }

  static of(error: unknown): Problem {
    return error instanceof Problem ? error : Problem.unreachable();
  }

  /** Whether asking again soon may help. */
  get passes(): boolean {
    return this.status === 0 || this.status === 503;
  }
}
