import { useQuery } from "@tanstack/react-query";
import { api, type Schema, take } from "../../api/client";
import { endSession } from "../../app/session";
import { Answer } from "../../parts/Answer";
import { Confirm } from "../../parts/Confirm";
import { Section } from "../../parts/Page";
import { type Column, Table } from "../../parts/Table";
import { Tag } from "../../parts/Tag";
import { browserName } from "../../words/browser";
import { ago } from "../../words/time";

type OpenSession = Schema["OpenSession"];

const columns: Column<OpenSession>[] = [
  { name: "Where", cell: ({ user_agent, network }) => `${browserName(user_agent)}, ${network}` },
  {
    name: "Last used",
    cell: ({ current, last_used_at }) => (current ? <Tag tone="good">This one</Tag> : ago(last_used_at)),
  },
  { name: "", cell: (session) => <End session={session} /> },
];

/** Where one is signed in. */
export function Sessions() {
  const sessions = useQuery({
    queryKey: ["sessions"],
    queryFn: () => take(api.GET("/api/v1/auth/sessions")),
  });
  return (
    <Section title="Where you are signed in">
      <Answer of={sessions}>
        {({ sessions }) => (
          <Table label="Sessions" rows={sessions} columns={columns} keyOf={({ id }) => id} />
        )}
      </Answer>
    </Section>
  );
}

function End({ session }: { session: OpenSession }) {
  const { id, current } = session;
  return (
    <Confirm
      label="Sign out there"
      title="Sign out there"
      size="xs"
      act={() => take(api.DELETE("/api/v1/auth/sessions/{id}", { params: { path: { id } } }))}
      changes={current ? [] : [["sessions"]]}
      done={() => current && endSession()}
    >
      {current
        ? "This is the session you are working in: you will be signed out."
        : "That session ends within seconds."}
    </Confirm>
  );
}
