import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const gateway = process.env.BOXOFFICE_URL ?? "http://127.0.0.1:8080";

/** As the gateway's, so that what it forbids is seen before. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
].join("; ");

const proxy = Object.fromEntries(
  ["/api", "/shop", "/events", "/readyz"].map((path) => [
    path,
    { target: gateway, headers: { origin: gateway } },
  ]),
);

export default defineConfig({
  base: "/admin/",
  plugins: [react()],
  build: {
    // The folder above is kept in git, so that cargo can watch it.
    outDir: "dist/admin",
    emptyOutDir: true,
    // The gateway's policy lets no page carry its own script or data: everything is a file.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // size.mjs reads which files the first page loads.
    manifest: true,
  },
  server: { proxy },
  preview: { proxy, headers: { "Content-Security-Policy": POLICY } },
  test: { include: ["src/**/*.test.ts"] },
});
