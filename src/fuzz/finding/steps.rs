//! The steps of a finding's case, operation by operation.

use super::words::needs_own;
use super::*;

/// One step as it is written.
pub(super) struct Step {
    pub(super) verb: &'static str,
    pub(super) name: Option<String>,
    pub(super) lines: Vec<String>,
}

impl Step {
    pub(super) fn new(verb: &'static str) -> Step {
        Step {
            verb,
            name: None,
            lines: Vec::new(),
        }
    }

    pub(super) fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// Whether the parameter is sent without this, so that it can be left out.
    fn sends(&self, kind: Kind, name: &str) -> bool {
        let given = format!("given.{} ", key(name));
        name.starts_with('@')
            || kind.verb().sends().contains(&name)
            || self.lines.iter().any(|line| line.starts_with(&given))
    }

    /// Whether something in it is not as a correct client does it, so that it can be refused.
    fn deviates(&self) -> bool {
        let wrong = ["with.", "without ", "raw.", "parallel ", "user "];
        let mut lines = self.lines.iter();
        lines.any(|line| wrong.iter().any(|word| line.starts_with(word)))
    }

    pub(super) fn given(&mut self, name: &str, value: &str) {
        self.line(format!("given.{} = {}", key(name), quote(value)));
    }

    pub(super) fn with(&mut self, name: &str, value: &str) {
        self.line(format!("with.{} = {}", key(name), quote(value)));
    }
}

/// The steps of a case.
pub(super) struct Steps<'s> {
    pub(super) stage: &'s Stage,
    pub(super) oracle: Oracle,
    pub(super) steps: Vec<Step>,
    pub(super) needs: Vec<String>,
    pub(super) named: usize,
}

/// Codes a server may answer with when it refuses a request that cannot be read.
pub(super) const REFUSALS: &str = r#"["invalid_request", "invalid_grant", "invalid_client", "invalid_scope", "invalid_target", "invalid_authorization_details", "unsupported_grant_type", "unsupported_response_type", "unauthorized_client", "access_denied", "invalid_token", "unsupported_token_type", "login_required", "consent_required", "interaction_required", "request_not_supported", "request_uri_not_supported", "invalid_request_object", "invalid_request_uri", "invalid_redirect_uri", "invalid_client_metadata", "unapproved_software_statement", "invalid_software_statement", "page"]"#;
pub(super) const CHALLENGES: &str =
    r#"["invalid_token", "invalid_request", "insufficient_scope", ""]"#;

