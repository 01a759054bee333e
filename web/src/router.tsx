import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { ChartScreen } from "./screens/chart/ChartScreen";
import { readSearch } from "./screens/chart/past";
import { SearchScreen } from "./screens/search/SearchScreen";
import { SourceScreen } from "./screens/source/SourceScreen";
import { Crash, NoPage } from "./shell/Crash";
import { Shell } from "./shell/Shell";

// An address names screens and opaque ids, never what was searched for or read.
const root = createRootRoute({ component: Shell, notFoundComponent: NoPage });
const routes = [
  createRoute({ getParentRoute: () => root, path: "/", component: SearchScreen }),
  createRoute({ getParentRoute: () => root, path: "/patients/$patientId", component: ChartScreen, validateSearch: readSearch }),
  createRoute({ getParentRoute: () => root, path: "/patients/$patientId/source/$type/$id", component: SourceScreen, validateSearch: readSearch }),
  createRoute({ getParentRoute: () => root, path: "/drafts", component: lazyRouteComponent(() => import("./screens/drafts/DraftsScreen"), "DraftsScreen") }),
  createRoute({ getParentRoute: () => root, path: "/jobs", component: lazyRouteComponent(() => import("./screens/jobs/JobsScreen"), "JobsScreen") }),
  createRoute({ getParentRoute: () => root, path: "/status", component: lazyRouteComponent(() => import("./screens/status/StatusScreen"), "StatusScreen") }),
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
