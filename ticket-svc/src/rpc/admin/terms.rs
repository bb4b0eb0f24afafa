//! Reads how an event is sold: who sells it, what may be paid with and until when, which fee is due.

use proto::{common, ticket as api};

use crate::{
    domain::{
        cancellation::Cancellation,
        fee::{Fee, FeeMode},
        limits::{
            CANCEL_FEE_MAX_PPM, CANCEL_UNTIL_MAX_HOURS, FEE_RATE_MAX_PPM, MANUAL_PAYMENT_MAX_DAYS,
            PRICE_MAX_MINOR, SELLER_ADDRESS_MAX_CHARS, SELLER_CONTACT_MAX_CHARS,
            SELLER_NAME_MAX_CHARS, SELLER_TAX_ID_MAX_CHARS, TAX_RATE_MAX_PPM,
        },
        provider::Provider,
    },
    rpc::fields::Fields,
};

/// All that a new event may say of it.
#[derive(Debug)]
pub struct Terms {
    pub payment_providers: Vec<String>,
    pub seller: Seller,
    pub fee: Fee,
    pub manual_payment_days: i32,
    pub cancellation: Cancellation,
}

/// None leaves a part as it is.
#[derive(Debug)]
pub struct TermsEdit {
    pub payment_providers: Option<Vec<String>>,
    pub seller: Option<Seller>,
    pub fee: Option<Fee>,
    pub manual_payment_days: Option<i32>,
    pub cancellation: Option<Cancellation>,
}

/// All empty: the installation sells.
#[derive(Debug, Default)]
pub struct Seller {
    pub name: String,
    pub address: String,
    pub tax_id: String,
    pub contact: String,
}

impl Terms {
    pub fn read(fields: &mut Fields, request: &api::CreateEventRequest) -> Self {
        let own_seller = request.seller.as_ref();
        let own_fee = request.fee.as_ref();
        Self {
            payment_providers: providers(fields, &request.payment_providers),
            seller: own_seller.map_or_else(Seller::default, |own| seller(fields, own)),
            fee: own_fee.map_or(Fee::NONE, |own| fee(fields, own)),
            manual_payment_days: days(fields, request.manual_payment_days),
            cancellation: rule(fields, request.cancellation.as_ref()),
        }
    }
}

impl TermsEdit {
    pub fn read(fields: &mut Fields, request: &api::UpdateEventRequest) -> Self {
        let own_providers = request.payment_providers.as_ref();
        Self {
            payment_providers: own_providers.map(|own| providers(fields, &own.names)),
            seller: request.seller.as_ref().map(|own| seller(fields, own)),
            fee: request.fee.as_ref().map(|own| fee(fields, own)),
            manual_payment_days: request.manual_payment_days.map(|own| days(fields, own)),
            cancellation: request
                .cancellation
                .as_ref()
                .map(|own| rule(fields, Some(own))),
        }
    }
}

/// Their words, each once; empty means every enabled one.
fn providers(fields: &mut Fields, names: &[String]) -> Vec<String> {
    // One more than there are must hold a name that is unknown or named twice.
    let names = &names[..names.len().min(Provider::ALL.len() + 1)];
    for (index, name) in names.iter().enumerate() {
        let field = format!("payment_providers[{index}]");
        if Provider::from_word(name).is_none() {
            fields.refuse(&field, "must be sandbox, stripe or manual");
        } else if names[..index].contains(name) {
            fields.refuse(&field, "must be another one in each place");
        }
    }
    names.to_vec()
}

fn seller(fields: &mut Fields, seller: &common::Seller) -> Seller {
    if *seller == common::Seller::default() {
        return Seller::default();
    }
    let name = base::bounded("name", &seller.name, 1, SELLER_NAME_MAX_CHARS);
    let address = base::bounded_multiline("address", &seller.address, 0, SELLER_ADDRESS_MAX_CHARS);
    let tax_id = base::bounded("tax_id", &seller.tax_id, 0, SELLER_TAX_ID_MAX_CHARS);
    let contact = base::bounded("contact", &seller.contact, 0, SELLER_CONTACT_MAX_CHARS);
    let mut read = |field, text| fields.text(field, text).unwrap_or_default();
    Seller {
        name: read("seller.name", name),
        address: read("seller.address", address),
        tax_id: read("seller.tax_id", tax_id),
        contact: read("seller.contact", contact),
    }
}

fn fee(fields: &mut Fields, fee: &api::ServiceFee) -> Fee {
    if !(0..=PRICE_MAX_MINOR).contains(&fee.fixed_minor) {
        let rule = format!("must be between 0 and {PRICE_MAX_MINOR}");
        fields.refuse("fee.fixed_minor", rule);
    }
    if fee.rate_ppm > FEE_RATE_MAX_PPM {
        let rule = format!("must be between 0 and {FEE_RATE_MAX_PPM}");
        fields.refuse("fee.rate_ppm", rule);
    }
    let mode = match fee.mode() {
        api::FeeMode::Absorbed => FeeMode::Absorbed,
        api::FeeMode::Added => FeeMode::Added,
        // Nobody bears a fee of nothing.
        api::FeeMode::Unspecified if (fee.fixed_minor, fee.rate_ppm) == (0, 0) => FeeMode::Absorbed,
        api::FeeMode::Unspecified => {
            fields.refuse("fee.mode", "must be ABSORBED or ADDED");
            FeeMode::Absorbed
        }
    };
    Fee {
        mode,
        fixed_minor: fee.fixed_minor,
        rate_ppm: fee.rate_ppm,
    }
}

fn days(fields: &mut Fields, days: u32) -> i32 {
    up_to(fields, "manual_payment_days", days, MANUAL_PAYMENT_MAX_DAYS)
}

fn rule(fields: &mut Fields, rule: Option<&api::CancellationRule>) -> Cancellation {
    let Some(rule) = rule.filter(|rule| rule.allowed) else {
        return Cancellation::NONE;
    };
    let (hours, ppm) = (rule.until_hours, rule.fee_ppm);
    let until_hours = up_to(
        fields,
        "cancellation.until_hours",
        hours,
        CANCEL_UNTIL_MAX_HOURS,
    );
    Cancellation {
        until_hours: Some(until_hours),
        fee_ppm: up_to(fields, "cancellation.fee_ppm", ppm, CANCEL_FEE_MAX_PPM),
    }
}

pub fn tax_rate_ppm(fields: &mut Fields, rate_ppm: u32) -> i32 {
    up_to(fields, "tax_rate_ppm", rate_ppm, TAX_RATE_MAX_PPM)
}

fn up_to(fields: &mut Fields, field: &str, value: u32, max: u32) -> i32 {
    if value > max {
        fields.refuse(field, format!("must be between 0 and {max}"));
    }
    value.cast_signed()
}
