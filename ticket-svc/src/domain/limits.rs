//! Limits of what a request may ask for.

pub const TITLE_MAX_CHARS: usize = 200;
pub const DESCRIPTION_MAX_CHARS: usize = 10_000;
pub const LOCATION_MAX_CHARS: usize = 200;
pub const CATEGORY_MAX_CHARS: usize = 100;
pub const SEARCH_MAX_CHARS: usize = 200;
pub const SEARCH_MAX_WORDS: usize = 8;
/// Units of one pool.
pub const STOCK_MAX: i64 = 10_000_000;
/// Of one ticket, without a fee, and of a fee's fixed part; 20 lines of 100 such tickets with the
/// highest fee are far from the end of `i64`.
pub const PRICE_MAX_MINOR: i64 = 1_000_000_000_000;
/// Parts per million of the price.
pub const FEE_RATE_MAX_PPM: u32 = 500_000;
pub const TAX_RATE_MAX_PPM: u32 = 1_000_000;
pub const SELLER_NAME_MAX_CHARS: usize = 200;
pub const SELLER_ADDRESS_MAX_CHARS: usize = 500;
pub const SELLER_TAX_ID_MAX_CHARS: usize = 50;
pub const SELLER_CONTACT_MAX_CHARS: usize = 200;
pub const MANUAL_PAYMENT_MAX_DAYS: u32 = 60;
/// A year before the event begins.
pub const CANCEL_UNTIL_MAX_HOURS: u32 = 8_760;
/// Parts per million of what was paid.
pub const CANCEL_FEE_MAX_PPM: u32 = 1_000_000;
pub const CANCEL_REASON_MAX_CHARS: usize = 500;
pub const POSTPONE_REASON_MAX_CHARS: usize = 500;
pub const IMAGE_ALT_MAX_CHARS: usize = 250;
pub const IMAGE_SIDE_MAX_PX: u32 = 10_000;
pub const RESUME_NOTE_MAX_CHARS: usize = 500;
pub const PER_ORDER_DEFAULT: u32 = 10;
/// Over all orders of a guest.
pub const PER_GUEST_MAX: u32 = 1_000;
pub const POOL_NAME_MAX_CHARS: usize = 100;
/// Shared pools of one event.
pub const POOLS_MAX: usize = 100;
/// Shared pools that one ticket type draws from.
pub const POOLS_PER_TYPE_MAX: usize = 8;
/// Lines of one hold.
pub const LINES_MAX: usize = 20;
/// Events of the programme in one answer to a member that keeps a copy.
pub const PROGRAMME_PAGE_DEFAULT: u32 = 100;
pub const PROGRAMME_PAGE_MAX: u32 = 500;
/// Changes of the programme in one answer.
pub const CHANGES_DEFAULT: u32 = 100;
pub const CHANGES_MAX: u32 = 1_000;
/// Events of one admin in one answer.
pub const GRANTS_MAX: i64 = 10_000;
/// Admins that one event is granted to.
pub const GRANTS_PER_EVENT_MAX: usize = 200;
/// Of whoever a ticket was handed on to.
pub const HOLDER_NAME_MAX_CHARS: usize = 200;
/// Keys that one event ever has.
pub const KEYS_MAX: usize = 100;
/// Events whose figures one answer has.
pub const INSIGHT_EVENTS_MAX: u32 = 20;
/// Events in one flush of page views.
pub const VIEWS_MAX: usize = 1_000;
/// Dead codes in one answer.
pub const DEAD_CODES_DEFAULT: u32 = 1_000;
pub const DEAD_CODES_MAX: u32 = 5_000;
