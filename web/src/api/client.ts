import createClient from "openapi-fetch";
import { Problem } from "./problem";
import type { components, paths } from "./schema";

export type Schema = components["schemas"];
export type Session = Schema["Dashboard"];

const CSRF_HEADER = "X-CSRF-Token";
const REFRESH = "/api/v1/auth/session/refresh";

let csrfToken = "";
let onEnd: () => void = () => {};

/** Remembers the page's token of a session that was opened. */
export function begun(session: Session): Session {
  csrfToken = session.csrf_token;
  return session;
}

/** Calls back when the session has ended, whoever ended it. */
export function whenEnded(callback: () => void): void {
  onEnd = callback;
}

/** Another while for the session, or null where there is none. */
export async function renew(): Promise<Session | null> {
  return exclusively(async () => {
    // Another tab may have renewed it while this one waited: a refresh token is good once.
    const current = await reach(new Request("/api/v1/auth/session"));
    if (current.ok) return begun(await current.json());
    const renewed = await reach(new Request(REFRESH, { method: "POST" }));
    if (renewed.status === 401) return null;
    if (!renewed.ok) throw new Problem(await renewed.json().catch(() => ({})), renewed.status);
    return begun(await renewed.json());
  });
}

let inThisTab: Promise<unknown> = Promise.resolve();

/** One at a time, in all tabs where the browser can do that. */
function exclusively<T>(work: () => Promise<T>): Promise<T> {
  if (navigator.locks) return navigator.locks.request("boxoffice-session", work) as Promise<T>;
  const done = inThisTab.then(work, work);
  inThisTab = done.catch(() => undefined);
  return done;
}

async function reach(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch {
    throw Problem.unreachable();
  }
}

/** Whether the session is over, and not a password wrong. */
async function isUnauthenticated(answer: Response): Promise<boolean> {
  if (answer.status !== 401) return false;
  const problem = await answer
    .clone()
    .json()
    .catch(() => ({}));
  return problem.reason === "UNAUTHENTICATED";
}

async function send(request: Request): Promise<Response> {
  const changes = request.method !== "GET";
  if (changes && csrfToken) request.headers.set(CSRF_HEADER, csrfToken);
  const again = request.clone();
  const answer = await reach(request);
  if (!csrfToken || !(await isUnauthenticated(answer))) return answer;
  if (!(await renew())) {
    csrfToken = "";
    onEnd();
    return answer;
  }
  if (changes) again.headers.set(CSRF_HEADER, csrfToken);
  return reach(again);
}

export const api = createClient<paths>({ baseUrl: window.location.origin, fetch: send });

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** What was asked for; throws a `Problem` where it was refused. */
export async function take<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok) throw new Problem((error ?? {}) as Partial<Schema["Problem"]>, response.status);
  return data as T;
}

/** Names one intent, so that a repeat does nothing twice. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The tag of the version that a change is based on. */
export function ifMatch(thing: { version: number }): string {
  return `"${thing.version}"`;
}
