import { useQuery } from "@tanstack/react-query";
import { useOutletContext, useParams } from "react-router";
import { api, type Schema, take } from "../../api/client";

export type EventDetail = Schema["AdminEventDetail"];

export function eventKey(id: string): string[] {
  return ["event", id];
}

/** The concert of the path. */
export function useEventQuery(refetchInterval: number | false = false) {
  const { eventId: id = "" } = useParams();
  return useQuery({
    queryKey: eventKey(id),
    queryFn: () => take(api.GET("/api/v1/admin/events/{id}", { params: { path: { id } } })),
    refetchInterval,
  });
}

/** For the parts of a concert's page, which are shown only when it is there. */
export function useEvent(): EventDetail {
  return useOutletContext<EventDetail>();
}

/** Over all ticket types. A ticket counts once, however much shared stock it draws from. */
export function sums({ ticket_types }: EventDetail) {
  const sum = (of: "sold" | "held" | "blocked") => ticket_types.reduce((total, type) => total + type[of], 0);
  return { sold: sum("sold"), held: sum("held"), blocked: sum("blocked") };
}
