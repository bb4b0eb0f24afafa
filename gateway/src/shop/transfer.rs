use axum::{extract::State, response::Response};
use base::{Language, OrderId, TicketId};
use http::StatusCode;
use kit::{ErrorReason, Failure};
use minijinja::context;

use super::{page::see_other, reader::Reader, table::Says as _, words};
use crate::{
    app::{App, Shared},
    extract::{Access, AccessTo, Form},
    problem::{self, Problem},
    rest::{self, NewHolder, types::TicketStatus},
};

/// `GET /orders/{id}/tickets/{ticket}/transfer`: to whom?
pub async fn ask(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
    to: AccessTo<OrderId, TicketId>,
) -> Result<Response, Problem> {
    page(&app, language, (&to.access, to.part), None).await
}

/// `POST /orders/{id}/tickets/{ticket}/transfer`: hands the ticket on.
pub async fn transfer(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
    to: AccessTo<OrderId, TicketId>,
    form: Form,
) -> Result<Response, Problem> {
    let own_page = format!("/orders/{}", to.access.id);
    let again = Access {
        id: to.access.id,
        secret: to.access.secret.clone(),
    };
    let ticket = to.part;
    let holder = NewHolder {
        email: form.text("email").to_owned(),
        name: form.text("name").to_owned(),
        locale: None,
    };
    match rest::transfer_ticket(&app, to, holder, form.text("key")).await {
        Ok(_) => see_other(&format!("{own_page}?done=handed_on")),
        Err(problem) if problem.reason() == ErrorReason::InvalidRequest => {
            page(&app, language, (&again, ticket), Some((&problem, &form))).await
        }
        Err(problem) if problem.reason() == ErrorReason::TicketNotValid => {
            see_other(&format!("{own_page}?done=not_valid"))
        }
        Err(problem) => Err(problem),
    }
}

async fn page(
    app: &App,
    language: Language,
    (access, ticket): (&Access<OrderId>, TicketId),
    refused: Option<(&Problem, &Form)>,
) -> Result<Response, Problem> {
    let order = rest::get_order(app, access, false).await?;
    let id = ticket.to_string();
    let ticket = order.tickets.iter().find(|one| one.id == id);
    let ticket = ticket.ok_or_else(|| Failure::not_found("ticket"))?;
    if ticket.status != TicketStatus::Valid {
        return see_other(&format!("/orders/{}?done=not_valid", order.id));
    }
    let rule = |name: &str| {
        let fields = refused.map_or(&[][..], |(problem, _)| &problem.0.fields);
        let rule = fields.iter().find(|problem| problem.field == name);
        rule.map(|rule| words::rule(language, &rule.rule))
    };
    let typed = |name: &str| refused.map_or("", |(_, form)| form.text(name));
    let event = &order.event;
    let values = context! {
        title => language.say("transfer.title"),
        id => &order.id,
        number => &order.number,
        ticket => &ticket.id,
        category => &ticket.category,
        event => context! {
            title => &event.title,
            when => event.date_time.map(|at| words::when(language, at, &event.timezone)),
        },
        name => context! { value => typed("name"), rule => rule("name") },
        email => context! { value => typed("email"), rule => rule("email") },
        key => app.sources.token(),
    };
    match refused {
        Some((problem, _)) => {
            let status: StatusCode = problem::status(problem.reason());
            app.pages.refuse(status, language, "transfer.html", values)
        }
        None => app.pages.render(language, "transfer.html", values),
    }
}
