import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef, type ReactNode } from "react";
import { search } from "../../fhir/client";
import { useEvents } from "../../fhir/events";
import type { Resource } from "../../fhir/types";
import { useLanguage } from "../../i18n";
import { clockTime, duration, grouped, useNow } from "../../parts/clock";
import { LineTag } from "../../parts/LineTag";
import { Failure, Loading, Panel } from "../../parts/Panel";
import { Table } from "../../parts/Table";
import { Tag } from "../../parts/Tags";
import { askStatus, useChecks, type Consumer, type Status } from "./queries";
import styles from "./StatusScreen.module.css";

const PAUSE_MS = 1000;
const LATE_S = 60;
const CATCHING_S = 2; // a consumer writes down how far it is twice a second: what is younger than this is no lag
const names = new Set(["drafts.retraction", "quality.units", "subscriptions"]);

/** What whoever runs the installation looks at: is it well, does anything lag, wait or fail, how old is the backup. */
export function StatusScreen(): ReactNode {
  const { language, t } = useLanguage();
  const client = useQueryClient();
  const status = useQuery({ queryKey: ["status", language], queryFn: askStatus, refetchInterval: 10_000, staleTime: 1000 });
  const timer = useRef<number>(undefined);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const line = useEvents("/api/feed", ["change"], (data) => {
    if ((data as { type?: string }).type === "Subscription") void client.invalidateQueries({ queryKey: ["subscriptions"] });
    timer.current ??= window.setTimeout(() => {
      timer.current = undefined;
      void client.invalidateQueries({ queryKey: ["status"] });
    }, PAUSE_MS);
  });
  useEffect(() => {
    document.title = `${t("status.title")} · ${t("appName")}`;
  }, [t]);
  if (status.isPending) return <Panel whole title={t("status.title")}><Loading lines={6} /></Panel>;
  if (!status.data) return <Panel whole title={t("status.title")}><Failure error={status.error} retry={() => void status.refetch()} /></Panel>;
  return (
    <div className={styles.screen}>
      <Panel whole title={t("status.title")} aside={<LineTag line={line} />}>
        {status.isError && <Failure error={status.error} retry={() => void status.refetch()} />}
        <Glance status={status.data} />
      </Panel>
      <Consumers consumers={status.data.feed.consumers} />
      <Subscriptions />
      <Checks />
    </div>
  );
}

/** The few figures that tell whether anything needs a look. */
function Glance({ status }: { status: Status }): ReactNode {
  const { language, t } = useLanguage();
  const now = useNow(5000);
  const { jobs, feed, backup } = status;
  const ago = (instant: string): string => t("status.ago", { time: duration((now.getTime() - new Date(instant).getTime()) / 1000, t) });
  const behind = Math.max(0, ...feed.consumers.map((one) => one.seconds));
  const failed = jobs.counts.failed ?? 0;
  return (
    <dl className={styles.glance}>
      <Figure name={t("status.position")} value={grouped(feed.position)} />
      <Figure name={t("status.behind")} value={feed.consumers.length ? (behind < 1 ? t("status.current") : duration(behind, t)) : t("status.nobody")} bad={behind > LATE_S} />
      <Figure
        name={t("status.jobs")} bad={failed > 0 || jobs.workers === 0}
        value={<Link to="/jobs">{t("status.jobsNow", { running: grouped(jobs.counts.running ?? 0), waiting: grouped(jobs.waiting) })}</Link>}
        more={jobs.workers === 0 ? t("status.noWorker") : failed ? t("status.failed", { count: failed }) : t("status.workers", { count: jobs.workers })}
      />
      <Figure
        name={t("status.backup")} bad={Boolean(backup.reason) || backup.well === false}
        value={backup.newest ? ago(backup.newest) : backup.folder ? t("status.noBackup") : t("status.noBackupFolder")}
        more={backup.reason ?? (backup.rehearsed ? t(backup.well === false ? "status.rehearsalFailed" : "status.rehearsed", { time: clockTime(backup.rehearsed, now, language) }) : undefined)}
      />
      <Figure name={t("status.version")} value={status.version} more={status.database} />
    </dl>
  );
}

function Figure({ name, value, more, bad }: { name: string; value: ReactNode; more?: string; bad?: boolean }): ReactNode {
  return (
    <div data-bad={bad || undefined}>
      <dt>{name}</dt>
      <dd className="num">{value}</dd>
      {more && <dd className="small quiet wrap">{more}</dd>}
    </div>
  );
}

