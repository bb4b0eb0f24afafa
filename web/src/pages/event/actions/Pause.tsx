import { api, ifMatch, take } from "../../../api/client";
import { figure } from "../../../words/event";
import type { ActionProps } from "../EventActions";
import { sums } from "../useEvent";
import { Decide } from "./Decide";
import { useStep } from "./useStep";

export function Pause({ event, close }: ActionProps) {
  const pause = useStep({
    event,
    send: () =>
      take(
        api.PATCH("/api/v1/admin/events/{id}", {
          params: { path: { id: event.id }, header: { "If-Match": ifMatch(event) } },
          body: { status: "inactive" },
        }),
      ),
    done: close,
  });
  const { sold, held } = sums(event);
  return (
    <Decide
      label="Pause the sale"
      close={close}
      sending={pause}
      onSubmit={(submit) => {
        submit.preventDefault();
        pause.mutate();
      }}
    >
      <ul>
        <li>It leaves the shop, and nobody can choose tickets any more.</li>
        <li>Who holds tickets now ({figure(held)}) can still pay for them.</li>
        <li>Sold tickets ({figure(sold)}) stay valid.</li>
        <li>You can put it on sale again at any time.</li>
      </ul>
    </Decide>
  );
}
