use kit::FieldProblem;
use proto::user::{Account, ListAccountsRequest, ListAccountsResponse};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    store::{AccountRow, select_accounts},
};

const PAGE_SIZE: u32 = 50;
const PAGE_SIZE_MAX: u32 = 100;

/// Every account, the oldest first.
pub(crate) async fn list_accounts(
    app: &App,
    request: ListAccountsRequest,
) -> Result<ListAccountsResponse, Error> {
    let after = match request.page_token.as_str() {
        "" => Ok(Uuid::nil()),
        token => token.parse(),
    };
    let after = after.map_err(|_| {
        let problem = FieldProblem::new("page_token", "must be one that a page before gave");
        Error::Invalid(vec![problem])
    })?;
    let size = match request.page_size {
        0 => PAGE_SIZE,
        size if size <= PAGE_SIZE_MAX => size,
        _ => {
            let problem = FieldProblem::new("page_size", "must be between 1 and 100");
            return Err(Error::Invalid(vec![problem]));
        }
    };
    let mut rows = app
        .db
        .read((after, i64::from(size) + 1), |conn, (after, most)| {
            Box::pin(page(conn, *after, *most))
        })
        .await?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next = rows.last().filter(|_| more).map(|row| row.id.to_string());
    Ok(ListAccountsResponse {
        accounts: rows
            .iter()
            .map(AccountRow::to_wire)
            .collect::<Vec<Account>>(),
        next_page_token: next.unwrap_or_default(),
    })
}

async fn page(conn: &mut PgConnection, after: Uuid, most: i64) -> Result<Vec<AccountRow>, Error> {
    Ok(select_accounts(conn, None, after, most).await?)
}
