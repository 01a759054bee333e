import { Button, SegmentedControl, Select } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useEffect, useState, type ReactNode } from "react";
import { useLanguage } from "../../i18n";
import { duration, grouped, useNow } from "../../parts/clock";
import { Confirm } from "../../parts/Confirm";
import { LineTag } from "../../parts/LineTag";
import { Failure, Loading, Panel } from "../../parts/Panel";
import { Table, type Row } from "../../parts/Table";
import { Tag } from "../../parts/Tags";
import { JobDetail } from "./JobDetail";
import styles from "./JobsScreen.module.css";
import { STATES, useDo, useJobs, type Job, type State } from "./queries";

/** Long work: what runs, what waits, what ended and how; cancelled and retried from here. */
export function JobsScreen(): ReactNode {
  const { language, t } = useLanguage();
  const [filter, setFilter] = useState<State>();
  const { query, counts, line, put } = useJobs(filter, language);
  const narrow = useMediaQuery("(max-width: 48em)", window.matchMedia("(max-width: 48em)").matches);
  useEffect(() => {
    document.title = `${t("jobs.title")} · ${t("appName")}`;
  }, [t]);
  const jobs = query.data?.pages.flatMap((page) => page.jobs) ?? [];
  const all = STATES.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  const data = [
    { value: "all", label: t("jobs.all", { count: grouped(all) }) },
    ...STATES.map((state) => ({ value: state, label: `${t(`jobState.${state}`)} ${grouped(counts[state] ?? 0)}` })),
  ];
  const choose = (value: string | null): void => setFilter(STATES.find((state) => state === value));
  return (
    <Panel whole title={t("jobs.title")} aside={<LineTag line={line} />}>
      <div className={styles.bar}>
        {narrow
          ? <Select aria-label={t("jobs.filter")} data={data} value={filter ?? "all"} onChange={choose} allowDeselect={false} />
          : <SegmentedControl aria-label={t("jobs.filter")} size="sm" data={data} value={filter ?? "all"} onChange={choose} />}
      </div>
      {query.isPending ? <Loading lines={5} />
        : query.isError && !jobs.length ? <Failure error={query.error} retry={() => void query.refetch()} />
        : jobs.length ? <Jobs jobs={jobs} put={put} />
        : <p className="quiet">{t(filter ? "jobs.noneSo" : "jobs.none")}</p>}
      {query.hasNextPage && (
        <Button variant="default" size="compact-md" mt="sm" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>{t("state.more")}</Button>
      )}
    </Panel>
  );
}

function Jobs({ jobs, put }: { jobs: Job[]; put: (job: Job) => void }): ReactNode {
  const { t } = useLanguage();
  const now = useNow();
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [asked, setAsked] = useState<{ what: "cancel" | "retry"; id: string }>();
  const toggle = (id: string): void => setOpen((before) => new Set(before.has(id) ? [...before].filter((one) => one !== id) : [...before, id]));
  const about = jobs.find((one) => one.id === asked?.id);
  const rows: Row[] = jobs.map((job) => ({
    key: job.id,
    cells: [
      <button key="title" type="button" className={styles.title} aria-expanded={open.has(job.id)} onClick={() => toggle(job.id)}>
        <span aria-hidden="true">{open.has(job.id) ? "▾" : "▸"}</span> <span>{job.title || job.kind}</span>
      </button>,
      <StateTag key="state" job={job} />,
      job.of !== null || job.done > 0 || !job.ended ? <Progress key="progress" job={job} /> : null,
      <span key="time" className="num">{t(job.ended ? "jobs.took" : job.state === "running" ? "jobs.since" : "jobs.waits", { time: spent(job, now, t) })}</span>,
      job.canCancel || job.canRetry ? (
        <span key="do" className={styles.actions}>
          {job.canCancel && !job.cancelAsked && <Button size="compact-sm" variant="default" onClick={() => setAsked({ what: "cancel", id: job.id })}>{t("jobs.cancel")}</Button>}
          {job.canRetry && <Button size="compact-sm" variant="default" onClick={() => setAsked({ what: "retry", id: job.id })}>{t("jobs.retry")}</Button>}
        </span>
      ) : null,
    ],
    below: open.has(job.id) ? <JobDetail job={job} now={now} /> : job.reason ? <p className={styles.reason}>{job.reason}</p> : undefined,
  }));
  return (
    <>
      <Table
        label={t("jobs.title")} rows={rows}
        columns={[
          { key: "title", title: t("jobs.what"), width: "29%" },
          { key: "state", title: t("jobs.state"), width: "18%" },
          { key: "progress", title: t("jobs.progress"), width: "25%" },
          { key: "time", title: t("jobs.time"), width: "14%" },
          { key: "do", title: "", width: "14%", end: true },
        ]}
      />
      {asked && about && <Ask key={about.id + asked.what} what={asked.what} job={about} put={put} close={() => setAsked(undefined)} />}
    </>
  );
}

