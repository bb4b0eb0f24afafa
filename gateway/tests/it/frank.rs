//! Requests as text with everything that is in them: messages hide secrets when they are printed, and a test wants to
//! see that they arrive.

use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, ReflectMessage as _,
    Value,
};

static CONTRACTS: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(proto::DESCRIPTORS).unwrap());

/// As `#[derive(Debug)]` would print it.
pub fn frank<M: Message>(message: &M) -> String {
    let path = std::any::type_name::<M>();
    let (_, path) = path.split_once("::generated::").unwrap();
    let descriptor = CONTRACTS.get_message_by_name(&path.replace("::", "."));
    let bytes = message.encode_to_vec();
    shown(&DynamicMessage::decode(descriptor.unwrap(), &bytes[..]).unwrap())
}

fn shown(message: &DynamicMessage) -> String {
    let descriptor = message.descriptor();
    let fields: Vec<String> = descriptor
        .fields()
        .map(|field| format!("{}: {}", field.name(), in_field(message, &field)))
        .collect();
    format!("{} {{ {} }}", descriptor.name(), fields.join(", "))
}

fn in_field(message: &DynamicMessage, field: &FieldDescriptor) -> String {
    let value = value(&message.get_field(field), &field.kind());
    if !field.supports_presence() {
        value
    } else if message.has_field(field) {
        format!("Some({value})")
    } else {
        "None".to_owned()
    }
}

fn value(of: &Value, kind: &Kind) -> String {
    match (of, kind) {
        (Value::Message(message), _) => shown(message),
        (Value::EnumNumber(number), Kind::Enum(of)) => variant(of, *number),
        (Value::List(values), _) => {
            let values: Vec<String> = values.iter().map(|one| value(one, kind)).collect();
            format!("[{}]", values.join(", "))
        }
        (Value::String(text), _) => format!("{text:?}"),
        (Value::Bytes(bytes), _) => format!("{bytes:?}"),
        (Value::Bool(yes), _) => yes.to_string(),
        (Value::I32(number), _) => number.to_string(),
        (Value::I64(number), _) => number.to_string(),
        (Value::U32(number), _) => number.to_string(),
        (Value::U64(number), _) => number.to_string(),
        (other, _) => format!("{other:?}"),
    }
}

/// `ORDER_STATUS_PARTIALLY_REFUNDED` of `OrderStatus` is `PartiallyRefunded`.
fn variant(of: &EnumDescriptor, number: i32) -> String {
    let Some(variant) = of.get_value(number) else {
        return number.to_string();
    };
    let camel = |name: &str| -> String {
        let words = name.split('_').map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_owned() + &rest.to_lowercase()
        });
        words.collect()
    };
    let name = camel(variant.name());
    name.strip_prefix(of.name()).unwrap_or(&name).to_owned()
}
