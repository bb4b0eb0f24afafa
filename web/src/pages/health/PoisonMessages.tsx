import { TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Schema, take } from "../../api/client";
import { Confirm } from "../../parts/Confirm";
import { ProblemNotice } from "../../parts/Notice";
import { Section } from "../../parts/Page";
import { type Column, Table } from "../../parts/Table";
import { ago } from "../../words/time";

type Message = Schema["PoisonMessage"];

const columns: Column<Message>[] = [
  { name: "Subject", cell: ({ subject }) => subject },
  { name: "Why", cell: ({ reason }) => reason },
  { name: "Last", cell: ({ last_received_at, times }) => `${ago(last_received_at)}, ${times} times` },
  { name: "", cell: (message) => <Dismiss message={message} /> },
];

/** Messages between the services that nobody understood. Mostly there is none. */
export function PoisonMessages() {
  const found = useQuery({
    queryKey: ["poison"],
    queryFn: () => take(api.GET("/api/v1/admin/poison-messages", { params: { query: {} } })),
  });
  const messages = found.data?.messages ?? [];
  if (found.isError) return <ProblemNotice error={found.error} retry={found.refetch} />;
  if (!messages.length) return null;
  return (
    <Section title="Messages that became no mail">
      <Table label="Messages" rows={messages} columns={columns} keyOf={({ id }) => id} />
    </Section>
  );
}

function Dismiss({ message: { id } }: { message: Message }) {
  const [note, setNote] = useState("");
  return (
    <Confirm
      label="Take off the list"
      title="Take the message off the list"
      size="xs"
      act={() =>
        take(
          api.POST("/api/v1/admin/poison-messages/{id}/dismiss", {
            params: { path: { id } },
            body: { note },
          }),
        )
      }
      changes={[["poison"]]}
    >
      <TextInput
        label="Why"
        description="For the record."
        required
        value={note}
        onChange={(event) => setNote(event.currentTarget.value)}
      />
    </Confirm>
  );
}
