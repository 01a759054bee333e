import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState, type ReactNode } from "react";
import { openAttachment, type Content } from "../../fhir/attachments";
import { conceptText, testName } from "../../fhir/codes";
import type { Attachment, CompositionSection, Observation, Reference } from "../../fhir/types";
import { useLanguage } from "../../i18n";
import { Narrative, narrativeText } from "../../parts/Narrative";
import { Failure, Loading } from "../../parts/Panel";
import { Source } from "../../parts/Source";
import { ObservationText, RangeText } from "../../parts/Value";
import { localReference, SourceLink } from "../../parts/SourceLink";
import { recordedTitle, titleOf, type Document } from "./documents";

interface View {
  document: Document;
  observations: Observation[]; // those at hand
  patient: string;
}

/** A document in readable form: its text, its sections, its pictures; what cannot be shown can be saved. */
export function DocumentView({ document: one, observations, patient }: View): ReactNode {
  const { language, t } = useLanguage();
  const attachments =
    one.resourceType === "DocumentReference"
      ? (one.content ?? []).map((content) => content.attachment ?? {})
      : one.resourceType === "DiagnosticReport"
        ? (one.presentedForm ?? [])
        : [];
  const conclusion = one.resourceType === "DiagnosticReport" ? one.conclusion?.trim() : undefined;
  const codes = one.resourceType === "DiagnosticReport" ? (one.conclusionCode ?? []).map((code) => conceptText(code, language)).filter(Boolean) : [];
  const sections = one.resourceType === "Composition" ? (one.section ?? []) : [];
  const results = one.resourceType === "DiagnosticReport" ? (one.result ?? []) : [];
  // The resource's own narrative is shown where nothing else would be: it usually repeats the rest.
  const narrative = !attachments.length && !sections.length && !conclusion && narrativeText(one.text?.div) ? one.text?.div : undefined;
  const nothing = !attachments.length && !sections.length && !conclusion && !codes.length && !narrative && !results.length;
  return (
    <div>
      {one.resourceType === "DocumentReference" && one.description && <p className="quiet wrap" dir="auto">{one.description}</p>}
      {attachments.map((attachment, at) => (
        <AttachmentView key={at} attachment={attachment} titled={attachment.title !== titleOf(one, language) && attachment.title !== recordedTitle(one)} owner={`${one.resourceType}/${one.id}`} at={at} />
      ))}
      {sections.map((section, at) => (
        <Section key={at} section={section} patient={patient} depth={0} />
      ))}
      {narrative && <Narrative html={narrative} />}
      {(conclusion || codes.length > 0) && (
        <>
          <h3>{t("documents.conclusion")}</h3>
          {conclusion && <p className="written" dir="auto">{conclusion}</p>}
          {codes.length > 0 && <p dir="auto">{codes.join(t("listComma"))}</p>}
        </>
      )}
      {results.length > 0 && (
        <>
          <h3>{t("documents.results", { count: results.length })}</h3>
          <ReportResults references={results} observations={observations} patient={patient} />
        </>
      )}
      {nothing && <p className="quiet">{t("documents.noText")}</p>}
    </div>
  );
}

/** A report's results as values where they are at hand, else as links to them. */
function ReportResults({ references, observations, patient }: { references: Reference[]; observations: Observation[]; patient: string }): ReactNode {
  const { language, t } = useLanguage();
  const known = new Map(observations.map((one) => [`Observation/${one.id}`, one]));
  const found = references.map((reference) => known.get((reference.reference ?? "").replace(/\/_history\/.*$/, ""))).filter((one) => one !== undefined);
  const rest = references.filter((reference) => !known.has((reference.reference ?? "").replace(/\/_history\/.*$/, "")));
  return (
    <>
      {found.length > 0 && (
        <table className="grid">
          <thead>
            <tr>
              <th scope="col">{t("results.test")}</th>
              <th scope="col">{t("results.value")}</th>
              <th scope="col">{t("results.range")}</th>
              <th scope="col">{t("chart.source")}</th>
            </tr>
          </thead>
          <tbody>
            {found.map((one) => {
              const what = testName(one.code, language) ?? t("unknown.what");
              return (
                <tr key={one.id}>
                  <th scope="row" dir="auto">{what}</th>
                  <td><ObservationText observation={one} /></td>
                  <td className="num"><RangeText of={one} /></td>
                  <td><Source of={one} patient={patient} what={what} /></td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
      {rest.length > 0 && <References references={rest} patient={patient} />}
    </>
  );
}

function References({ references, patient }: { references: Reference[]; patient: string }): ReactNode {
  return (
    <ul style={{ margin: 0, paddingInlineStart: "1.2rem" }}>
      {references.map((reference, at) => {
        const text = reference.display ?? reference.reference ?? "?";
        const local = localReference(reference.reference);
        return <li key={at} dir="auto">{local ? <SourceLink patient={patient} {...local}>{text}</SourceLink> : text}</li>;
      })}
    </ul>
  );
}

function Section({ section, patient, depth }: { section: CompositionSection; patient: string; depth: number }): ReactNode {
  const { language } = useLanguage();
  const title = section.title?.trim() || conceptText(section.code, language);
  return (
    <section>
      {title && <h3 dir="auto">{title}</h3>}
      {section.text?.div && <Narrative html={section.text.div} />}
      {section.entry && <References references={section.entry} patient={patient} />}
      {depth < 8 && (section.section ?? []).map((inner, at) => <Section key={at} section={inner} patient={patient} depth={depth + 1} />)}
    </section>
  );
}

function AttachmentView({ attachment, titled, owner, at }: { attachment: Attachment; titled: boolean; owner: string; at: number }): ReactNode {
  const content = useQuery({
    queryKey: ["attachment", owner, at, attachment.url ?? "", attachment.data?.length ?? 0],
    queryFn: ({ signal }) => openAttachment(attachment, signal),
  });
  return (
    <div style={{ margin: "0 0 1rem" }}>
      {attachment.title && titled && <h3 dir="auto">{attachment.title}</h3>}
      {content.isPending ? <Loading /> : content.isError ? <Failure error={content.error} retry={() => void content.refetch()} /> : (
        <ContentView content={content.data} name={attachment.title} />
      )}
    </div>
  );
}

function ContentView({ content, name }: { content: Content; name: string | undefined }): ReactNode {
  const { t } = useLanguage();
  switch (content.kind) {
    case "text":
      return content.text.trim() ? <p className="written" dir="auto">{content.text}</p> : <p className="quiet">{t("documents.noText")}</p>;
    case "html":
      return <Narrative html={content.html} />;
    case "elsewhere":
      return <p className="quiet wrap">{t("documents.elsewhere", { url: content.url })}</p>;
    case "broken":
      return <p role="alert">{t("documents.broken")}</p>;
    case "none":
      return <p className="quiet">{t("documents.noText")}</p>;
    default:
      return <BlobView blob={content.blob} image={content.kind === "image"} kind={content.type} name={name} />;
  }
}

function BlobView({ blob, image, kind, name }: { blob: Blob; image: boolean; kind: string; name: string | undefined }): ReactNode {
  const { t } = useLanguage();
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  const what = name ?? t("documents.file");
  if (!url) return null;
  if (image) return <img src={url} alt={what} style={{ maxWidth: "100%" }} />;
  return (
    <>
      <p className="quiet">{t("documents.cannotShow", { kind })}</p>
      <Button component="a" href={url} download={what} size="compact-sm" variant="default">{t("documents.download", { what })}</Button>
    </>
  );
}
