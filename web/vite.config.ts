import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Built straight into the Python package; the Starlette application in src/xinglin/apps/web serves it.
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/xinglin/apps/web/static",
    emptyOutDir: true,
    license: { fileName: "licenses.md" }, // what is bundled is given away with its licences
    assetsInlineLimit: 0, // the page's content security policy allows no inlined script
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    chunkSizeWarningLimit: 900, // kB before compression; tests/journeys/web holds the compressed size to its bound
  },
  server: { proxy: { "/fhir": process.env.XINGLIN_URL ?? "http://127.0.0.1:8080" } },
  test: {
    include: ["src/**/*.test.{ts,tsx}"], // those that need a document say so in their first line
    setupFiles: ["src/test-setup.ts"],
    testTimeout: 30_000, // a laptop that runs the whole suite at once is slow
    maxWorkers: 2,
  },
});
