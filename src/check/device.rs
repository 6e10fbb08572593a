//! The device grant: what a device is told, and how hard its codes are to guess (RFC 8628 §3.2, §5).

use wire::json::Value;

use super::metadata::{absolute, json_200};
use super::quality::{distinct, quality, varying};
use super::view::{View, quote};
use super::{Check, Finding, Look};

pub(super) const CHECKS: &[Check] = &[
    Check("device-response", Look::At(response)),
    Check("device-code-quality", Look::At(code_quality)),
];

/// Characters of base64url that twenty bits fill: what a user code must be worth beside a rate limit.
const USER_CODE: usize = 4;

fn response(view: &View<'_>) -> Result<Finding, Finding> {
    let document = json_200(view.last()?)?;
    let member = |name: &str| document.value.get(name);
    for name in ["device_code", "user_code", "verification_uri"] {
        match member(name).and_then(Value::as_str) {
            Some(text) if !text.is_empty() => {}
            _ => return Err(Finding::fail(format!("there is no string `{name}`"))),
        }
    }
    for name in ["verification_uri", "verification_uri_complete"] {
        if let Some(value) = member(name) {
            absolute(name, value.as_str().unwrap_or_default())?;
        }
    }
    let expires = member("expires_in").and_then(Value::as_f64);
    if expires.is_none_or(|seconds| seconds <= 0.0) {
        return Err(Finding::fail("`expires_in` is no number above 0"));
    }
    if let Some(interval) = member("interval")
        && interval.as_f64().is_none_or(|seconds| seconds <= 0.0)
    {
        return Err(Finding::fail("`interval` is no number above 0"));
    }
    Ok(Finding::pass("the members are there, with their types"))
}

fn code_quality(view: &View<'_>) -> Result<Finding, Finding> {
    let all = |name: &str| -> Vec<&str> {
        let fields = view.so_far().iter();
        fields.filter_map(|outcome| outcome.field(name)).collect()
    };
    let user_codes = all("user_code");
    distinct("user codes", &user_codes)?;
    let found = quality("device codes", &all("device_code"))?;
    let worth = varying(&user_codes);
    if worth < USER_CODE {
        return Err(Finding::fail(format!(
            "user codes such as {} vary in a part worth {worth} characters of base64url; {USER_CODE} are needed",
            user_codes
                .first()
                .map(|code| quote(code))
                .unwrap_or_default()
        )));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::Found::{Fail, Pass, Undecided};
    use super::super::stage::{Stage, of};

    fn answer(body: &str) -> Stage {
        let mut stage = Stage::new();
        stage.device(body);
        stage
    }

    #[test]
    fn a_device_is_told_where_how_often_and_how_long() {
        let says = |body: &str| of("device-response", &answer(body));
        let right = r#"{"device_code":"x","user_code":"BCDF-GHJK","verification_uri":"https://as.example/device","expires_in":600,"interval":5}"#;
        assert_eq!(says(right), Pass);
        assert_eq!(says(&right.replace(r#","interval":5"#, "")), Pass);
        for (old, new) in [
            ("600", r#""600""#),
            (":5}", r#":"5"}"#),
            ("verification_uri", "verification_url"),
            ("https://as.example/device", "/device"),
            (r#""BCDF-GHJK""#, "7"),
        ] {
            assert_eq!(says(&right.replace(old, new)), Fail, "{new}");
        }
    }

    #[test]
    fn codes_are_hard_to_guess() {
        let pair = |codes: [(&str, &str); 2]| {
            let mut stage = Stage::new();
            for (device, user) in codes {
                stage.device(&format!(
                    r#"{{"device_code":"{device}","user_code":"{user}"}}"#
                ));
            }
            of("device-code-quality", &stage)
        };
        let (one, two) = (jose::random_token(32), jose::random_token(32));
        assert_eq!(pair([(&one, "BCDF-GHJK"), (&two, "WXZL-MNPR")]), Pass);
        assert_eq!(pair([(&one, "BCDF-GHJK"), (&two, "BCDF-GHJK")]), Fail);
        assert_eq!(pair([(&one, "BBBB-BBBB"), (&two, "BBBB-BBBC")]), Fail);
        assert_eq!(
            pair([("abcdef", "BCDF-GHJK"), ("xyzuvw", "WXZL-MNPR")]),
            Fail
        );
        assert_eq!(of("device-code-quality", &answer("{}")), Undecided);
    }
}
