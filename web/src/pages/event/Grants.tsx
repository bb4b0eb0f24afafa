import { Button, Select, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";
import { api, type Schema, take } from "../../api/client";
import { useUser } from "../../app/session";
import { Answer } from "../../parts/Answer";
import { Confirm } from "../../parts/Confirm";
import { ProblemNotice } from "../../parts/Notice";
import { Section } from "../../parts/Page";
import { type Column, Table } from "../../parts/Table";
import { useSend } from "../../parts/useSend";
import { moment } from "../../words/time";
import { useEvent } from "./useEvent";

type Grant = Schema["EventGrant"];

const GRANTS: { value: Schema["Grant"]; label: string }[] = [
  { value: "owner", label: "Owner: everything, also who may what" },
  { value: "editor", label: "Editor: changes it, refunds orders" },
  { value: "viewer", label: "Viewer: sees it" },
  { value: "door", label: "Door: checks tickets" },
];

/** Who may do what with the concert. */
function Grants() {
  const { id } = useEvent();
  const isSuperadmin = useUser().role === "superadmin";
  const grants = useQuery({
    queryKey: ["grants", id],
    queryFn: () => take(api.GET("/api/v1/admin/events/{id}/grants", { params: { path: { id } } })),
  });
  const accounts = useQuery({
    queryKey: ["accounts-by-id"],
    queryFn: () => take(api.GET("/api/v1/admin/users", { params: { query: { page_size: 100 } } })),
    enabled: isSuperadmin,
  });
  const users = accounts.data?.users ?? [];
  const nameOf = (user: string) => users.find((one) => one.id === user)?.email ?? `Account ${user}`;
  const columns: Column<Grant>[] = [
    { name: "Who", cell: ({ user_id }) => nameOf(user_id) },
    { name: "May", cell: ({ grant }) => GRANTS.find(({ value }) => value === grant)?.label },
    { name: "Since", cell: ({ granted_at }) => moment(granted_at) },
    {
      name: "",
      cell: ({ user_id }) => (
        <Confirm
          label="Take away"
          title={`Take it away from ${nameOf(user_id)}`}
          size="xs"
          act={() =>
            take(
              api.DELETE("/api/v1/admin/events/{id}/grants/{user_id}", { params: { path: { id, user_id } } }),
            )
          }
          changes={[["grants", id]]}
        >
          They do not see this concert any more. A concert keeps at least one owner.
        </Confirm>
      ),
    },
  ];
  return (
    <Section title="Who may do what">
      <div className="stack">
        <Answer of={grants}>
          {({ grants }) => (
            <Table label="Grants" rows={grants} columns={columns} keyOf={({ user_id }) => user_id} />
          )}
        </Answer>
        {!(isSuperadmin && accounts.isPending) && <Add eventId={id} users={users} />}
      </div>
    </Section>
  );
}

/** Superadmins choose among the accounts; others are told the number of one. */
function Add({ eventId, users }: { eventId: string; users: Schema["Account"][] }) {
  const form = useForm<{ user_id: string; grant: Schema["Grant"] }>({
    initialValues: { user_id: "", grant: "viewer" },
  });
  const add = useSend({
    send: ({ user_id, grant }: typeof form.values) =>
      take(
        api.PUT("/api/v1/admin/events/{id}/grants/{user_id}", {
          params: { path: { id: eventId, user_id: user_id.trim() } },
          body: { grant },
        }),
      ),
    changes: [["grants", eventId]],
    form,
    done: () => form.reset(),
  });
  const accounts = users
    .filter(({ status }) => status === "active")
    .map(({ id, email }) => ({ value: id, label: email }));
  return (
    <form className="stack" onSubmit={form.onSubmit((values) => add.mutate(values))}>
      <ProblemNotice error={add.error} />
      <div className="fields">
        {accounts.length ? (
          <Select label="Account" data={accounts} searchable required {...form.getInputProps("user_id")} />
        ) : (
          <TextInput
            label="Account number"
            description="It stands on their page “Your account”."
            required
            {...form.getInputProps("user_id")}
          />
        )}
        <Select label="May" data={GRANTS} allowDeselect={false} {...form.getInputProps("grant")} />
      </div>
      <div className="actions">
        <Button type="submit" variant="default" loading={add.isPending}>
          Let them in
        </Button>
      </div>
    </form>
  );
}

export { Grants as Component };
