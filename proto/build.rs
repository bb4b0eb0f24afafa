//! Compiles the contracts without protoc, and turns each method's access option into a table.
//! A method without the option, or with an empty one, does not build. A message with a secret or with something of a
//! guest shows neither when it is printed.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its folders in the environment"
)]

use std::{env, error::Error, fmt::Write as _, fs, path::Path, path::PathBuf};

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    ReflectMessage, Value,
};

const ACCESS_OPTION: &str = "boxoffice.common.v1.access";
/// A text whose name ends with one of these words is never printed: rather too much than too little.
const HIDDEN: &str = "address after before body code codes content cvc email exp headers html invitation \
    invited_by key link note password prefix proof query recipient report secret subject text token card_number \
    checkout_url from_name holder_name phone_number reference";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=boxoffice");
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(proto_files(Path::new("boxoffice"))?)?;

    // This encoding, unlike the typed set below, keeps the extension options.
    let descriptors = compiler.encode_file_descriptor_set();
    fs::write(out_dir.join("descriptors.bin"), &descriptors)?;
    fs::write(out_dir.join("policies.rs"), policies(&descriptors)?)?;
    let pool = DescriptorPool::decode(&descriptors[..])?;
    let discreet = pool.all_messages().filter(is_discreet);
    let discreet: Vec<MessageDescriptor> = discreet.collect();
    fs::write(out_dir.join("discreet.rs"), debugs(&discreet))?;

    tonic_prost_build::configure()
        .skip_debug(
            discreet
                .iter()
                .map(|message| format!(".{}", message.full_name())),
        )
        .bytes(".boxoffice.payment.v1.ReceiveEventRequest.body")
        .include_file("contracts.rs")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

fn proto_files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(proto_files(&path)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn policies(descriptors: &[u8]) -> Result<String, Box<dyn Error>> {
    let pool = DescriptorPool::decode(descriptors)?;
    let mut rows: Vec<(String, String)> = Vec::new();
    for service in pool
        .services()
        .filter(|s| s.full_name().starts_with("boxoffice."))
    {
        for method in service.methods() {
            let path = format!("/{}/{}", service.full_name(), method.name());
            let row = policy(&pool, &method).map_err(|reason| format!("{path}: {reason}"))?;
            rows.push((path, row));
        }
    }
    rows.sort();
    let mut table = String::from("pub static POLICIES: &[Policy] = &[\n");
    for (path, row) in rows {
        writeln!(table, "    Policy {{ path: {path:?}, {row} }},")?;
    }
    table.push_str("];\n");
    Ok(table)
}

fn policy(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<String, String> {
    let extension = pool
        .get_extension_by_name(ACCESS_OPTION)
        .ok_or("the access option is not defined")?;
    let options = method.options();
    if !options.has_extension(&extension) {
        return Err(format!("a method must have the option ({ACCESS_OPTION})"));
    }
    let value = options.get_extension(&extension);
    let access = value
        .as_message()
        .ok_or("the access option is not a message")?;
    let audience = enum_name(access, "audience", "AUDIENCE_")?;
    let callers = access
        .get_field_by_name("callers")
        .ok_or("no field `callers`")?;
    let callers: Vec<String> = callers
        .as_list()
        .ok_or("`callers` is not a list")?
        .iter()
        .map(|peer| variant(access, "callers", "PEER_", peer).map(|name| format!("Peer::{name}")))
        .collect::<Result<_, _>>()?;
    if callers.is_empty() {
        return Err("the access option names no caller".to_owned());
    }
    let grants: Vec<String> = access
        .get_field_by_name("grants")
        .ok_or("no field `grants`")?
        .as_list()
        .ok_or("`grants` is not a list")?
        .iter()
        .map(|one| variant(access, "grants", "GRANT_", one).map(|name| format!("Grant::{name}")))
        .collect::<Result<_, _>>()?;
    if !grants.is_empty() && audience != "Admin" {
        return Err("only methods for admins ask for a grant".to_owned());
    }
    let flag = |name| {
        let value = access.get_field_by_name(name);
        value.and_then(|value| value.as_bool()).unwrap_or(false)
    };
    let (mutates, sessions_only) = (flag("mutates"), flag("sessions_only"));
    if sessions_only && !matches!(audience.as_str(), "Admin" | "Superadmin") {
        return Err("only methods for admins know sessions".to_owned());
    }
    Ok(format!(
        "audience: Audience::{audience}, callers: &[{}], mutates: {mutates}, grants: &[{}], \
         sessions_only: {sessions_only}",
        callers.join(", "),
        grants.join(", ")
    ))
}

fn is_discreet(message: &MessageDescriptor) -> bool {
    let is_ours = message.full_name().starts_with("boxoffice.");
    is_ours && !message.is_map_entry() && message.fields().any(|field| is_hidden(&field))
}

fn is_hidden(field: &FieldDescriptor) -> bool {
    let name = field.name();
    let mut hidden = HIDDEN.split_whitespace();
    let ends_so = |word: &str| {
        let rest = name.strip_suffix(word);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
    };
    // Who has an address is a person.
    let is_of_person =
        name == "name" && field.parent_message().get_field_by_name("email").is_some();
    let is_text = matches!(field.kind(), Kind::String | Kind::Bytes);
    (is_text || field.is_map()) && (is_of_person || hidden.any(ends_so))
}

/// `Debug` for messages of which some fields are hidden, in place of the derived one.
fn debugs(messages: &[MessageDescriptor]) -> String {
    let mut code = String::new();
    for message in messages {
        let package = message.package_name().replace('.', "::");
        let shown = message.fields().filter(|field| {
            // Of a choice, the struct has one field of another name.
            let choice = field.containing_oneof();
            !is_hidden(field) && choice.is_none_or(|choice| choice.is_synthetic())
        });
        let fields: String = shown
            .map(|field| {
                let is_word = matches!(field.kind(), Kind::Enum(_));
                let has_getter = is_word && !field.is_list() && !field.supports_presence();
                let call = if has_getter { "()" } else { "" };
                format!(".field({0:?}, &self.r#{0}{call})", field.name())
            })
            .collect();
        let name = message.name();
        code += &format!(
            "impl ::core::fmt::Debug for crate::generated::{package}::{name} {{ \
             fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{ \
             f.debug_struct({name:?}){fields}.finish_non_exhaustive() }} }}\n"
        );
    }
    code
}

fn enum_name(access: &DynamicMessage, field: &str, prefix: &str) -> Result<String, String> {
    let value = access
        .get_field_by_name(field)
        .ok_or(format!("no field `{field}`"))?;
    variant(access, field, prefix, &value)
}

/// The Rust name of an enum value: `AUDIENCE_GUEST` → `Guest`.
fn variant(
    access: &DynamicMessage,
    field: &str,
    prefix: &str,
    value: &Value,
) -> Result<String, String> {
    let number = value
        .as_enum_number()
        .ok_or(format!("`{field}` is not an enum"))?;
    let descriptor = access
        .descriptor()
        .get_field_by_name(field)
        .ok_or("no such field")?;
    let kind = descriptor.kind();
    let name = kind
        .as_enum()
        .and_then(|e| e.get_value(number))
        .map(|v| v.name().to_owned())
        .ok_or(format!("`{field}` has an unknown value"))?;
    if number == 0 {
        return Err(format!("`{field}` is unspecified"));
    }
    let word = name.strip_prefix(prefix).unwrap_or(&name).to_lowercase();
    let mut letters = word.chars();
    Ok(letters
        .next()
        .map(|c| c.to_uppercase().to_string())
        .unwrap_or_default()
        + letters.as_str())
}
