//! The whole mesh in one process, on a real PostgreSQL, a real NATS and an SMTP sink, used over
//! HTTP like a guest and an admin would. Every test ends with the same checks of all four databases.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]

mod access;
mod additive_migration;
mod auditor;
mod backup;
mod bad_input;
mod broker_away;
mod certificates;
// The points are in debug builds only.
#[cfg(debug_assertions)]
mod codes;
mod crash_points;
mod desk;
mod doctor;
mod doctor_command;
mod drills;
mod edge;
mod guest;
mod harness;
mod insights;
mod invariants;
mod life;
mod log_files;
mod login_storm;
mod mail_away;
mod news;
mod programme;
mod purchase;
mod races;
mod receipts_under_fire;
mod replicas;
mod restarts;
