import { api, ifMatch, take } from "../../../api/client";
import type { ActionProps } from "../EventActions";
import { Decide } from "./Decide";
import { useStep } from "./useStep";

export function Archive({ event, close }: ActionProps) {
  const archived = !event.archived_at;
  const archive = useStep({
    event,
    send: () =>
      take(
        api.POST("/api/v1/admin/events/{id}/archive", {
          params: { path: { id: event.id }, header: { "If-Match": ifMatch(event) } },
          body: { archived },
        }),
      ),
    done: close,
  });
  return (
    <Decide
      label={archived ? "Move to the archive" : "Take it out"}
      close={close}
      sending={archive}
      onSubmit={(submit) => {
        submit.preventDefault();
        archive.mutate();
      }}
    >
      {archived ? (
        <p>
          It leaves the shop and every list. Orders, tickets and money stay, and you can take it out again.
        </p>
      ) : (
        <p>It stands in the lists again, as it was before.</p>
      )}
    </Decide>
  );
}
