import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, type Schema, take } from "../../api/client";
import { Answer } from "../../parts/Answer";
import { Empty } from "../../parts/Page";
import { Tag, type Tone } from "../../parts/Tag";

const VERDICTS: Record<Schema["Verdict"], [string, Tone]> = {
  ok: ["Valid", "good"],
  void: ["Void", "bad"],
  revoked: ["Has another code now", "bad"],
  wrong_event: ["For another concert", "busy"],
  unknown: ["No ticket of ours", "bad"],
};

const CODE_LENGTH = 138;

/** What stands in a QR code, or its beginning: docs/ticket-codes.md. */
export function isCode(text: string): boolean {
  return /^BX[12][0-9A-Z $%*+\-./:]{30,}$/.test(text);
}

/** With the blanks that it ends in, which nobody copies. */
export function whole(code: string): string {
  return code.startsWith("BX2") ? code.padEnd(CODE_LENGTH) : code;
}

/** Whose ticket a code is. A code says nothing of its concert to us, so that has to be chosen. */
export function ByCode({ code, eventId }: { code: string; eventId: string }) {
  const verified = useQuery({
    queryKey: ["verified", eventId, code],
    queryFn: () =>
      take(
        api.POST("/api/v1/admin/events/{id}/verify-ticket", {
          params: { path: { id: eventId } },
          body: { code },
        }),
      ),
    enabled: eventId !== "",
  });
  if (!eventId) return <Empty>This is a ticket's code. Choose the concert that it is for.</Empty>;
  return <Answer of={verified}>{(found) => <Found {...found} />}</Answer>;
}

function Found({ verdict, ticket }: Schema["Verification"]) {
  const [word, tone] = VERDICTS[verdict];
  if (!ticket) {
    return (
      <Empty>
        <Tag tone={tone}>{word}</Tag>
      </Empty>
    );
  }
  return (
    <ul className="entries">
      <li>
        <Link className="entry" to={`/orders/${ticket.order_id}`}>
          <span>
            <strong>{ticket.category}</strong>
            {ticket.holder_name && ` handed on to ${ticket.holder_name}`}
          </span>
          <Tag tone={tone}>{word}</Tag>
          <span className="quiet small">To the order of this ticket</span>
        </Link>
      </li>
    </ul>
  );
}
