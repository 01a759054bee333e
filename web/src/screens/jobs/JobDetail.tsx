import type { ReactNode } from "react";
import { useLanguage } from "../../i18n";
import { clockTime } from "../../parts/clock";
import { Failure, Loading } from "../../parts/Panel";
import styles from "./JobsScreen.module.css";
import { useLog, type Job } from "./queries";

/** A job unfolded: why it stands as it does, when what happened, and what it said. */
export function JobDetail({ job, now }: { job: Job; now: Date }): ReactNode {
  const { language, t } = useLanguage();
  const log = useLog(job.id, job.state === "running");
  const facts: [string, string | null][] = [
    ["jobs.queued", clockTime(job.queued, now, language)],
    ["jobs.started", job.started && clockTime(job.started, now, language)],
    ["jobs.ended", job.ended && clockTime(job.ended, now, language)],
    ["jobs.attempts", job.attempts > 1 || job.state === "failed" ? t("jobs.attemptOf", { attempt: job.attempts, most: job.attemptsMost }) : null],
    ["jobs.number", job.id],
  ];
  return (
    <div className={styles.detail}>
      {job.reason && <p className={styles.reason}>{job.reason}</p>}
      <p className="facts small">
        {facts.map(([key, value]) => value && <span key={key}><span className="quiet">{t(key)}</span> <span className="num wrap">{value}</span></span>)}
      </p>
      {log.isPending ? <Loading lines={2} />
        : log.isError ? <Failure error={log.error} retry={() => void log.refetch()} />
        : log.data.length ? (
          <ol className={styles.log} aria-label={t("jobs.log")} tabIndex={0}>
            {log.data.map((line, at) => (
              <li key={at} data-level={line.level}><time className="num quiet" dateTime={line.at}>{clockTime(line.at, now, language)}</time> <span className="wrap">{line.text}</span></li>
            ))}
          </ol>
        ) : <p className="quiet small">{t("jobs.noLog")}</p>}
    </div>
  );
}
