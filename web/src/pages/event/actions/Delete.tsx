import { useNavigate } from "react-router";
import { api, ifMatch, take } from "../../../api/client";
import { useSend } from "../../../parts/useSend";
import type { ActionProps } from "../EventActions";
import { Decide } from "./Decide";

export function Delete({ event, close }: ActionProps) {
  const navigate = useNavigate();
  const remove = useSend({
    send: () =>
      take(
        api.DELETE("/api/v1/admin/events/{id}", {
          params: { path: { id: event.id }, header: { "If-Match": ifMatch(event) } },
        }),
      ),
    changes: [["events"]],
    done: () => navigate("/"),
  });
  return (
    <Decide
      label="Delete"
      isDanger
      close={close}
      sending={remove}
      onSubmit={(submit) => {
        submit.preventDefault();
        remove.mutate();
      }}
    >
      <p>
        {event.title} and its ticket types are gone for good. Only what was never held or sold can be deleted.
      </p>
    </Decide>
  );
}
