import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  // Reached through the gateway (BFF_SPA_DEV_SERVER), so that the cookies are real and there is one origin.
  server: { host: "127.0.0.1", port: 5173, strictPort: true },
  build: {
    target: ["chrome123", "edge123", "firefox126", "safari17.5"],
    modulePreload: { polyfill: false },
    // Everything is a file of its own: the Content-Security-Policy allows nothing inline.
    assetsInlineLimit: 0,
    license: { fileName: "licenses.md" },
  },
  test: { environment: "node", include: ["src/**/*.test.ts"], restoreMocks: true, unstubGlobals: true },
});
