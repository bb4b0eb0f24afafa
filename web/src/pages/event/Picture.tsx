import { Button, FileInput, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { api, ifMatch, take } from "../../api/client";
import { Problem } from "../../api/problem";
import { Confirm } from "../../parts/Confirm";
import { asAddress, fitted } from "../../parts/fitted";
import { Notice, ProblemNotice } from "../../parts/Notice";
import { Section } from "../../parts/Page";
import { useSend } from "../../parts/useSend";
import { type EventDetail, eventKey } from "./useEvent";

type Chosen = { blob: Blob; address: string };
type Props = {
  event: EventDetail;
  /** What the page is based on, and what it is after a change of its own. */
  version: number;
  changed: (version: number) => void;
};

/** The picture that guests see above the title, in lists and where links are shared. */
export function Picture({ event, version, changed }: Props) {
  const { image } = event;
  const [chosen, setChosen] = useState<Chosen>();
  const [alt, setAlt] = useState(image?.alt ?? "");
  const choose = useMutation({
    mutationFn: async (file: File | null) => {
      if (!file) return undefined;
      const blob = await fitted(file);
      return { blob, address: await asAddress(blob) };
    },
    onSuccess: setChosen,
    onError: () => setChosen(undefined),
  });
  const save = useSend({
    send: () =>
      chosen ? upload(event.id, { version, alt, blob: chosen.blob }) : rename(event.id, version, alt),
    changes: [eventKey(event.id), ["events"]],
    done: (saved) => {
      setChosen(undefined);
      choose.reset();
      changed(saved.version);
    },
  });
  const rule = !choose.error && save.error && Problem.of(save.error).fields.image;
  const isFinal = !!event.archived_at;
  const isNew = !!chosen || (!!image && alt !== image.alt);
  const shown = chosen?.address ?? image?.sizes[0]?.url;
  return (
    <Section title="Picture">
      <div className="stack">
        {rule ? (
          <Notice kind="error" title="This picture cannot be taken">
            It {rule}.
          </Notice>
        ) : (
          <ProblemNotice error={choose.error ?? save.error} />
        )}
        {save.isSuccess && !isNew && <Notice kind="good">The picture is saved.</Notice>}
        {shown && <img className="picture" src={shown} alt={alt || "The picture as guests see it"} />}
        <FileInput
          label={image ? "Another picture" : "A picture"}
          description="JPEG, PNG or WebP, at least 200 pixels wide and high. Wide ones look best."
          placeholder="Choose a file"
          accept="image/*"
          clearable
          clearButtonProps={{ "aria-label": "Take the file out" }}
          disabled={isFinal}
          key={image?.url ?? "none"}
          onChange={(file) => choose.mutate(file)}
        />
        {(chosen || image) && (
          <TextInput
            label="What it shows"
            description="Read to guests who cannot see it."
            maxLength={250}
            disabled={isFinal}
            value={alt}
            onChange={({ currentTarget }) => setAlt(currentTarget.value)}
          />
        )}
        <div className="actions">
          <Button
            loading={save.isPending || choose.isPending}
            disabled={!isNew}
            onClick={() => save.mutate()}
          >
            Save the picture
          </Button>
          {image && !isFinal && (
            <Confirm
              label="Take it away"
              title="Take the picture away"
              act={async () => {
                changed((await remove(event.id, version)).version);
                setAlt("");
                save.reset();
              }}
              changes={[eventKey(event.id), ["events"]]}
            >
              Guests see the concert without a picture. Where a link was shared it may stay for a while.
            </Confirm>
          )}
        </div>
      </div>
    </Section>
  );
}

type Upload = { version: number; alt: string; blob: Blob };

function upload(id: string, { version, alt, blob }: Upload) {
  return take(
    api.PUT("/api/v1/admin/events/{id}/image", {
      params: { path: { id }, query: { alt }, header: { "If-Match": ifMatch({ version }) } },
      headers: { "Content-Type": blob.type },
      // The contract has no word for a file; the client sends it as it is.
      body: blob as unknown as string,
      bodySerializer: (file) => file,
    }),
  );
}

function rename(id: string, version: number, image_alt: string) {
  return take(
    api.PATCH("/api/v1/admin/events/{id}", {
      params: { path: { id }, header: { "If-Match": ifMatch({ version }) } },
      body: { image_alt },
    }),
  );
}

function remove(id: string, version: number) {
  return take(
    api.DELETE("/api/v1/admin/events/{id}/image", {
      params: { path: { id }, header: { "If-Match": ifMatch({ version }) } },
    }),
  );
}
