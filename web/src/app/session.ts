import { useQuery } from "@tanstack/react-query";
import { begun, renew, type Schema, type Session, whenEnded } from "../api/client";
import { queries } from "./queries";

const SESSION = ["session"];

/** Who is signed in: null for nobody. */
export function useSession() {
  return useQuery<Session | null>({
    queryKey: SESSION,
    queryFn: renew,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
}

/** For pages behind the sign-in. */
export function useUser(): Schema["User"] {
  const { data } = useSession();
  if (!data) throw new Error("the shell shows pages only to who is signed in");
  return data.user;
}

/** The session that was just opened; nothing of the one before stays. */
export function beginSession(session: Session): void {
  forget();
  queries.setQueryData(SESSION, begun(session));
}

export function endSession(): void {
  queries.setQueryData(SESSION, null);
  forget();
}

/** What others may not see. Who is signed in stays watched by the pages that are shown. */
function forget(): void {
  queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== SESSION[0] });
}

whenEnded(endSession);
