// Writes openapi.json as the program of now makes it: `just web-api`.

import { writeFileSync } from "node:fs";
import { open } from "./boxoffice.mjs";

const box = await open();
try {
  const answer = await fetch(`${box.http}/openapi.json`);
  writeFileSync(
    new URL("../openapi.json", import.meta.url),
    `${JSON.stringify(await answer.json(), null, 1)}\n`,
  );
} finally {
  await box.close();
}
