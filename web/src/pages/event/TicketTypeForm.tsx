import { Button, Checkbox, NumberInput, TextInput } from "@mantine/core";
import { type UseFormReturnType, useForm } from "@mantine/form";
import { api, ifMatch, type Schema, take } from "../../api/client";
import { ProblemNotice } from "../../parts/Notice";
import { useSend } from "../../parts/useSend";
import { bodyOf, faultsOf, type TypeValues, valuesOf } from "./ticketType";
import { type EventDetail, eventKey } from "./useEvent";

type Pool = Schema["Pool"];
type Props = { event: EventDetail; pools: Pool[]; type?: Schema["AdminTicketType"]; close: () => void };
type Form = UseFormReturnType<TypeValues>;

/** A ticket type: a new one, or another shape of one that is there. */
export function TicketTypeForm({ event, pools, type, close }: Props) {
  const given = { zone: event.timezone, currency: event.currency };
  const form: Form = useForm<TypeValues>({
    initialValues: valuesOf(type, given.zone),
    validate: (values) => faultsOf(values, given),
  });
  const save = useSend<TypeValues>({
    send: (values, key) => {
      const { pool_ids, ...body } = bodyOf(values, given);
      if (!type) {
        return take(
          api.POST("/api/v1/admin/events/{id}/ticket-types", {
            params: { path: { id: event.id }, header: { "Idempotency-Key": key } },
            body: { ...body, pool_ids },
          }),
        );
      }
      return take(
        api.PATCH("/api/v1/admin/ticket-types/{id}", {
          params: { path: { id: type.id }, header: { "If-Match": ifMatch(type) } },
          // From the first hold on they are fixed, so they are told only where they changed.
          body: form.isDirty("pool_ids") ? { ...body, pool_ids } : body,
        }),
      );
    },
    changes: [eventKey(event.id), ["pools", event.id]],
    form,
    done: close,
  });
  return (
    <form className="stack" onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <ProblemNotice error={save.error} />
      <What form={form} currency={given.currency} isNew={!type} />
      <When form={form} zone={given.zone} />
      <Limits form={form} />
      {pools.length > 0 && <Shared form={form} pools={pools} />}
      <div className="actions">
        <Button type="submit" loading={save.isPending}>
          {type ? "Save" : "Add it"}
        </Button>
        <Button variant="default" onClick={close}>
          Cancel
        </Button>
      </div>
    </form>
  );
}

function What({ form, currency, isNew }: { form: Form; currency: string; isNew: boolean }) {
  return (
    <>
      <TextInput
        label="Name"
        placeholder="Standing"
        required
        maxLength={100}
        {...form.getInputProps("category")}
      />
      <div className="fields">
        <TextInput
          label={`Price in ${currency}`}
          description={isNew ? "With tax; 0 is free." : "Held tickets keep the price of now."}
          inputMode="decimal"
          required
          {...form.getInputProps("price")}
        />
        <TextInput
          label="Tax in it, in %"
          description="0 where there is none."
          inputMode="decimal"
          required
          {...form.getInputProps("tax")}
        />
      </div>
      <div className="fields">
        <NumberInput
          label="Tickets"
          description="Empty: no limit."
          min={0}
          allowDecimal={false}
          {...form.getInputProps("total_stock")}
        />
        <NumberInput
          label="Blocked"
          description="Of these, not sold: your own."
          min={0}
          allowDecimal={false}
          {...form.getInputProps("blocked")}
        />
      </div>
    </>
  );
}

function When({ form, zone }: { form: Form; zone: string }) {
  return (
    <div className="fields">
      <TextInput
        label="Sale begins"
        description={`Empty: at once. On the clocks of ${zone}.`}
        type="datetime-local"
        {...form.getInputProps("sales_start")}
      />
      <TextInput
        label="Sale ends"
        description="Empty: when the concert begins."
        type="datetime-local"
        {...form.getInputProps("sales_end")}
      />
    </div>
  );
}

function Limits({ form }: { form: Form }) {
  const limits = [
    ["min_per_order", "At least, in one order", 1],
    ["max_per_order", "At most, in one order", 1],
    ["max_per_guest", "At most, for one guest", 1],
  ] as const;
  return (
    <div className="fields">
      {limits.map(([field, label, min]) => (
        <NumberInput
          key={field}
          label={label}
          min={min}
          allowDecimal={false}
          {...form.getInputProps(field)}
        />
      ))}
    </div>
  );
}

function Shared({ form, pools }: { form: Form; pools: Pool[] }) {
  return (
    <Checkbox.Group
      label="Shared stock it draws from, too"
      description="Fixed from the first held ticket on."
      {...form.getInputProps("pool_ids")}
    >
      <div className="fields">
        {pools.map(({ id, name }) => (
          <Checkbox key={id} value={id} label={name} />
        ))}
      </div>
    </Checkbox.Group>
  );
}
