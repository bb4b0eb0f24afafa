import { Button, NumberInput, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useState } from "react";
import { api, ifMatch, type Schema, take } from "../../api/client";
import { Dialog } from "../../parts/Dialog";
import { ProblemNotice } from "../../parts/Notice";
import { Section } from "../../parts/Page";
import { type Column, Table } from "../../parts/Table";
import { useSend } from "../../parts/useSend";
import { figure } from "../../words/event";
import { type EventDetail, eventKey } from "./useEvent";

type Pool = Schema["Pool"];
type Values = { name: string; capacity: number | ""; blocked: number | "" };

/** Stock that several ticket types share: a hall with two kinds of tickets, for example. */
export function Pools({ event, pools, isFinal }: { event: EventDetail; pools: Pool[]; isFinal: boolean }) {
  const [edited, edit] = useState<Pool | "new">();
  const close = () => edit(undefined);
  const columns: Column<Pool>[] = [
    { name: "Name", cell: ({ name }) => <strong>{name}</strong> },
    {
      name: "Room for",
      cell: ({ capacity }) => (capacity == null ? "no limit" : figure(capacity)),
      isNumber: true,
    },
    { name: "Sold", cell: ({ sold }) => figure(sold), isNumber: true },
    { name: "Held", cell: ({ held }) => figure(held), isNumber: true },
    { name: "Blocked", cell: ({ blocked }) => figure(blocked), isNumber: true },
    {
      name: "",
      cell: (pool) =>
        !isFinal && (
          <Button size="xs" variant="default" onClick={() => edit(pool)} aria-label={`Edit ${pool.name}`}>
            Edit
          </Button>
        ),
    },
  ];
  return (
    <Section
      title="Shared stock"
      actions={
        !isFinal && (
          <Button variant="default" onClick={() => edit("new")}>
            New shared stock
          </Button>
        )
      }
    >
      {pools.length ? (
        <Table label="Shared stock" rows={pools} columns={columns} keyOf={({ id }) => id} />
      ) : (
        <p className="quiet">
          Ticket types that fill the same hall can share its room: then they sell out together. Most concerts
          need none.
        </p>
      )}
      <Dialog
        opened={!!edited}
        onClose={close}
        title={edited === "new" ? "New shared stock" : (edited?.name ?? "")}
      >
        {edited && <PoolForm event={event} close={close} {...(edited !== "new" && { pool: edited })} />}
      </Dialog>
    </Section>
  );
}

function PoolForm({ event, pool, close }: { event: EventDetail; pool?: Pool; close: () => void }) {
  const form = useForm<Values>({
    initialValues: { name: pool?.name ?? "", capacity: pool?.capacity ?? "", blocked: pool?.blocked ?? 0 },
  });
  const save = useSend<Values>({
    send: ({ name, capacity, blocked }, key) => {
      const body = { name, capacity: capacity === "" ? null : capacity, blocked: blocked || 0 };
      if (!pool) {
        const params = { path: { id: event.id }, header: { "Idempotency-Key": key } };
        return take(api.POST("/api/v1/admin/events/{id}/pools", { params, body }));
      }
      const params = { path: { id: pool.id }, header: { "If-Match": ifMatch(pool) } };
      return take(api.PATCH("/api/v1/admin/pools/{id}", { params, body }));
    },
    changes: [eventKey(event.id), ["pools", event.id]],
    form,
    done: close,
  });
  return (
    <form className="stack" onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <ProblemNotice error={save.error} />
      <TextInput
        label="Name"
        placeholder="The whole hall"
        required
        maxLength={100}
        {...form.getInputProps("name")}
      />
      <div className="fields">
        <NumberInput
          label="Room for"
          description="Empty: no limit."
          min={0}
          allowDecimal={false}
          {...form.getInputProps("capacity")}
        />
        <NumberInput
          label="Blocked"
          description="Of these, not sold."
          min={0}
          allowDecimal={false}
          {...form.getInputProps("blocked")}
        />
      </div>
      <div className="actions">
        <Button type="submit" loading={save.isPending}>
          {pool ? "Save" : "Add it"}
        </Button>
        <Button variant="default" onClick={close}>
          Cancel
        </Button>
      </div>
    </form>
  );
}