impl<'s> Steps<'s> {
    pub(super) fn new(stage: &'s Stage, oracle: Oracle) -> Steps<'s> {
        Steps {
            stage,
            oracle,
            steps: Vec::new(),
            needs: Vec::new(),
            named: 0,
        }
    }

    pub(super) fn need(&mut self, need: impl Into<String>) {
        let need = need.into();
        if !self.needs.contains(&need) {
            self.needs.push(need);
        }
    }

    pub(super) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub(super) fn client(&mut self, step: &mut Step, index: usize) {
        let Some(client) = self.stage.actors.get(index) else {
            return;
        };
        if client.name != "a" {
            step.line(format!("client = {}", quote(&client.name)));
            self.need(format!("client.{}", client.name));
        }
    }

    pub(super) fn place(&mut self, step: &mut Step, resource: usize) {
        let Some(resource) = self
            .stage
            .resources
            .get(resource)
            .or(self.stage.resources.first())
        else {
            return;
        };
        if resource.name != "a" {
            step.line(format!("at = {}", quote(&resource.name)));
            self.need(format!("resource.{}", resource.name));
        }
    }

    /// An earlier step that makes what is presented; its name.
    pub(super) fn arrange(&mut self, verb: &'static str, client: usize, resource: usize) -> String {
        self.named += 1;
        let name = format!("s{}", self.named);
        let mut step = Step::new(verb);
        step.name = Some(name.clone());
        self.client(&mut step, client);
        self.place(&mut step, resource);
        self.push(step);
        name
    }

    pub(super) fn other(&self, client: usize) -> usize {
        let count = self.stage.actors.len();
        if count < 2 {
            client
        } else {
            (client + 1) % count
        }
    }

    pub(super) fn operation(&mut self, operation: &Operation, accused: bool) {
        match operation.kind {
            Kind::Authorize => self.authorize(operation, accused),
            Kind::Exchange => self.exchange(operation, accused),
            Kind::Refresh => self.refresh(operation, accused),
            Kind::Revoke => self.revoke(operation, accused),
            Kind::Introspect => self.introspect(operation, accused),
            Kind::Call => self.call(operation, accused),
            Kind::Register => {
                self.need("registration");
                let mut step = Step::new("register");
                self.client(&mut step, operation.client);
                self.finish_step(step, operation, accused, None);
            }
            Kind::Discover => {
                self.need("metadata");
                self.finish_step(Step::new("discover"), operation, accused, None);
            }
            Kind::Direct => {
                let mut step = Step::new("http");
                step.line("at = \"token\"");
                let client = self.stage.actors.get(operation.client);
                let auth = client.map_or("client_secret_basic", |client| client.auth.word());
                self.client(&mut step, operation.client);
                step.given("grant_type", "client_credentials");
                step.given("client_id", "$client.id");
                step.given("client_secret", "$client.secret");
                step.given("@auth", auth);
                let scope = self.own("scope", operation, None, false);
                if !scope.is_empty() {
                    step.given("scope", &scope);
                }
                self.finish_step(step, operation, accused, None);
            }
        }
    }

    pub(super) fn authorize(&mut self, operation: &Operation, accused: bool) {
        let mut step = Step::new("authorize");
        self.client(&mut step, operation.client);
        self.place(&mut step, operation.resource);
        match operation.person {
            Person::Approve => {}
            Person::Deny => {
                step.line("user = \"deny\"");
                self.need("deny");
            }
            Person::Absent => step.line("user = \"absent\""),
        }
        self.finish_step(step, operation, accused, None);
    }

    pub(super) fn exchange(&mut self, operation: &Operation, accused: bool) {
        let (client, resource) = (operation.client, operation.resource);
        let mut step = Step::new("exchange");
        let mut source = None;
        match operation.credential {
            Credential::Live => {
                let again = self.oracle == Oracle::Double && operation.copies <= 1;
                if needs_own(operation, &["code"]) || again {
                    let name = self.arrange("authorize", client, resource);
                    step.given("code", &format!("${name}.code"));
                    source = Some(format!("${name}.code"));
                }
            }
            Credential::Spent => {
                let name = self.arrange("grant", client, resource);
                step.with("code", &format!("${name}.code"));
                source = Some(format!("${name}.code"));
            }
            Credential::Foreign => {
                let other = self.other(client);
                let name = self.arrange("authorize", other, resource);
                step.with("code", &format!("${name}.code"));
                source = Some(format!("${name}.code"));
            }
            Credential::Kind => {
                let name = self.arrange("grant", client, resource);
                step.with("code", &format!("${name}.access_token"));
                source = Some(format!("${name}.access_token"));
            }
        }
        self.client(&mut step, client);
        let live = (operation.credential == Credential::Live)
            .then(|| source.clone())
            .flatten();
        self.finish_step(step, operation, accused, source);
        if accused
            && self.oracle == Oracle::Double
            && operation.copies <= 1
            && let Some(code) = live
        {
            let mut again = Step::new("exchange");
            self.client(&mut again, client);
            again.with("code", &code);
            again.line("expect.refused = [\"invalid_grant\", \"invalid_request\"]");
            self.push(again);
        }
    }

    pub(super) fn refresh(&mut self, operation: &Operation, accused: bool) {
        self.need("refresh_token");
        let (client, resource) = (operation.client, operation.resource);
        let owner = if operation.credential == Credential::Foreign {
            self.other(client)
        } else {
            client
        };
        let name = self.arrange("grant", owner, resource);
        let mut step = Step::new("refresh");
        let source = format!("${name}.refresh_token");
        match operation.credential {
            Credential::Live => step.given("refresh_token", &source),
            Credential::Spent => {
                let mut first = Step::new("refresh");
                self.client(&mut first, client);
                first.given("refresh_token", &source);
                self.push(first);
                step.with("refresh_token", &source);
            }
            Credential::Foreign => step.with("refresh_token", &source),
            Credential::Kind => step.with("refresh_token", &format!("${name}.access_token")),
        }
        self.client(&mut step, client);
        self.finish_step(step, operation, accused, Some(source.clone()));
        if accused && self.oracle == Oracle::Double && operation.copies <= 1 {
            let mut again = Step::new("refresh");
            self.client(&mut again, client);
            again.with("refresh_token", &source);
            again.line("expect.refused = [\"invalid_grant\", \"invalid_request\"]");
            self.push(again);
        }
    }

    pub(super) fn revoke(&mut self, operation: &Operation, accused: bool) {
        self.need("revocation");
        self.need("refresh_token");
        let (client, resource) = (operation.client, operation.resource);
        let foreign = operation.credential == Credential::Foreign;
        let owner = if foreign { self.other(client) } else { client };
        let name = self.arrange("grant", owner, resource);
        let source = match operation.credential {
            Credential::Kind => format!("${name}.access_token"),
            _ => format!("${name}.refresh_token"),
        };
        let mut step = Step::new("revoke");
        self.client(&mut step, client);
        if foreign {
            step.with("token", &source);
        } else {
            step.given("token", &source);
        }
        self.finish_step(step, operation, accused, Some(source));
        if !accused
            || !matches!(
                self.oracle,
                Oracle::NotRevoked | Oracle::ForeignRevoked | Oracle::Forbidden
            )
        {
            return;
        }
        let mut call = Step::new("call");
        self.client(&mut call, owner);
        self.place(&mut call, resource);
        if self.oracle == Oracle::NotRevoked {
            call.given("token", &format!("${name}.access_token"));
            call.line("expect.dead = [\"invalid_token\"]");
            call.line("expect.within = \"policy.revocation_lag\"");
        } else {
            call.given("token", &format!("${name}.access_token"));
        }
        self.push(call);
    }

    pub(super) fn introspect(&mut self, operation: &Operation, accused: bool) {
        self.need("introspection");
        let name = self.arrange("grant", operation.client, operation.resource);
        let source = match operation.credential {
            Credential::Kind | Credential::Spent => {
                self.need("refresh_token");
                format!("${name}.refresh_token")
            }
            _ => format!("${name}.access_token"),
        };
        let mut step = Step::new("introspect");
        step.given("token", &source);
        self.finish_step(step, operation, accused, Some(source));
    }

    pub(super) fn call(&mut self, operation: &Operation, accused: bool) {
        let mut step = Step::new("call");
        self.client(&mut step, operation.client);
        self.place(&mut step, operation.resource);
        let mut source = None;
        if operation.credential != Credential::Live
            || needs_own(
                operation,
                &["token", "@authorization", "@header.Authorization"],
            )
        {
            let name = self.arrange("grant", operation.client, operation.resource);
            match operation.credential {
                Credential::Spent | Credential::Kind => {
                    self.need("refresh_token");
                    step.with("token", &format!("${name}.refresh_token"));
                    source = Some(format!("${name}.refresh_token"));
                }
                _ => {
                    step.given("token", &format!("${name}.access_token"));
                    source = Some(format!("${name}.access_token"));
                }
            }
        }
        self.finish_step(step, operation, accused, source);
    }

    /// The edits and the expectation.
    pub(super) fn finish_step(
        &mut self,
        mut step: Step,
        operation: &Operation,
        accused: bool,
        source: Option<String>,
    ) {
        let mut without = Vec::new();
        for edit in merged(operation) {
            let name = edit.name();
            // What the step presents in the place of its own is one change of a name, and this another.
            step.lines
                .retain(|line| !line.starts_with(&format!("with.{} ", key(name))));
            match edit {
                Edit::With(_, values) => {
                    let texts: Vec<String> = values
                        .iter()
                        .map(|value| {
                            self.template(value, name, operation, source.as_deref(), false)
                        })
                        .collect();
                    let text = match texts.as_slice() {
                        [one] => quote(one),
                        several => format!(
                            "[{}]",
                            several
                                .iter()
                                .map(|one| quote(one))
                                .collect::<Vec<_>>()
                                .join(", ")
                        ),
                    };
                    step.line(format!("with.{} = {text}", key(name)));
                }
                Edit::Without(_) if step.sends(operation.kind, name) => without.push(quote(name)),
                Edit::Without(_) => {}
                Edit::Raw(_, value) => {
                    let encoded = operation.kind != Kind::Register;
                    let text = self.template(value, name, operation, source.as_deref(), encoded);
                    step.line(format!("raw.{} = {}", key(name), quote(&text)));
                }
            }
        }
        if !without.is_empty() {
            step.line(format!("without = [{}]", without.join(", ")));
        }
        if operation.copies > 1 {
            step.line(format!("parallel = {}", operation.copies));
        }
        for line in self.expectation(operation, step.deviates(), accused) {
            step.line(line);
        }
        self.push(step);
    }
}
