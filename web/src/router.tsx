import { createRootRoute, createRoute, createRouter } from "@tanstack/react-router";
import { ChartScreen } from "./screens/chart/ChartScreen";
import { SearchScreen } from "./screens/search/SearchScreen";
import { SourceScreen } from "./screens/source/SourceScreen";
import { Crash, NoPage } from "./shell/Crash";
import { Shell } from "./shell/Shell";

// An address names screens and opaque ids, never what was searched for or read.
const root = createRootRoute({ component: Shell, notFoundComponent: NoPage });
const routes = [
  createRoute({ getParentRoute: () => root, path: "/", component: SearchScreen }),
  createRoute({ getParentRoute: () => root, path: "/patients/$patientId", component: ChartScreen }),
  createRoute({ getParentRoute: () => root, path: "/patients/$patientId/source/$type/$id", component: SourceScreen }),
] as const;

export const router = createRouter({
  routeTree: root.addChildren(routes),
  defaultErrorComponent: Crash,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
