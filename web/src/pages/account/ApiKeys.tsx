import { Button, Checkbox, NumberInput, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Schema, take } from "../../api/client";
import { Answer } from "../../parts/Answer";
import { Confirm } from "../../parts/Confirm";
import { Dialog } from "../../parts/Dialog";
import { Notice, ProblemNotice } from "../../parts/Notice";
import { Empty, Section } from "../../parts/Page";
import { OwnPasswordField } from "../../parts/PasswordField";
import { type Column, Table } from "../../parts/Table";
import { useSend } from "../../parts/useSend";
import { ago, moment } from "../../words/time";

type ApiKey = Schema["ApiKey"];

const SCOPES: [string, string][] = [
  ["events:read", "See concerts"],
  ["events:write", "Change concerts"],
  ["orders:read", "See orders"],
  ["orders:write", "Refund and settle orders"],
  ["messages:read", "See mails"],
  ["messages:write", "Send mails again"],
  ["record:read", "See the record"],
];

const columns: Column<ApiKey>[] = [
  { name: "Name", cell: ({ name }) => name },
  { name: "May", cell: ({ scopes }) => scopes.join(", ") },
  { name: "Last used", cell: ({ last_used_at }) => (last_used_at ? ago(last_used_at) : "never") },
  { name: "Until", cell: ({ expires_at }) => moment(expires_at) },
  {
    name: "",
    cell: ({ id, name }) => (
      <Confirm
        label="Revoke"
        title={`Revoke ${name}`}
        size="xs"
        isDanger
        act={() => take(api.DELETE("/api/v1/auth/api-keys/{id}", { params: { path: { id } } }))}
        changes={[["api-keys"]]}
      >
        Programs that use this key are refused within seconds. It cannot be taken back.
      </Confirm>
    ),
  },
];

/** Keys with which programs act for the account. */
export function ApiKeys() {
  const [open, { open: make, close }] = useDisclosure();
  const keys = useQuery({ queryKey: ["api-keys"], queryFn: () => take(api.GET("/api/v1/auth/api-keys")) });
  return (
    <Section
      title="Keys for programs"
      actions={
        <Button variant="default" onClick={make}>
          New key
        </Button>
      }
    >
      <Answer of={keys}>
        {({ keys }) =>
          keys.length ? (
            <Table label="Keys for programs" rows={keys} columns={columns} keyOf={({ id }) => id} />
          ) : (
            <Empty>No program acts for you.</Empty>
          )
        }
      </Answer>
      <Dialog opened={open} onClose={close} title="New key for a program">
        <NewKey close={close} />
      </Dialog>
    </Section>
  );
}

function NewKey({ close }: { close: () => void }) {
  const [secret, setSecret] = useState("");
  const form = useForm({ initialValues: { name: "", scopes: ["orders:read"], days: 90, password: "" } });
  const make = useSend({
    send: (body: typeof form.values) => take(api.POST("/api/v1/auth/api-keys", { body })),
    changes: [["api-keys"]],
    form,
    done: (made) => setSecret(made.secret),
  });
  if (secret) {
    return (
      <div className="stack">
        <Notice kind="good" title="The key is made">
          <p>Copy its secret now: it is shown only this time.</p>
          <code>{secret}</code>
        </Notice>
        <Button onClick={close}>I have it</Button>
      </div>
    );
  }
  return (
    <form className="stack" onSubmit={form.onSubmit((values) => make.mutate(values))}>
      <ProblemNotice error={make.error} />
      <TextInput
        label="Name"
        description="What it is for."
        required
        maxLength={100}
        {...form.getInputProps("name")}
      />
      <Checkbox.Group label="What it may do" {...form.getInputProps("scopes")}>
        <div className="fields">
          {SCOPES.map(([value, label]) => (
            <Checkbox key={value} value={value} label={label} />
          ))}
        </div>
      </Checkbox.Group>
      <NumberInput label="Days it is good" min={1} max={366} required {...form.getInputProps("days")} />
      <OwnPasswordField label="Your password" {...form.getInputProps("password")} />
      <Button type="submit" loading={make.isPending}>
        Make the key
      </Button>
    </form>
  );
}
