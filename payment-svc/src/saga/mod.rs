//! The steps of a purchase. Each starts from the stored state and may be repeated; requests and the
//! jobs take the same ones, so whoever crashes, another one goes on.

mod advance_refund;
mod announce;
mod arrive;
mod ask_for_transfer;
mod bind;
mod cancel_by_guest;
mod capture;
mod checkout;
mod close;
mod correct_address;
mod facts;
mod follow_event;
mod follow_money;
mod fulfil;
mod given_back;
mod hand_on;
mod holder_news;
mod inquire;
mod news;
mod notice_refunds;
mod pay_all;
mod refuse;
mod release;
mod remind;
mod resolve;
mod send_back;
mod send_back_all;
mod send_receipt;
mod settle;
mod settle_refund;
mod tell_holders;
mod void_tickets;

pub(crate) use advance_refund::{
    Payer, apply_truth, leave_to_a_person, postpone, submit, wait_for_provider, withdraw,
};
pub(crate) use announce::Announcement;
pub(crate) use arrive::{Confirmed, arrive};
pub(crate) use bind::{Bound, bind};
pub(crate) use cancel_by_guest::{GUEST_CANCELS, cancel_by_guest, was_cancelled_by_guest};
pub(crate) use checkout::{NewAttempt, checkout, open_attempt};
pub(crate) use close::{Ended, Ending, end, try_to_close};
pub(crate) use correct_address::{NewAddress, correct_address, find_correction};
pub(crate) use facts::{EventNow, order_paid};
pub(crate) use follow_event::{Moved, follow_event};
pub(crate) use fulfil::{Fulfilment, fulfil, fulfil_all};
pub(crate) use given_back::{GivenBack, give_back, sold_lines};
pub(crate) use hand_on::hand_on;
pub(crate) use holder_news::remind_holders;
pub(crate) use inquire::inquire;
pub(crate) use notice_refunds::{note_all, note_seen, notice_refunds, seen_refunds};
pub(crate) use pay_all::{Payment, pay_all};
pub(crate) use refuse::refuse;
pub(crate) use release::release;
pub(crate) use remind::remind;
pub(crate) use resolve::{Decision, resolve};
pub(crate) use send_back::{NewRefund, Voids, order_status, send_back, too_large};
pub(crate) use send_receipt::{ReceiptAgain, money_facts, receipt_facts, was_sent};
pub(crate) use settle::{Report, settle};
pub(crate) use settle_refund::settle_by_hand;
pub(crate) use tell_holders::tell_holders;
pub(crate) use void_tickets::{Voided, void_free_tickets, void_tickets};
