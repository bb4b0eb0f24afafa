import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, type Schema, take } from "../api/client";
import { Answer } from "../parts/Answer";
import { Page } from "../parts/Page";
import { Tag } from "../parts/Tag";
import { kindName } from "../words/order";
import { moment } from "../words/time";

/** The words of every kind of mail, in every language. */
function Templates() {
  const templates = useQuery({
    queryKey: ["templates"],
    queryFn: () => take(api.GET("/api/v1/admin/templates")),
  });
  return (
    <Page title="Words of mails">
      <Answer of={templates}>
        {({ templates }) => (
          <ul className="entries">
            {templates.map((template) => (
              <Entry key={`${template.kind} ${template.language}`} template={template} />
            ))}
          </ul>
        )}
      </Answer>
    </Page>
  );
}

const languages = new Intl.DisplayNames(undefined, { type: "language" });

function Entry({
  template: { kind, language, builtin, version, published_at },
}: {
  template: Schema["ListedTemplate"];
}) {
  return (
    <li>
      <Link className="entry" to={`/templates/${kind}/${language}`}>
        <strong>{kindName(kind)}</strong>
        <Tag tone={builtin ? "calm" : "good"}>{builtin ? "As it came" : `Version ${version}`}</Tag>
        <span className="quiet small">{languages.of(language)}</span>
        <span className="quiet small">{published_at && moment(published_at)}</span>
      </Link>
    </li>
  );
}

export { Templates as Component };
