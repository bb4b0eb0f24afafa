//! The steps of a purchase. Each starts from the stored state and may be repeated; requests and the
//! jobs take the same ones, so whoever crashes, another one goes on.

mod bind;
mod checkout;
mod close;
mod facts;
mod fulfil;
mod inquire;
mod refuse;
mod release;
mod settle;

pub(crate) use bind::{Bound, bind};
pub(crate) use checkout::{NewAttempt, checkout, open_attempt};
pub(crate) use close::{Ended, end};
pub(crate) use facts::order_paid;
pub(crate) use fulfil::fulfil;
pub(crate) use inquire::inquire;
pub(crate) use refuse::refuse;
pub(crate) use release::release;
pub(crate) use settle::{Report, settle};
