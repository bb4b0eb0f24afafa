import { Button, Menu } from "@mantine/core";
import { useState } from "react";
import { Dialog } from "../../parts/Dialog";
import { Archive } from "./actions/Archive";
import { Cancel } from "./actions/Cancel";
import { Clone } from "./actions/Clone";
import { Delete } from "./actions/Delete";
import { Pause } from "./actions/Pause";
import { Postpone } from "./actions/Postpone";
import { Publish } from "./actions/Publish";
import { type EventDetail, sums } from "./useEvent";

export type ActionProps = { event: EventDetail; close: () => void };

const ACTIONS = {
  publish: ["Put on sale", Publish],
  pause: ["Pause the sale", Pause],
  postpone: ["Postpone", Postpone],
  clone: ["Copy for another date", Clone],
  archive: ["Move to the archive", Archive],
  restore: ["Take out of the archive", Archive],
  delete: ["Delete", Delete],
  cancel: ["Cancel the concert", Cancel],
} as const;
type Action = keyof typeof ACTIONS;

/** What the concert's state allows, the likeliest first. */
function actionsOf(event: EventDetail): Action[] {
  if (event.archived_at) return ["restore", "clone"];
  if (event.status === "cancelled") return ["archive", "clone"];
  const { sold, held } = sums(event);
  const sale: Action = event.status === "active" ? "pause" : "publish";
  const end: Action[] = sold + held === 0 ? ["delete"] : [];
  return [sale, "postpone", "clone", "archive", ...end, "cancel"];
}

export function EventActions({ event }: { event: EventDetail }) {
  const [chosen, choose] = useState<Action>();
  const [first, ...others] = actionsOf(event);
  const close = () => choose(undefined);
  const [title, Body] = chosen ? ACTIONS[chosen] : ["", null];
  return (
    <>
      {first && (
        <Button variant={first === "publish" ? "filled" : "default"} onClick={() => choose(first)}>
          {ACTIONS[first][0]}
        </Button>
      )}
      <Menu position="bottom-end" transitionProps={{ duration: 0 }}>
        <Menu.Target>
          <Button variant="default">More</Button>
        </Menu.Target>
        <Menu.Dropdown>
          {others.map((action) => (
            <Menu.Item key={action} onClick={() => choose(action)}>
              {ACTIONS[action][0]}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      <Dialog opened={!!chosen} onClose={close} title={title}>
        {Body && <Body event={event} close={close} />}
      </Dialog>
    </>
  );
}
