import type { Age } from "../fhir/dates";

/** An age in words. */
export function ageText(age: Age, t: (key: string, values?: Record<string, unknown>) => string): string {
  if (age.unit === "unknown") return t("age.unknown");
  const words = t(`age.${age.unit}`, { count: age.value });
  return age.about ? t("age.about", { age: words }) : words;
}
