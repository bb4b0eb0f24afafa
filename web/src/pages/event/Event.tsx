import { Anchor } from "@mantine/core";
import type { MouseEvent } from "react";
import { Link, NavLink, Outlet } from "react-router";
import { api } from "../../api/client";
import { Answer } from "../../parts/Answer";
import { Notice } from "../../parts/Notice";
import { Page } from "../../parts/Page";
import { Tag } from "../../parts/Tag";
import { eventState } from "../../words/event";
import { eventTime } from "../../words/time";
import { EventActions } from "./EventActions";
import { type EventDetail, useEventQuery } from "./useEvent";

const PARTS = [
  { to: "", name: "Sales", end: true },
  { to: "insights", name: "Insights" },
  { to: "tickets", name: "Tickets" },
  { to: "details", name: "Details" },
  { to: "terms", name: "Terms" },
  { to: "people", name: "People" },
];

/** One concert: its heading, what can be done with it, and its parts. */
function Event() {
  const event = useEventQuery();
  return (
    <>
      <Anchor component={Link} to="/" size="sm">
        Programme
      </Anchor>
      <Answer of={event}>{(event) => <Head event={event} />}</Answer>
    </>
  );
}

function Head({ event }: { event: EventDetail }) {
  const [state, tone] = eventState(event);
  return (
    <Page title={event.title} actions={<EventActions event={event} />}>
      <div className="row">
        <Tag tone={tone}>{state}</Tag>
        <span>
          {eventTime(event.date_time, event.timezone)}, {event.location}
        </span>
        {event.previous_date_time && (
          <span className="quiet small">before: {eventTime(event.previous_date_time, event.timezone)}</span>
        )}
        {event.status !== "active" && (
          <Anchor href={preview(event.id)} target="_blank" onClick={openPreview}>
            Preview the page
          </Anchor>
        )}
        {event.status === "active" && (
          <Anchor href={`/events/${event.slug}`} target="_blank" rel="noopener">
            See it in the shop
          </Anchor>
        )}
      </div>
      <nav className="tabs" aria-label="Parts of this concert">
        {PARTS.map(({ to, name, end }) => (
          <NavLink key={name} to={to} end={end ?? false} preventScrollReset>
            {name}
          </NavLink>
        ))}
      </nav>
      {event.cancel_reason && <Notice kind="info">Guests were told: {event.cancel_reason}</Notice>}
      <Outlet context={event} />
    </Page>
  );
}

const preview = (id: string) => `/admin/events/${id}/preview`;

/** No script is there to renew the session, so that is done before. */
async function openPreview(click: MouseEvent<HTMLAnchorElement>) {
  const { href } = click.currentTarget;
  click.preventDefault();
  const page = window.open("about:blank", "_blank");
  await api.GET("/api/v1/auth/me");
  page?.location.replace(href);
}

export { Event as Component };
