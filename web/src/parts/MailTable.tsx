import { api, type Schema, take } from "../api/client";
import { kindName, mailState } from "../words/order";
import { moment } from "../words/time";
import { Confirm } from "./Confirm";
import { type Column, Table } from "./Table";
import { Tag } from "./Tag";

type Mail = Schema["Notification"];

const columns: Column<Mail>[] = [
  { name: "When", cell: ({ sent_at, created_at }) => moment(sent_at ?? created_at) },
  { name: "What", cell: ({ kind, copy }) => `${kindName(kind)}${copy > 0 ? `, once more (${copy})` : ""}` },
  { name: "To", cell: ({ recipient }) => recipient ?? "erased" },
  {
    name: "State",
    cell: ({ status, failure }) => {
      const [word, tone] = mailState(status);
      return (
        <>
          <Tag tone={tone}>{word}</Tag> {failure?.text}
        </>
      );
    },
  },
  { name: "", cell: (mail) => <Again mail={mail} /> },
];

/** Mails, and what can be done about each. */
export function MailTable({ mails }: { mails: Mail[] }) {
  return <Table label="Mails" rows={mails} columns={columns} keyOf={({ id }) => id} />;
}

function Again({ mail: { id, status, recipient } }: { mail: Mail }) {
  const path = { id };
  if (status === "sent") {
    return (
      <Confirm
        label="Send again"
        title="Send the mail again"
        size="xs"
        act={(key) =>
          take(
            api.POST("/api/v1/admin/notifications/{id}/resend", {
              params: { path, header: { "Idempotency-Key": key } },
            }),
          )
        }
        changes={[["mails"]]}
      >
        {recipient} gets it once more.
      </Confirm>
    );
  }
  if (status === "failed" || status === "bounced" || status === "queued") {
    return (
      <Confirm
        label="Try now"
        title="Try to send it now"
        size="xs"
        act={() => take(api.POST("/api/v1/admin/notifications/{id}/retry", { params: { path } }))}
        changes={[["mails"]]}
      >
        The same mail is tried again at once.
      </Confirm>
    );
  }
  return null;
}
