use axum::{extract::State, response::Response};
use base::OrderId;

use super::page::see_other;
use crate::{
    app::Shared,
    extract::{Access, Form},
    problem::Problem,
    rest::{self, PreferencesChange},
};

/// `POST /orders/{id}/preferences`: what the guest wants to hear. A box that is not ticked is not sent.
pub async fn preferences(
    State(app): State<Shared>,
    access: Access<OrderId>,
    form: Form,
) -> Result<Response, Problem> {
    let own_page = format!("/orders/{}", access.id);
    let ticked = |name: &str| Some(form.text(name) == "yes");
    let change = PreferencesChange {
        locale: Some(form.text("locale").to_owned()).filter(|tag| !tag.is_empty()),
        reminder: ticked("reminder"),
        notices: ticked("notices"),
    };
    rest::update_preferences(&app, access, change).await?;
    see_other(&format!("{own_page}?done=saved"))
}
