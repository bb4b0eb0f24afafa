import { TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useNavigate } from "react-router";
import { api, type Schema, take } from "../../../api/client";
import { SKIPPED_TIME } from "../../../parts/EventFields";
import { useSend } from "../../../parts/useSend";
import { fromLocal } from "../../../words/time";
import type { ActionProps } from "../EventActions";
import { Decide } from "./Decide";

export function Clone({ event, close }: ActionProps) {
  const navigate = useNavigate();
  const { timezone } = event;
  const form = useForm({
    initialValues: { title: event.title, date_time: "" },
    validate: { date_time: (time) => (fromLocal(time, timezone) ? null : SKIPPED_TIME) },
  });
  const clone = useSend<typeof form.values, Schema["AdminEventDetail"]>({
    send: ({ title, date_time }, key) =>
      take(
        api.POST("/api/v1/admin/events/{id}/clone", {
          params: { path: { id: event.id }, header: { "Idempotency-Key": key } },
          body: { title, date_time: fromLocal(date_time, timezone) ?? "" },
        }),
      ),
    changes: [["events"]],
    form,
    done: (copy) => {
      close();
      navigate(`/events/${copy.id}/details`);
    },
  });
  return (
    <Decide
      label="Make the copy"
      close={close}
      sending={clone}
      onSubmit={form.onSubmit((values) => clone.mutate(values))}
    >
      <p>
        The copy has the same tickets, prices and terms, and nothing sold. Its sales windows lie as far before
        the new date as now. It is not on sale until you say so.
      </p>
      <TextInput label="Title" required maxLength={200} {...form.getInputProps("title")} />
      <TextInput
        label="Date and time"
        description={`On the clocks of ${timezone}.`}
        type="datetime-local"
        required
        {...form.getInputProps("date_time")}
      />
    </Decide>
  );
}
