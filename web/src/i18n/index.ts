import i18next from "i18next";
import { initReactI18next, useTranslation } from "react-i18next";
import { askIn } from "../fhir/client";
import type { Language } from "../fhir/dates";
import en from "./en.json";
import zh from "./zh.json";

const KEPT = "xinglin.language"; // a preference, nothing of any patient

function preferred(): Language {
  const kept = window.localStorage.getItem(KEPT);
  if (kept === "en" || kept === "zh") return kept;
  const first = navigator.languages.find((one) => /^(zh|en)/i.test(one));
  return first?.toLowerCase().startsWith("zh") ? "zh" : "en";
}

function apply(language: string): void {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  askIn(language);
}

export function startLanguage(language: Language = preferred()): typeof i18next {
  void i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: false, // a missing sentence must be seen by the tests, not papered over in the other language
    resources: { en: { translation: en }, zh: { translation: zh } },
    interpolation: { escapeValue: false }, // React escapes
    returnNull: false,
  });
  apply(language);
  return i18next;
}

/** The reader's language, the sentences in it, and the way to change it. */
export function useLanguage(): {
  language: Language;
  t: (key: string, values?: Record<string, unknown>) => string;
  change: (language: Language) => void;
} {
  const { t, i18n } = useTranslation();
  return {
    language: i18n.language === "zh" ? "zh" : "en",
    t: (key, values) => t(key, values ?? {}),
    change: (language) => {
      window.localStorage.setItem(KEPT, language);
      apply(language);
      void i18n.changeLanguage(language);
    },
  };
}
