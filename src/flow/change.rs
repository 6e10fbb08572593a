//! What a step arranges and what it changes, applied to the correct request.

use jose::{Context, Flaw, Forge};
use serde_json::{Map, Value as Json};

use super::names::Names;
use super::scene::{Act, Scene};
use crate::client::draft::{Draft, Encoding, Param};
use crate::client::{Answer, Pkce};
use crate::suite::model::{Change, Value};
use crate::targets::model::Client;

impl Scene<'_> {
    /// Applies what a step arranges, what it changes, and the forgery of its credential. `pkce` is the pair of the authorization in
    /// question.
    pub(super) fn alter(
        &self,
        act: &Act<'_>,
        client: &Client,
        draft: &mut Draft,
        pkce: &Pkce,
    ) -> Result<(), Answer> {
        let names = self.names(client, pkce);
        arrange(draft, &act.step.given, &names)?;
        apply(draft, act.change, &names)?;
        self.forge(act, draft)
    }

    /// Breaks the step's credential in the way it names.
    pub(super) fn forge(&self, act: &Act<'_>, draft: &mut Draft) -> Result<(), Answer> {
        let Some(name) = &act.change.forge else {
            return Ok(());
        };
        if Flaw::parse(name).is_some() {
            // It is the proof that is broken, when it is made.
            return Ok(());
        }
        let Some(parameter) = draft.credential else {
            let why = "this step has no credential to forge";
            return Err(Answer::NotApplicable(why.into()));
        };
        let world = self.world;
        // Where no key of ours could make the token valid, being asked at all is the finding.
        let place = match Forge::parse(name) {
            Some(Forge::X5u | Forge::IssEditedToListener) => "canary",
            _ => "jwks",
        };
        let listener = world.listener.as_ref();
        let listener = listener.and_then(|listener| listener.field(place, &self.id));
        let context = Context {
            jwks: world.jwks.as_ref(),
            attacker: &world.key,
            listener: listener.as_deref(),
            issuer: world.target.mint.as_ref().map(|mint| &***mint.signer),
        };
        let token = draft.get(parameter).unwrap_or_default();
        let broken = forged(name, &token, &context)?;
        draft.set(parameter, vec![Param::Text(broken)]);
        Ok(())
    }
}

/// A token broken in the way of this name.
pub(super) fn forged(name: &str, token: &str, context: &Context<'_>) -> Result<String, Answer> {
    let forge = Forge::parse(name)
        .ok_or_else(|| Answer::NotApplicable(format!("{name} is not a known forgery")))?;
    forge
        .apply(token, context)
        .map_err(|reason| Answer::NotApplicable(reason.to_string()))
}

/// Applies arranged parameters.
///
/// # Errors
/// A reference that has no value here, in words.
pub(super) fn arrange(
    draft: &mut Draft,
    given: &[(String, Value)],
    names: &Names<'_>,
) -> Result<(), Answer> {
    for (name, value) in given {
        params(value, names, draft.encoding)
            .and_then(|values| draft.alter(name, values))
            .map_err(Answer::NotApplicable)?;
    }
    Ok(())
}

/// Applies a deviation, all but its `forge`.
///
/// # Errors
/// A reference that has no value here, in words.
pub(super) fn apply(draft: &mut Draft, change: &Change, names: &Names<'_>) -> Result<(), Answer> {
    arrange(draft, &change.with, names)?;
    for name in &change.without {
        draft.leave_out(name);
    }
    for (name, template) in &change.raw {
        names
            .resolve(template)
            .and_then(|text| draft.alter(name, vec![Param::Raw(text)]))
            .map_err(Answer::NotApplicable)?;
    }
    Ok(())
}

/// A suite value as parameters: a list repeats the parameter, but is an array in a JSON body.
fn params(value: &Value, names: &Names<'_>, encoding: Encoding) -> Result<Vec<Param>, String> {
    Ok(match value {
        Value::Text(template) => vec![Param::Text(names.resolve(template)?)],
        Value::List(items) if encoding != Encoding::Json => {
            let mut all = Vec::new();
            for item in items {
                all.extend(params(item, names, encoding)?);
            }
            all
        }
        other => vec![Param::Json(json(other, names)?)],
    })
}

fn json(value: &Value, names: &Names<'_>) -> Result<Json, String> {
    Ok(match value {
        Value::Text(template) => Json::String(names.resolve(template)?),
        Value::List(items) => Json::Array(
            items
                .iter()
                .map(|item| json(item, names))
                .collect::<Result<_, _>>()?,
        ),
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            Json::from(*number as i64)
        }
        Value::Number(number) => Json::from(*number),
        Value::Bool(yes) => Json::Bool(*yes),
        Value::Table(table) => {
            let mut object = Map::new();
            for (name, value) in table {
                object.insert(name.clone(), json(value, names)?);
            }
            Json::Object(object)
        }
    })
}
