// Fails if what the browser loads before it shows the first page has grown too big.

import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET_KB = 250;
const CHUNK_BUDGET_KB = 60;
const folder = new URL("dist/admin/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", folder)));
const size = (file) => gzipSync(readFileSync(new URL(file, folder))).length / 1024;

const first = new Set(["index.html"]);
function add(name) {
  const chunk = manifest[name];
  if (first.has(chunk.file)) return;
  for (const file of [chunk.file, ...(chunk.css ?? [])]) first.add(file);
  for (const needed of chunk.imports ?? []) add(needed);
}
add("index.html");

const total = [...first].reduce((sum, file) => sum + size(file), 0);
console.log(`first load: ${total.toFixed(1)} KB gzip of ${BUDGET_KB}`);
let failed = total > BUDGET_KB;
for (const name of readdirSync(new URL("assets/", folder))) {
  const file = `assets/${name}`;
  if (first.has(file) || size(file) <= CHUNK_BUDGET_KB) continue;
  console.error(`${file}: ${size(file).toFixed(1)} KB gzip, the budget of a page is ${CHUNK_BUDGET_KB}`);
  failed = true;
}
process.exit(failed ? 1 : 0);
