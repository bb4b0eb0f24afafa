import { Button } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useState } from "react";
import { api, ifMatch, take } from "../../api/client";
import { EventFields, type EventValues, SKIPPED_TIME } from "../../parts/EventFields";
import { Notice, ProblemNotice } from "../../parts/Notice";
import { useSend } from "../../parts/useSend";
import { fromLocal, toLocal } from "../../words/time";
import { Picture } from "./Picture";
import { eventKey, sums, useEvent } from "./useEvent";

/** What the concert is, when and where. */
function Details() {
  const event = useEvent();
  // What the form began with: another's change must not be overwritten unseen.
  const [version, setVersion] = useState(event.version);
  const { title, location, description, timezone } = event;
  const form = useForm<EventValues>({
    initialValues: { title, location, description, timezone, date_time: toLocal(event.date_time, timezone) },
    validate: { date_time: (time, { timezone }) => (fromLocal(time, timezone) ? null : SKIPPED_TIME) },
  });
  const save = useSend({
    send: (values: EventValues) =>
      take(
        api.PATCH("/api/v1/admin/events/{id}", {
          params: { path: { id: event.id }, header: { "If-Match": ifMatch({ version }) } },
          body: { ...values, date_time: fromLocal(values.date_time, values.timezone) },
        }),
      ),
    changes: [eventKey(event.id), ["events"]],
    form,
    done: (saved) => {
      setVersion(saved.version);
      form.resetDirty();
    },
  });
  const isFinal = event.status === "cancelled" || !!event.archived_at;
  const movesGuests = sums(event).sold > 0 && (form.isDirty("date_time") || form.isDirty("timezone"));
  return (
    <>
      <form className="panel stack" onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <ProblemNotice error={save.error} />
        {save.isSuccess && !form.isDirty() && <Notice kind="good">Saved.</Notice>}
        <EventFields form={form} />
        {movesGuests && (
          <Notice kind="warning" title="Guests have tickets for the date of now">
            All of them hear of the new one. If the concert is put off, use “Postpone”: it keeps the old date,
            too.
          </Notice>
        )}
        <div className="actions">
          <Button type="submit" loading={save.isPending} disabled={isFinal || !form.isDirty()}>
            Save
          </Button>
          {isFinal && (
            <span className="quiet">
              It is {event.status === "cancelled" ? "cancelled" : "archived"}, and stays as it is.
            </span>
          )}
        </div>
      </form>
      <Picture event={event} version={version} changed={setVersion} />
    </>
  );
}

export { Details as Component };
