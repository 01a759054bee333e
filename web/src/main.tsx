import "@mantine/core/styles.css";
import "./theme/tokens.css";
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { FhirError } from "./fhir/client";
import { startLanguage } from "./i18n";
import { router } from "./router";
import { cssVariables, theme } from "./theme/theme";

startLanguage();

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      gcTime: 5 * 60_000,
      networkMode: "always", // the server is on this machine or network; the browser's own "offline" says nothing of it
      refetchOnWindowFocus: true,
      // Only silence is worth asking again at once; a refusal stays one.
      retry: (count, error) => count < 1 && error instanceof FhirError && error.kind === "gone",
      retryDelay: 400,
    },
  },
});

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
