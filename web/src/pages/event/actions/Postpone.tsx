import { Textarea, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { api, ifMatch, take } from "../../../api/client";
import { SKIPPED_TIME } from "../../../parts/EventFields";
import { figure } from "../../../words/event";
import { eventTime, fromLocal, toLocal } from "../../../words/time";
import type { ActionProps } from "../EventActions";
import { sums } from "../useEvent";
import { Decide } from "./Decide";
import { useStep } from "./useStep";

export function Postpone({ event, close }: ActionProps) {
  const { timezone } = event;
  const form = useForm({
    initialValues: { date_time: toLocal(event.date_time, timezone), reason: "" },
    validate: { date_time: (time) => (fromLocal(time, timezone) ? null : SKIPPED_TIME) },
  });
  const postpone = useStep<typeof form.values>({
    event,
    send: ({ date_time, reason }) =>
      take(
        api.POST("/api/v1/admin/events/{id}/postpone", {
          params: { path: { id: event.id }, header: { "If-Match": ifMatch(event) } },
          body: { date_time: fromLocal(date_time, timezone) ?? "", reason },
        }),
      ),
    form,
    done: close,
  });
  return (
    <Decide
      label="Postpone"
      close={close}
      sending={postpone}
      isBlocked={!form.isDirty("date_time")}
      onSubmit={form.onSubmit((values) => postpone.mutate(values))}
    >
      <p>
        Now it is {eventTime(event.date_time, timezone)}. Sold tickets ({figure(sums(event).sold)}) stay valid
        for the new date, and their guests get a mail with the reason. The shop shows both dates.
      </p>
      <TextInput
        label="New date and time"
        description={`On the clocks of ${timezone}.`}
        type="datetime-local"
        required
        {...form.getInputProps("date_time")}
      />
      <Textarea
        label="Reason"
        description="Guests are told."
        maxLength={500}
        autosize
        {...form.getInputProps("reason")}
      />
    </Decide>
  );
}
