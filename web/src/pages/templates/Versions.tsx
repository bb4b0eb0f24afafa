import { api, type Schema, take } from "../../api/client";
import { Confirm } from "../../parts/Confirm";
import { Section } from "../../parts/Page";
import { type Column, Table } from "../../parts/Table";
import { moment } from "../../words/time";

/** What was in force before, and the way back to it. */
export function Versions({ template }: { template: Schema["Template"] }) {
  const { kind, language, version: current, versions } = template;
  const columns: Column<Schema["TemplateVersion"]>[] = [
    { name: "Version", cell: ({ version }) => (version === current ? `${version}, in force` : version) },
    { name: "Since", cell: ({ published_at }) => moment(published_at) },
    { name: "Why", cell: ({ note }) => note },
    {
      name: "",
      cell: ({ version }) =>
        version !== current && (
          <Confirm
            label="Back to this"
            title={`Back to version ${version}`}
            size="xs"
            act={() =>
              take(
                api.POST("/api/v1/admin/templates/{kind}/{language}/revert", {
                  params: { path: { kind, language } },
                  body: { version, note: `Back to version ${version}`, expected_version: current },
                }),
              )
            }
            changes={[["templates"], ["template", kind, language]]}
          >
            Its words are in force again, for every mail from now on.
          </Confirm>
        ),
    },
  ];
  if (!versions.length) return null;
  return (
    <Section title="Versions">
      <Table label="Versions" rows={versions} columns={columns} keyOf={({ version }) => version} />
    </Section>
  );
}
