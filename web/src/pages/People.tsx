import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { api, type Schema, take } from "../api/client";
import { useUser } from "../app/session";
import { Answer } from "../parts/Answer";
import { Confirm } from "../parts/Confirm";
import { Page, Section } from "../parts/Page";
import { Pages, paged } from "../parts/Pages";
import { type Column, Table } from "../parts/Table";
import { Tag } from "../parts/Tag";
import { ago, moment } from "../words/time";
import { AccountMenu } from "./people/AccountMenu";
import { Invite } from "./people/Invite";

type Account = Schema["Account"];
type Invitation = Schema["Invitation"];
type AccountRequest = Schema["AccountRequest"];

const invitations: Column<Invitation>[] = [
  { name: "Who", cell: ({ email }) => email },
  { name: "As", cell: ({ role }) => role },
  { name: "Good until", cell: ({ expires_at }) => moment(expires_at) },
  {
    name: "",
    cell: ({ id, email }) => (
      <Confirm
        label="Take back"
        title={`Take the invitation of ${email} back`}
        size="xs"
        act={() => take(api.DELETE("/api/v1/admin/invitations/{id}", { params: { path: { id } } }))}
        changes={[["invitations"]]}
      >
        The link in the mail opens nothing any more.
      </Confirm>
    ),
  },
];

const requests: Column<AccountRequest>[] = [
  { name: "Who", cell: ({ email }) => email },
  { name: "Says", cell: ({ note }) => note },
  { name: "Asked", cell: ({ created_at }) => ago(created_at) },
  { name: "", cell: (request) => <Decision request={request} /> },
];

/** Who works here. */
function People() {
  const me = useUser();
  const accounts = useInfiniteQuery({
    queryKey: ["users"],
    queryFn: ({ pageParam }) =>
      take(api.GET("/api/v1/admin/users", { params: { query: { page_token: pageParam } } })),
    ...paged,
  });
  const open = useQuery({
    queryKey: ["invitations"],
    queryFn: () => take(api.GET("/api/v1/admin/invitations")),
  });
  return (
    <Page title="People" actions={<Invite />}>
      <Section title="Accounts">
        <Pages of={accounts} entries={(page) => page.users} empty="There are no accounts.">
          {(users) => (
            <Table label="Accounts" rows={users} columns={accountColumns(me.id)} keyOf={({ id }) => id} />
          )}
        </Pages>
      </Section>
      <Answer of={open}>
        {(open) => (
          <>
            {open.requests.length > 0 && (
              <Section title="Who asks for an account">
                <Table label="Requests" rows={open.requests} columns={requests} keyOf={({ id }) => id} />
              </Section>
            )}
            {open.invitations.length > 0 && (
              <Section title="Invited">
                <Table
                  label="Invitations"
                  rows={open.invitations}
                  columns={invitations}
                  keyOf={({ id }) => id}
                />
              </Section>
            )}
          </>
        )}
      </Answer>
    </Page>
  );
}

function accountColumns(me: string): Column<Account>[] {
  return [
    { name: "Who", cell: ({ email, id }) => (id === me ? `${email} (you)` : email) },
    { name: "Role", cell: ({ role }) => role },
    {
      name: "State",
      cell: ({ status, second_factor }) => (
        <span className="row">
          <Tag tone={status === "active" ? "good" : "bad"}>{status === "active" ? "Active" : "Disabled"}</Tag>
          {second_factor && <Tag tone="calm">Second factor</Tag>}
        </span>
      ),
    },
    { name: "Last seen", cell: ({ last_seen_at }) => (last_seen_at ? ago(last_seen_at) : "never") },
    { name: "", cell: (account) => account.id !== me && <AccountMenu account={account} /> },
  ];
}

function Decision({ request: { id, email } }: { request: AccountRequest }) {
  const decide = (body: Schema["AccountDecision"]) =>
    take(api.POST("/api/v1/admin/account-requests/{id}/decide", { params: { path: { id } }, body }));
  return (
    <span className="row">
      <Confirm
        label="Invite"
        title={`Invite ${email}`}
        size="xs"
        act={() => decide({ approve: true, role: "admin" })}
        changes={[["invitations"]]}
      >
        A link to make an account goes to {email}. They see the concerts that they make or are let into.
      </Confirm>
      <Confirm
        label="Refuse"
        title={`Refuse ${email}`}
        size="xs"
        act={() => decide({ approve: false })}
        changes={[["invitations"]]}
      >
        The request goes off the list.
      </Confirm>
    </span>
  );
}

export { People as Component };
