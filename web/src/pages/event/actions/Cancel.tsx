import { Textarea, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useNavigate } from "react-router";
import { api, ifMatch, take } from "../../../api/client";
import { Notice } from "../../../parts/Notice";
import { figure } from "../../../words/event";
import type { ActionProps } from "../EventActions";
import { sums } from "../useEvent";
import { Decide } from "./Decide";
import { useStep } from "./useStep";

/** For ever, so the title is to be typed. */
export function Cancel({ event, close }: ActionProps) {
  const navigate = useNavigate();
  const form = useForm({ initialValues: { reason: "", title: "" } });
  const cancel = useStep<{ reason: string }>({
    event,
    send: (body) =>
      take(
        api.POST("/api/v1/admin/events/{id}/cancel", {
          params: { path: { id: event.id }, header: { "If-Match": ifMatch(event) } },
          body,
        }),
      ),
    form,
    done: () => {
      close();
      navigate(`/events/${event.id}`);
    },
  });
  const { sold, held } = sums(event);
  return (
    <Decide
      label="Cancel the concert"
      isDanger
      close={close}
      sending={cancel}
      isBlocked={form.values.title.trim() !== event.title.trim()}
      onSubmit={form.onSubmit(({ reason }) => cancel.mutate({ reason }))}
    >
      <Notice kind="warning" title="This is for ever">
        <ul>
          <li>
            The sale ends at once. Tickets that are held now ({figure(held)}) cannot be paid for any more.
          </li>
          <li>Sold tickets ({figure(sold)}) become void.</li>
          <li>The money of every order goes back, and its guest gets a mail with the reason.</li>
        </ul>
      </Notice>
      <Textarea
        label="Reason"
        description="Guests are told."
        maxLength={500}
        autosize
        {...form.getInputProps("reason")}
      />
      <TextInput
        label={`Type “${event.title}” to go on`}
        autoComplete="off"
        required
        {...form.getInputProps("title")}
      />
    </Decide>
  );
}
