//! How many units of a type each guest pays for or has bought. The counters follow the holds and
//! tickets in the same transaction; a limit decides on the locked counter, so two orders of a guest
//! at once cannot both slip through.

use base::{HoldId, RefundId, TicketTypeId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::holds::Hold;
use crate::error::Error;

/// Counts a hold that was just bound to its order, or refuses it where a type's limit would be
/// passed.
pub async fn count(conn: &mut PgConnection, hold: &Hold) -> Result<(), Error> {
    let counted = sqlx::query_scalar!(
        r#"
        INSERT INTO guest_counts (ticket_type_id, guest_key, units)
        SELECT l.ticket_type_id, h.guest_key, l.quantity
        FROM holds h
        JOIN hold_lines l ON l.hold_id = h.id
        JOIN ticket_types t ON t.id = l.ticket_type_id
        WHERE h.id = $1 AND (t.max_per_guest IS NULL OR l.quantity <= t.max_per_guest)
        ORDER BY l.ticket_type_id
        ON CONFLICT (ticket_type_id, guest_key) DO UPDATE
        SET units = guest_counts.units + EXCLUDED.units
        WHERE NOT EXISTS (
            SELECT 1 FROM ticket_types t
            WHERE t.id = EXCLUDED.ticket_type_id
              AND guest_counts.units + EXCLUDED.units > t.max_per_guest)
        RETURNING ticket_type_id
        "#,
        hold.id.uuid(),
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut lines = hold.lines.iter().map(|line| line.ticket_type_id);
    match lines.find(|id| !counted.contains(&id.uuid())) {
        Some(refused) => Err(refusal(conn, refused).await?),
        None => Ok(()),
    }
}

async fn refusal(conn: &mut PgConnection, id: TicketTypeId) -> Result<Error, Error> {
    let max = sqlx::query_scalar!(
        "SELECT max_per_guest FROM ticket_types WHERE id = $1",
        id.uuid()
    );
    let max = max.fetch_one(conn).await?;
    // A limit that is gone meanwhile; the same request may pass now.
    Ok(Error::GuestLimitExceeded {
        ticket_type_id: id,
        max: max.unwrap_or(0),
    })
}

/// Locks the counters of a hold's guest. They come before the pools: whoever ends a hold gives back to
/// them first.
pub async fn lock(conn: &mut PgConnection, hold: HoldId) -> Result<(), Error> {
    sqlx::query!(
        r#"
        SELECT c.units FROM holds h
        JOIN hold_lines l ON l.hold_id = h.id
        JOIN guest_counts c ON c.ticket_type_id = l.ticket_type_id AND c.guest_key = h.guest_key
        WHERE h.id = $1
        ORDER BY c.ticket_type_id FOR UPDATE OF c
        "#,
        hold.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// Counts what is sold to a late payment after its hold had ended. It passes a limit: the money is
/// here.
pub async fn count_again(conn: &mut PgConnection, hold: HoldId) -> Result<(), Error> {
    sqlx::query!(
        r#"
        INSERT INTO guest_counts (ticket_type_id, guest_key, units)
        SELECT l.ticket_type_id, h.guest_key, l.quantity
        FROM holds h JOIN hold_lines l ON l.hold_id = h.id
        WHERE h.id = $1 AND h.guest_key IS NOT NULL
        ORDER BY l.ticket_type_id
        ON CONFLICT (ticket_type_id, guest_key) DO UPDATE
        SET units = guest_counts.units + EXCLUDED.units
        "#,
        hold.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives back what holds counted that end unsold; one that no order was bound to counted nothing.
///
/// Never below 0: what a service of before bound may not have been counted.
pub async fn give_back(conn: &mut PgConnection, ended: &[Uuid]) -> Result<(), Error> {
    sqlx::query!(
        r#"
        WITH gone AS (
            SELECT l.ticket_type_id, h.guest_key, SUM(l.quantity)::int AS units
            FROM holds h JOIN hold_lines l ON l.hold_id = h.id
            WHERE h.id = ANY($1) AND h.guest_key IS NOT NULL
            GROUP BY l.ticket_type_id, h.guest_key
        ), locked AS MATERIALIZED (
            SELECT c.ticket_type_id, c.guest_key, GREATEST(c.units - g.units, 0) AS units
            FROM guest_counts c
            JOIN gone g ON g.ticket_type_id = c.ticket_type_id AND g.guest_key = c.guest_key
            ORDER BY c.ticket_type_id, c.guest_key FOR UPDATE OF c
        )
        UPDATE guest_counts c SET units = l.units
        FROM locked l
        WHERE l.ticket_type_id = c.ticket_type_id AND l.guest_key = c.guest_key
        "#,
        ended,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives back what the tickets counted that a refund has made void.
pub async fn give_back_tickets(conn: &mut PgConnection, refund: RefundId) -> Result<(), Error> {
    sqlx::query!(
        r#"
        WITH gone AS (
            SELECT t.ticket_type_id, h.guest_key, COUNT(*)::int AS units
            FROM tickets t JOIN holds h ON h.order_id = t.order_id
            WHERE t.voided_by = $1 AND h.guest_key IS NOT NULL
            GROUP BY t.ticket_type_id, h.guest_key
        ), locked AS MATERIALIZED (
            SELECT c.ticket_type_id, c.guest_key, GREATEST(c.units - g.units, 0) AS units
            FROM guest_counts c
            JOIN gone g ON g.ticket_type_id = c.ticket_type_id AND g.guest_key = c.guest_key
            ORDER BY c.ticket_type_id, c.guest_key FOR UPDATE OF c
        )
        UPDATE guest_counts c SET units = l.units
        FROM locked l
        WHERE l.ticket_type_id = c.ticket_type_id AND l.guest_key = c.guest_key
        "#,
        refund.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
