import { Button, Checkbox, NumberInput, Select, Switch, Textarea, TextInput } from "@mantine/core";
import { type UseFormReturnType, useForm } from "@mantine/form";
import { useState } from "react";
import { api, ifMatch, take } from "../../api/client";
import { Notice, ProblemNotice } from "../../parts/Notice";
import { Section } from "../../parts/Page";
import { useSend } from "../../parts/useSend";
import { bodyOf, faultsOf, type TermValues, valuesOf } from "./terms";
import { eventKey, useEvent } from "./useEvent";

type Form = UseFormReturnType<TermValues>;

const PROVIDERS: [string, string][] = [
  ["stripe", "Card (Stripe)"],
  ["manual", "Bank transfer or cash, confirmed by hand"],
  ["sandbox", "The sandbox, for trying things out"],
];

/** Who sells, what the service costs, how guests pay, and whether they may cancel. */
function Terms() {
  const event = useEvent();
  const [version, setVersion] = useState(event.version);
  const form: Form = useForm<TermValues>({
    initialValues: valuesOf(event),
    validate: (values) => faultsOf(values, event.currency),
  });
  const save = useSend<TermValues, { version: number }>({
    send: (values) =>
      take(
        api.PATCH("/api/v1/admin/events/{id}", {
          params: { path: { id: event.id }, header: { "If-Match": ifMatch({ version }) } },
          body: bodyOf(values, event.currency),
        }),
      ),
    changes: [eventKey(event.id)],
    form,
    done: (saved) => {
      setVersion(saved.version);
      form.resetDirty();
    },
  });
  const isFinal = event.status === "cancelled" || !!event.archived_at;
  return (
    <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <Seller form={form} />
      <Fee form={form} currency={event.currency} />
      <Payment form={form} />
      <Cancelling form={form} />
      <div className="stack">
        <ProblemNotice error={save.error} />
        {save.isSuccess && !form.isDirty() && (
          <Notice kind="good">Saved. It counts for what is sold from now on.</Notice>
        )}
        <div className="actions">
          <Button type="submit" loading={save.isPending} disabled={isFinal || !form.isDirty()}>
            Save
          </Button>
        </div>
      </div>
    </form>
  );
}

function Seller({ form }: { form: Form }) {
  return (
    <Section title="Seller">
      <div className="stack">
        <p className="quiet">It stands on receipts. Left empty, it is the seller of this box office.</p>
        <div className="fields">
          <TextInput label="Name" maxLength={200} {...form.getInputProps("name")} />
          <TextInput label="Tax number" maxLength={50} {...form.getInputProps("tax_id")} />
          <TextInput label="Where guests get help" maxLength={200} {...form.getInputProps("contact")} />
        </div>
        <Textarea label="Address" autosize minRows={2} maxLength={500} {...form.getInputProps("address")} />
      </div>
    </Section>
  );
}

const FEE_MODES = [
  { value: "absorbed", label: "It is a part of your price" },
  { value: "added", label: "It comes on top, and guests see the sum" },
];

function Fee({ form, currency }: { form: Form; currency: string }) {
  return (
    <Section title="Service fee">
      <div className="fields">
        <Select
          label="Who bears it"
          data={FEE_MODES}
          allowDeselect={false}
          {...form.getInputProps("fee_mode")}
        />
        <TextInput
          label={`For each ticket, in ${currency}`}
          inputMode="decimal"
          {...form.getInputProps("fee_fixed")}
        />
        <TextInput label="And of the price, in %" inputMode="decimal" {...form.getInputProps("fee_rate")} />
      </div>
    </Section>
  );
}

function Payment({ form }: { form: Form }) {
  return (
    <Section title="How guests pay">
      <div className="stack">
        <Checkbox.Group
          label="They may choose"
          description="With none of these, whatever this box office offers."
          {...form.getInputProps("payment_providers")}
        >
          <div className="fields">
            {PROVIDERS.map(([value, label]) => (
              <Checkbox key={value} value={value} label={label} />
            ))}
          </div>
        </Checkbox.Group>
        <NumberInput
          label="Days a bank transfer may take"
          description="0: as this box office does it."
          min={0}
          max={60}
          allowDecimal={false}
          {...form.getInputProps("manual_payment_days")}
        />
      </div>
    </Section>
  );
}

function Cancelling({ form }: { form: Form }) {
  return (
    <Section title="When guests cannot come">
      <div className="stack">
        <Switch
          label="Guests may cancel by themselves, and get their money back"
          {...form.getInputProps("may_cancel", { type: "checkbox" })}
        />
        {form.values.may_cancel && (
          <div className="fields">
            <NumberInput
              label="Until so many hours before it begins"
              min={0}
              max={8760}
              allowDecimal={false}
              {...form.getInputProps("until_hours")}
            />
            <TextInput label="You keep, in %" inputMode="decimal" {...form.getInputProps("cancel_fee")} />
          </div>
        )}
      </div>
    </Section>
  );
}

export { Terms as Component };
