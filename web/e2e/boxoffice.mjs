// A box office of its own: the all-in-one on a free port, with a folder that is gone afterwards.

import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** `BOXOFFICE_BIN` names the program where it is elsewhere. */
const PROGRAM =
  process.env.BOXOFFICE_BIN ?? new URL("../../target/debug/boxoffice", import.meta.url).pathname;
const PATIENCE_MS = 90_000;

/** Waits until `find` finds something. */
export async function eventually(what, find, patienceMs = 30_000) {
  const end = Date.now() + patienceMs;
  for (;;) {
    const found = await find();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${patienceMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export async function open() {
  const folder = mkdtempSync(join(tmpdir(), "boxoffice-web-"));
  const program = spawn(PROGRAM, [], {
    env: {
      ...process.env,
      HTTP_ADDR: "127.0.0.1:0",
      BOXOFFICE_DATA_DIR: folder,
      RATE_LIMITS: "off",
      RUST_LOG: "warn",
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
  let ended = false;
  const end = new Promise((resolve) => program.once("exit", resolve)).then(() => {
    ended = true;
  });
  async function close() {
    program.kill("SIGTERM");
    await end;
    rmSync(folder, { recursive: true, force: true });
  }
  try {
    const facts = await eventually(
      "run.json",
      () => (ended ? Promise.reject(new Error("it has ended")) : read(folder)),
      PATIENCE_MS,
    );
    return { ...facts, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function read(folder) {
  try {
    return JSON.parse(readFileSync(join(folder, "run.json"), "utf8"));
  } catch {
    return null;
  }
}

/** The newest mail that has the words, decoded. */
export function mailWith(box, words) {
  return eventually(`a mail with “${words}”`, () => {
    for (const name of readdirSync(box.mail_dir).sort().reverse()) {
      if (!name.endsWith(".eml")) continue;
      const text = plain(readFileSync(join(box.mail_dir, name), "utf8"));
      if (text.includes(words)) return text;
    }
    return null;
  });
}

/** Quoted-printable undone, as far as links need it. */
function plain(mail) {
  return mail
    .replace(/=\r?\n/g, "")
    .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}