function Ask({ what, job, put, close }: { what: "cancel" | "retry"; job: Job; put: (job: Job) => void; close: () => void }): ReactNode {
  const { t } = useLanguage();
  const asking = useDo(what, (now) => {
    put(now);
    close();
  });
  return (
    <Confirm
      title={t(`jobs.${what}Title`)} text={t(`jobs.${what}Text`, { what: job.title || job.kind })} yes={t(`jobs.${what}Yes`)} danger={what === "cancel"}
      busy={asking.isPending} onYes={() => asking.mutate(job.id)} onNo={close}
    >
      {asking.isError && <Failure error={asking.error} />}
    </Confirm>
  );
}

function spent(job: Job, now: Date, t: (key: string, values?: Record<string, unknown>) => string): string {
  const from = new Date((job.state !== "queued" && job.started) || job.queued).getTime(); // one that waits for its next attempt has a start too
  const until = job.ended ? new Date(job.ended).getTime() : now.getTime();
  return duration((until - from) / 1000, t);
}

function StateTag({ job }: { job: Job }): ReactNode {
  const { t } = useLanguage();
  const kind = job.state === "failed" ? "high" : job.state === "running" ? "low" : job.state === "cancelled" ? "warn" : undefined;
  if (job.cancelAsked && job.state === "running") return <Tag kind="warn">{t("jobs.cancelling")}</Tag>;
  if (job.state === "queued" && job.reason) return <Tag kind="warn">{t("jobs.again", { attempt: job.attempts + 1, most: job.attemptsMost })}</Tag>;
  return <Tag kind={kind}>{t(`jobState.${job.state}`)}</Tag>;
}

/** How far it is: a bar where the whole is known, a count where it is not, in words either way. */
function Progress({ job }: { job: Job }): ReactNode {
  const { t } = useLanguage();
  if (job.state === "queued" && !job.done) return <span className="quiet">{t("jobs.notBegun")}</span>;
  const share = job.of ? Math.min(1, job.done / job.of) : undefined;
  const words = job.of ? t("jobs.doneOf", { done: grouped(job.done), of: grouped(job.of) }) : job.done ? t("jobs.done", { done: grouped(job.done) }) : "";
  return (
    <span className={styles.progress}>
      {(share !== undefined || job.state === "running") && (
        <span
          className={styles.track} role="progressbar" aria-label={job.title || job.kind} aria-valuemin={0} aria-valuemax={100}
          aria-valuenow={share === undefined ? undefined : Math.round(share * 100)} data-moving={share === undefined || undefined} data-state={job.state}
        >
          <span style={{ width: share === undefined ? undefined : `${share * 100}%` }} />
        </span>
      )}
      <span className="small num">{words}{job.stage && job.state === "running" ? <span className="quiet">{words && " · "}{job.stage}</span> : null}</span>
    </span>
  );
}
