// A box office of its own: the all-in-one on a free port, with a folder that is gone afterwards.

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
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

/** With `settings` of its own. */
export async function open(settings = {}) {
  const folder = mkdtempSync(join(tmpdir(), "boxoffice-web-"));
  const program = spawn(PROGRAM, [], {
    env: {
      ...process.env,
      HTTP_ADDR: "127.0.0.1:0",
      BOXOFFICE_DATA_DIR: folder,
      RATE_LIMITS: "off",
      RUST_LOG: "warn",
      ...settings,
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

/** Where PostgreSQL's own client is. */
function psql() {
  const versions = "/usr/lib/postgresql";
  if (!existsSync(versions)) return "psql";
  const programs = readdirSync(versions).map((version) => join(versions, version, "bin/psql"));
  return programs.find(existsSync) ?? "psql";
}

/** Changes a database behind the back of its service: what no page and no program of ours does. */
export function sql(box, database, statement) {
  const url = new URL(box.database_url);
  url.pathname = `/${database}`;
  execFileSync(psql(), ["--quiet", "--set=ON_ERROR_STOP=1", "--command", statement, url.href]);
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
