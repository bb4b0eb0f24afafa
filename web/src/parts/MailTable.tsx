import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { api, type Schema, take } from "../api/client";
import { kindName, mailState } from "../words/order";
import { moment } from "../words/time";
import { Answer } from "./Answer";
import { Confirm } from "./Confirm";
import { Dialog } from "./Dialog";
import { MailText, useLook } from "./MailText";
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
  {
    name: "",
    cell: (mail) => (
      <span className="row">
        {mail.recipient && <Read mail={mail} />}
        <Again mail={mail} />
      </span>
    ),
  },
];

/** Mails, and what can be done about each. */
export function MailTable({ mails }: { mails: Mail[] }) {
  return <Table label="Mails" rows={mails} columns={columns} keyOf={({ id }) => id} />;
}

function Read({ mail }: { mail: Mail }) {
  const [isOpen, { open, close }] = useDisclosure();
  return (
    <>
      <Button size="xs" variant="default" onClick={open} aria-label={`Read ${kindName(mail.kind)}`}>
        Read
      </Button>
      <Dialog opened={isOpen} onClose={close} title={kindName(mail.kind)}>
        <Words id={mail.id} />
      </Dialog>
    </>
  );
}

/** What the mail says. Its owners and superadmins are told; to others the answer says that they are not. */
function Words({ id }: { id: string }) {
  const [look, chooseLook] = useLook();
  const words = useQuery({
    queryKey: ["mail", id],
    queryFn: () => take(api.GET("/api/v1/admin/notifications/{id}/mail", { params: { path: { id } } })),
  });
  return (
    <div className="stack">
      {chooseLook}
      <p className="quiet small">Links and codes are its reader’s alone: ••• stands in their places.</p>
      <Answer of={words}>{(mail) => <MailText mail={mail} look={look} />}</Answer>
    </div>
  );
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
