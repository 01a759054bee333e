import { ActionIcon, Button, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { Link, Outlet } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useLanguage } from "../i18n";
import { ServerGone } from "./ServerGone";
import styles from "./Shell.module.css";

/** What stands around every screen. */
export function Shell(): ReactNode {
  const { language, t, change } = useLanguage();
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  const other = language === "zh" ? "en" : "zh";
  return (
    <div className={styles.shell}>
      <a className="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>{t("shell.skip")}</a>
      <header className={`${styles.head} no-print`}>
        <Link to="/" className={styles.brand} aria-label={`${t("appName")} – ${t("shell.home")}`}>
          <img src="/icon.svg" alt="" width={26} height={26} />
          <span>{t("appName")}</span>
        </Link>
        <nav className={styles.nav} aria-label={t("shell.navigation")}>
          <Link to="/" className={styles.home} activeOptions={{ exact: true }}>{t("search.title")}</Link>
          <Link to="/drafts" className={styles.home}>{t("drafts.title")}</Link>
          <Link to="/jobs" className={styles.home}>{t("jobs.title")}</Link>
          <Link to="/status" className={styles.home}>{t("status.title")}</Link>
        </nav>
        <span className={styles.tools}>
          <Button variant="subtle" size="compact-md" lang={other === "zh" ? "zh-CN" : "en"} aria-label={t("shell.languageLabel")} onClick={() => change(other)}>
            {t("shell.language")}
          </Button>
          <ActionIcon variant="subtle" size="lg" aria-label={t(dark ? "shell.light" : "shell.dark")} title={t(dark ? "shell.light" : "shell.dark")} onClick={() => setColorScheme(dark ? "light" : "dark")}>
            <svg width="18" height="18" viewBox="0 0 24 24" aria-hidden="true" fill="currentColor">
              {dark ? <path d="M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10Zm-1-6h2v3h-2zm0 19h2v3h-2zM1 11h3v2H1zm19 0h3v2h-3zM4 5.4 5.4 4l2.1 2.1-1.4 1.4zM16.5 17.9l1.4-1.4L20 18.6 18.6 20zM4 18.6l2.1-2.1 1.4 1.4L5.4 20zM16.5 6.1 18.6 4 20 5.4l-2.1 2.1z" />
                : <path d="M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5Z" />}
            </svg>
          </ActionIcon>
        </span>
      </header>
      <ServerGone />
      <main id="main" tabIndex={-1} className={styles.main}>
        <Outlet />
      </main>
      <footer className={styles.foot}>{t("shell.notForCare")}</footer>
    </div>
  );
}