function Consumers({ consumers }: { consumers: Consumer[] }): ReactNode {
  const { t } = useLanguage();
  return (
    <Panel title={t("status.consumers")}>
      {consumers.length ? (
        <Table
          label={t("status.consumers")}
          columns={[
            { key: "name", title: t("status.consumer"), width: "28%" },
            { key: "state", title: t("jobs.state"), width: "20%" },
            { key: "commits", title: t("status.commits"), width: "26%" },
            { key: "seconds", title: t("status.lag"), width: "26%" },
          ]}
          rows={consumers.map((one) => ({
            key: one.name,
            cells: [
              <span key="name">{names.has(one.name) ? <>{t(`status.named.${one.name.replace(".", "_")}`)} <span className="small quiet wrap">{one.name}</span></> : one.name}</span>,
              one.parked ? <Tag key="state" kind="high">{t("status.parked", { count: one.parked })}</Tag>
                : !one.led ? <Tag key="state" kind="warn">{t("status.notLed")}</Tag>
                : <Tag key="state">{t(one.commits && one.seconds >= CATCHING_S ? "status.following" : "status.upToDate")}</Tag>,
              <span key="commits" className="num">{grouped(one.commits)}</span>,
              <span key="seconds" className="num">{one.commits ? duration(one.seconds, t) : "–"}</span>,
            ],
            below: one.reason ? <p className="small wrap" style={{ margin: 0, color: "var(--high)" }}>{one.reason}</p> : undefined,
          }))}
        />
      ) : <p className="quiet">{t("status.noConsumers")}</p>}
    </Panel>
  );
}

interface Subscription extends Resource {
  resourceType: "Subscription";
  status?: string;
  reason?: string;
  criteria?: string;
  error?: string;
  channel?: { type?: string; endpoint?: string };
}

const SUBSCRIPTIONS_FIRST = 50;

function Subscriptions(): ReactNode {
  const { t } = useLanguage();
  const query = useQuery({
    queryKey: ["subscriptions"],
    queryFn: ({ signal }) => search<Subscription>("Subscription", [["_sort", "-_lastUpdated"], ["_count", String(SUBSCRIPTIONS_FIRST)]], signal),
  });
  const known = ["requested", "active", "error", "off"];
  return (
    <Panel title={t("status.subscriptions")}>
      {query.isPending ? <Loading lines={2} />
        : !query.data ? <Failure error={query.error} retry={() => void query.refetch()} />
        : query.data.matches.length ? (
          <Table
            label={t("status.subscriptions")}
            columns={[
              { key: "reason", title: t("status.reason"), width: "34%" },
              { key: "state", title: t("jobs.state"), width: "16%" },
              { key: "channel", title: t("status.channel"), width: "50%" },
            ]}
            rows={query.data.matches.map((one) => ({
              key: one.id ?? "",
              cells: [
                one.reason ?? one.id,
                <Tag key="state" kind={one.status === "error" ? "high" : one.status === "off" ? "warn" : undefined}>
                  {known.includes(one.status ?? "") ? t(`subscriptionState.${one.status}`) : one.status}
                </Tag>,
                <span key="channel" className="wrap">{one.channel?.type} {one.channel?.endpoint}</span>,
              ],
              below: <p className="small wrap quiet" style={{ margin: 0 }}>{one.criteria}{one.error && <span style={{ color: "var(--high)" }}> · {one.error}</span>}</p>,
            }))}
          />
        ) : <p className="quiet">{t("status.noSubscriptions")}</p>}
      {query.data?.next && <p className="quiet small">{t("status.moreSubscriptions", { shown: query.data.matches.length })}</p>}
    </Panel>
  );
}

function Checks(): ReactNode {
  const { language, t } = useLanguage();
  const query = useChecks(language);
  const kinds = { ok: undefined, note: "low", warning: "warn", error: "high" } as const;
  return (
    <Panel title={t("status.checks")}>
      {query.isPending ? <Loading lines={4} />
        : !query.data ? <Failure error={query.error} retry={() => void query.refetch()} />
        : (
          <ul className="rows">
            {query.data.map((one, at) => (
              <li key={one.name + at} className="row">
                <span style={{ flex: "0 0 4.5rem" }}><Tag kind={kinds[one.level]}>{t(`level.${one.level}`)}</Tag></span>
                <span className="grow wrap">{one.message}</span>
              </li>
            ))}
          </ul>
        )}
    </Panel>
  );
}
