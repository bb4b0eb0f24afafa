//! Limits of what a request may ask for.

pub const TITLE_MAX_CHARS: usize = 200;
pub const DESCRIPTION_MAX_CHARS: usize = 10_000;
pub const LOCATION_MAX_CHARS: usize = 200;
pub const CATEGORY_MAX_CHARS: usize = 100;
pub const SEARCH_MAX_CHARS: usize = 200;
pub const SEARCH_MAX_WORDS: usize = 8;
/// Units of one pool.
pub const STOCK_MAX: i64 = 10_000_000;
/// Of one ticket; 20 lines of 100 such tickets are far from the end of `i64`.
pub const PRICE_MAX_MINOR: i64 = 1_000_000_000_000;
pub const PER_ORDER_DEFAULT: u32 = 10;
/// Lines of one hold.
pub const LINES_MAX: usize = 20;
pub const PAGE_SIZE_DEFAULT: u32 = 20;
pub const PAGE_SIZE_MAX: u32 = 100;
