//! The JSON Schemas of the published formats, made from the structs that describe them.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use crate::run::waiver::WaiverFile;
use crate::suite::file::SuiteFile;
use crate::targets::file::TargetFile;

/// The names that [`schema`] knows.
pub const NAMES: [&str; 4] = ["suite", "target", "waivers", "report"];

/// The schema of this name as JSON text, with a line break at its end; `None` for an unknown name.
///
/// Schemas of files that people write are draft 7, which the TOML editors understand.
pub fn schema(name: &str) -> Option<String> {
    Some(match name {
        "suite" => draft7::<SuiteFile>(),
        "target" => draft7::<TargetFile>(),
        "waivers" => draft7::<WaiverFile>(),
        "report" => crate::report::json::schema(),
        _ => return None,
    })
}

fn draft7<T: JsonSchema>() -> String {
    let schema = SchemaSettings::draft07()
        .into_generator()
        .into_root_schema_for::<T>();
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schemas_are_those_the_code_says() {
        for name in NAMES {
            let path = format!("{}/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let fresh = schema(name).unwrap();
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&path, &fresh).unwrap();
            }
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                committed == fresh,
                "schemas/{name}.json is stale: run `UPDATE=1 cargo test -p oauthspec schema` and commit it"
            );
        }
    }
}
