import { Anchor, Button, Select, Textarea, TextInput } from "@mantine/core";
import { type UseFormReturnType, useForm } from "@mantine/form";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams } from "react-router";
import { api, type Schema, take } from "../../api/client";
import { Answer } from "../../parts/Answer";
import { MailText, useLook } from "../../parts/MailText";
import { Notice, ProblemNotice } from "../../parts/Notice";
import { Page, Section } from "../../parts/Page";
import { useSend } from "../../parts/useSend";
import { kindName } from "../../words/order";
import { Versions } from "./Versions";

type Shape = Schema["Template"];
type Form = UseFormReturnType<{ source: string; note: string }>;

/** The words of one kind of mail in one language. */
function Template() {
  const { kind = "", language = "" } = useParams();
  const template = useQuery({
    queryKey: ["template", kind, language],
    queryFn: () =>
      take(api.GET("/api/v1/admin/templates/{kind}/{language}", { params: { path: { kind, language } } })),
    // What is being written must not be lost to what is in force.
    refetchOnWindowFocus: false,
  });
  return (
    <>
      <Anchor component={Link} to="/templates" size="sm">
        Words of mails
      </Anchor>
      <Page title={`${kindName(kind)} (${language})`}>
        <Answer of={template}>{(template) => <Editor key={template.version} template={template} />}</Answer>
      </Page>
    </>
  );
}

function Editor({ template }: { template: Shape }) {
  const { kind, language, source, version } = template;
  const form: Form = useForm({ initialValues: { source, note: "" } });
  const publish = useSend<{ source: string; note: string }>({
    send: (body) =>
      take(
        api.PUT("/api/v1/admin/templates/{kind}/{language}", {
          params: { path: { kind, language } },
          body: { ...body, expected_version: version },
        }),
      ),
    changes: [["templates"], ["template", kind, language]],
    form,
  });
  return (
    <>
      <form className="panel stack" onSubmit={form.onSubmit((values) => publish.mutate(values))}>
        <Textarea
          label="Words"
          description="Head, an empty line, text. What stands in {{ }} is filled in."
          classNames={{ input: "code" }}
          autosize
          minRows={10}
          maxRows={30}
          required
          {...form.getInputProps("source")}
        />
        <Facts facts={template.facts} />
        <TextInput
          label="Why"
          description="For the record."
          required
          maxLength={500}
          {...form.getInputProps("note")}
        />
        <ProblemNotice error={publish.error} />
        <div className="actions">
          <Button type="submit" loading={publish.isPending} disabled={!form.isDirty("source")}>
            Put in force
          </Button>
          <Button variant="default" onClick={() => form.setFieldValue("source", template.builtin_source)}>
            Write it as it came
          </Button>
        </div>
      </form>
      <Preview template={template} source={form.values.source} />
      <Versions template={template} />
    </>
  );
}

function Facts({ facts }: { facts: Shape["facts"] }) {
  return (
    <details className="small">
      <summary>What can be filled in</summary>
      <ul>
        {facts.map(({ name, example }) => (
          <li key={name}>
            <code>{name}</code> <span className="quiet">{example}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

const QUIET_MS = 400;

/** The mail that a sample would become. */
function Preview({ template: { kind, language, samples }, source }: { template: Shape; source: string }) {
  const [sample, setSample] = useState(samples[0] ?? "");
  const [look, chooseLook] = useLook();
  const [settled] = useDebouncedValue(source, QUIET_MS);
  const preview = useQuery({
    queryKey: ["preview", kind, language, sample, settled],
    queryFn: () =>
      take(
        api.POST("/api/v1/admin/templates/{kind}/{language}/preview", {
          params: { path: { kind, language } },
          body: { source: settled, sample },
        }),
      ),
    placeholderData: (before) => before,
  });
  return (
    <Section
      title="What it becomes"
      actions={
        <>
          {chooseLook}
          {samples.length > 1 && (
            <Select
              aria-label="Sample"
              data={samples}
              value={sample}
              allowDeselect={false}
              onChange={(value) => setSample(value ?? "")}
            />
          )}
        </>
      }
    >
      {preview.isError ? (
        <Notice kind="warning">{preview.error.message}</Notice>
      ) : (
        <Answer of={preview}>{(mail) => <MailText mail={mail} look={look} />}</Answer>
      )}
    </Section>
  );
}

export { Template as Component };
