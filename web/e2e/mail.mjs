// Mails as files, taken apart as a mail program does it.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./boxoffice.mjs";

/** The newest mail to somebody that fits, with its text, its HTML and what hangs on it. */
export function mailOf(box, recipient, fits) {
  return eventually(`a mail to ${recipient}`, () => {
    for (const name of readdirSync(box.mail_dir).sort().reverse()) {
      if (!name.endsWith(".eml")) continue;
      const mail = open(readFileSync(join(box.mail_dir, name), "latin1"));
      if (mail.to.includes(recipient) && fits(mail)) return mail;
    }
    return null;
  });
}

function open(text) {
  const leaves = parts(text);
  const words = (type) => leaves.find((leaf) => leaf.type === type)?.bytes.toString("utf8") ?? "";
  return {
    to: header(text, "to"),
    text: words("text/plain"),
    html: words("text/html"),
    attachments: leaves.filter(({ type }) => !type.startsWith("text/")),
  };
}

/** The leaves of a message (RFC 2046). */
function parts(text) {
  const [head, ...rest] = text.split(/\r?\n\r?\n/);
  const body = rest.join("\r\n\r\n");
  const type = header(head, "content-type") || "text/plain";
  const [, boundary] = type.match(/boundary="?([^";]+)"?/i) ?? [];
  if (boundary) {
    const inner = body.split(`--${boundary}`).slice(1);
    return inner
      .filter((part) => !part.startsWith("--"))
      .flatMap((part) => parts(part.replace(/^\r?\n/, "")));
  }
  const coding = header(head, "content-transfer-encoding").toLowerCase();
  return [{ type: type.split(";")[0].trim().toLowerCase(), bytes: decoded(body, coding) }];
}

function header(text, name) {
  const [head] = text.split(/\r?\n\r?\n/);
  const line = head
    .replace(/\r?\n[ \t]+/g, " ")
    .split(/\r?\n/)
    .find((line) => line.toLowerCase().startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim() ?? "";
}

function decoded(body, coding) {
  if (coding === "base64") return Buffer.from(body, "base64");
  if (coding !== "quoted-printable") return Buffer.from(body, "latin1");
  const plain = body
    .replace(/=\r?\n/g, "")
    .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(plain, "latin1");
}
