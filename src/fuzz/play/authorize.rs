//! Authorization: the user follows a request to its end.

use super::*;

/// A `state` that a finding's case can name.
const STATE: &str = "oauthspec-state";

impl<'p> Player<'p> {
    pub(super) async fn authorize_as(&mut self, operation: &Operation) -> Result<Done, String> {
        let pkce = Pkce::fresh();
        let client = self.client(operation.client);
        let resource = self.resource(operation.resource);
        let world = &self.stage.world;
        let mut draft = request::authorization(world, client, resource, &pkce, STATE)?;
        self.deviate(&mut draft, operation);
        let uris = draft.all("redirect_uri");
        let asked = Asked::of(|name| draft.meant(name), pkce.verifier);
        let request = draft.finish();
        let facts = Facts::of(&request);
        let mut violations = model::authorization(
            &facts,
            &model::Authorization {
                client,
                resources: world
                    .target
                    .resources
                    .iter()
                    .filter_map(|resource| resource.id.as_deref())
                    .collect(),
                types: detail_types(world),
                proof: !world.target.policy.pkce_optional,
            },
        );
        // Where nobody is ever asked, nobody can deny or be absent.
        if operation.person != Person::Approve && world.target.login.driver != Driver::None {
            violations.hard.push("user");
        }
        let mut done = self.walk(request, client, &uris, operation.person).await;
        done.violations = violations;
        if done.answer == Answer::Success
            && let Some(value) = done.said.get("code").map(str::to_owned)
        {
            self.codes.push(Code {
                client: operation.client,
                resource: operation.resource,
                value,
                asked,
                touched: !operation.is_equivalent(),
            });
            let suspicious = !done.violations.none();
            if suspicious {
                // Confirmed by use: a code that cannot be redeemed is no forbidden grant.
                let at = self.codes.len() - 1;
                done.works = Some(self.redeem(at).await.is_ok());
            }
        }
        Ok(done)
    }

    /// The user follows an authorization request to its end.
    pub(super) async fn walk(
        &mut self,
        first: Request,
        client: &Client,
        asked: &[String],
        person: Person,
    ) -> Done {
        let stage = self.stage;
        let world = &stage.world;
        let waiting = Waiting {
            target: &world.target,
            client,
            asked,
        };
        let arrived = |url: &str| waiting.arrived(url);
        let fresh = Browser::new();
        let absent = person == Person::Absent;
        let browser = if absent { &fresh } else { &self.slot.browser };
        let visit = Visit {
            transport: &world.transport,
            browser,
            login: &world.target.login,
            user: world.target.user("a").or(world.target.users.first()),
            will: match person {
                Person::Approve => Will::Approve,
                Person::Deny => Will::Deny,
                Person::Absent => Will::Nothing,
            },
            arrived: &arrived,
        };
        let steps = !absent && world.target.login.driver != Driver::None;
        let mut seen_pages = Walk::default();
        let mut done = Done::new(Kind::Authorize);
        let mut request = first;
        for _ in 0..MOST_HOPS {
            let url = Url::parse(&request.url).ok();
            if let Some(cookies) = browser.cookies_for(&request.url)
                && request.header("cookie").is_none()
            {
                request.set("Cookie", cookies);
            }
            let seen = self.slot.lane.send(request.clone()).await;
            let reply = seen.reply.clone();
            done.seen.push(seen);
            let reply = match reply {
                Ok(reply) => reply,
                Err(lost) => {
                    done.answer = Answer::NoAnswer(lost.words());
                    return done;
                }
            };
            if let Some(url) = &url {
                browser.keep_from(url, &reply);
            }
            if let Some(answer) = unlucky(&reply) {
                done.answer = answer;
                return done;
            }
            if let Some(location) = reply
                .header_bytes("location")
                .filter(|_| reply.is_redirect())
            {
                match walk::next_hop(&visit, &request, location, reply.status) {
                    Some(next) => {
                        request = next;
                        continue;
                    }
                    None => {
                        done.end(waiting, location, None, reply.status);
                        return done;
                    }
                }
            }
            if request.method == "HEAD" || request.method == "OPTIONS" {
                done.answer = refusal(&reply);
                return done;
            }
            match walk::on_page(&visit, &request, &reply, steps, &mut seen_pages).await {
                Ok(next) => request = next,
                Err(End::Redirect { location, post }) => {
                    done.end(waiting, &location, post.as_ref(), reply.status);
                    return done;
                }
                Err(_) => {
                    done.answer = refusal(&reply);
                    return done;
                }
            }
        }
        done.answer = Answer::NoAnswer("pages and redirects without end".into());
        done
    }

    /// A correct authorization; its code's index.
    pub(super) async fn arrange_code(
        &mut self,
        client: usize,
        resource: usize,
    ) -> Result<usize, String> {
        let operation = Operation {
            client,
            resource,
            ..Operation::plain(Kind::Authorize)
        };
        for attempt in 0..2 {
            let done = self.authorize_as(&operation).await?;
            if done.answer == Answer::Success {
                return Ok(self.codes.len() - 1);
            }
            // The session may have ended, or an earlier deviation may have spoilt it.
            self.slot.browser = Browser::new();
            if attempt == 1 {
                let why = format!("the correct authorization {}", done.answer.words());
                self.trace.setup.extend(done.seen);
                return Err(why);
            }
        }
        Err("no code".into())
    }
}
