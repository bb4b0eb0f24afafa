import { Button, Select } from "@mantine/core";
import { useForm } from "@mantine/form";
import { Link, useNavigate } from "react-router";
import { api, take } from "../api/client";
import { EventFields, type EventValues, SKIPPED_TIME } from "../parts/EventFields";
import { ProblemNotice } from "../parts/Notice";
import { Page } from "../parts/Page";
import { useSend } from "../parts/useSend";
import { fromLocal, ownZone } from "../words/time";

const CURRENCIES = Intl.supportedValuesOf("currency");

/** A concert that nobody sees yet. */
function NewEvent() {
  const navigate = useNavigate();
  const form = useForm<EventValues>({
    initialValues: { title: "", location: "", description: "", date_time: "", timezone: ownZone() },
    validate: {
      date_time: (time, { timezone }) => (fromLocal(time, timezone) ? null : SKIPPED_TIME),
    },
  });
  const money = useForm({ initialValues: { currency: "EUR" } });
  const make = useSend({
    send: (values: EventValues & { currency: string }, key) =>
      take(
        api.POST("/api/v1/admin/events", {
          params: { header: { "Idempotency-Key": key } },
          body: { ...values, date_time: fromLocal(values.date_time, values.timezone) ?? "" },
        }),
      ),
    changes: [["events"]],
    form,
    done: (event) => navigate(`/events/${event.id}/tickets`),
  });
  return (
    <Page title="New concert">
      <form
        className="panel stack"
        onSubmit={form.onSubmit((values) => make.mutate({ ...values, ...money.values }))}
      >
        <p className="quiet">Guests see it when you put it on sale, and not before.</p>
        <ProblemNotice error={make.error} />
        <EventFields form={form} />
        <Select
          label="Currency"
          description="Of all its tickets. It cannot be changed later."
          data={CURRENCIES}
          searchable
          required
          allowDeselect={false}
          limit={50}
          {...money.getInputProps("currency")}
        />
        <div className="actions">
          <Button type="submit" loading={make.isPending}>
            Go on to the tickets
          </Button>
          <Button component={Link} to="/" variant="default">
            Cancel
          </Button>
        </div>
      </form>
    </Page>
  );
}

export { NewEvent as Component };
