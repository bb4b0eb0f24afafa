import { SegmentedControl } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { MailFrame } from "./MailFrame";

const LOOKS = [
  { value: "phone", label: "On a phone" },
  { value: "desk", label: "On a desk" },
  { value: "text", label: "As text" },
];
const WIDTHS_PX: Record<string, number> = { phone: 375, desk: 720 };

/** How a mail is looked at, and the choice of it. */
export function useLook(): [look: string, choice: ReactNode] {
  const [look, setLook] = useState("desk");
  return [
    look,
    <SegmentedControl key="look" aria-label="Looked at" data={LOOKS} value={look} onChange={setLook} />,
  ];
}

/** A mail as its reader sees it, or its plain text. */
export function MailText({
  mail,
  look,
}: {
  mail: { subject: string; html: string; text: string };
  look: string;
}) {
  const { subject, html, text } = mail;
  const width = WIDTHS_PX[look];
  return (
    <div className="stack">
      <strong>{subject}</strong>
      {width ? (
        <MailFrame key={`${look} ${html}`} html={html} title={`The mail “${subject}”`} width={width} />
      ) : (
        <div className="mail">{text}</div>
      )}
    </div>
  );
}
