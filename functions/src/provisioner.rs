//! Custom resources of CloudFormation: state machines, aliases and activities in users' templates.
//!
//! Reading order: [`request`] (what CloudFormation asks), [`answer`] (what it is told), then a file
//! for each resource; [`owner`] keeps stacks from touching what is not theirs, [`properties`] reads
//! what a template says.
//!
//! CloudFormation waits an hour for an answer, so that it gets one whatever goes wrong. It delivers
//! requests more than once: the same request again changes nothing.

mod activity;
mod alias;
mod answer;
mod definition;
mod objects;
mod owner;
mod properties;
mod request;
mod schedules;
mod state_machine;
#[cfg(test)]
mod tests;
mod uninstall;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use model::arn::Home;
use model::json::{Text, Value};
use ports::Queues;

use crate::call::{Api, unhandled};
use crate::opening::Opening;
use answer::{Answer, Data, Http, Replies};
use objects::{Objects, S3};
use request::{Action, Caller, Kind, Request};
use schedules::Scheduler;
use schedules::aws::Group;
pub use schedules::aws::ScheduleSettings;

/// Before the end of an invocation its answer has to be out: as many attempts as that takes.
const MARGIN: Duration = Duration::from_secs(15);

/// Serves invocations until the process ends.
pub async fn run(opening: Opening, schedules: Result<ScheduleSettings, String>) -> Result<(), Error> {
    let sdk = ports_aws::config::of_environment();
    let scheduler = schedules.map(|settings| Group::new(&sdk, settings));
    let (objects, replies) = (S3::new(&sdk), Http::new()?);
    let (opening, scheduler, objects, replies) = (&opening, &scheduler, &objects, &replies);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        let outside = Outside {
            scheduler: scheduler.as_ref().map(|group| group as &dyn Scheduler).map_err(String::as_str),
            objects,
            replies,
        };
        let inside = async {
            let installation = opening.installation().await?;
            let queues = installation.queues.as_ref();
            Ok(Inside { api: &installation.service, home: &installation.home, queues })
        };
        handle(inside, &outside, &event.payload, left).await.map_err(unhandled)
    }))
    .await
}

/// What an installation has.
#[derive(Clone, Copy)]
struct Inside<'a> {
    api: &'a dyn Api,
    home: &'a Home,
    queues: &'a dyn Queues,
}

/// What stands around it.
struct Outside<'a> {
    scheduler: Result<&'a dyn Scheduler, &'a str>,
    objects: &'a dyn Objects,
    replies: &'a dyn Replies,
}

/// What one request is handled with.
struct Tools<'a> {
    api: &'a dyn Api,
    home: &'a Home,
    queues: &'a dyn Queues,
    caller: &'a Caller,
    objects: &'a dyn Objects,
    scheduler: Result<&'a dyn Scheduler, &'a str>,
}

/// The physical id that the answer names, whenever it has to be given.
struct Physical(Mutex<Text>);

impl Physical {
    fn new(id: Text) -> Physical {
        Physical(Mutex::new(id))
    }

    fn get(&self) -> Text {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets another one; what it was before.
    fn set(&self, id: Text) -> Text {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), id)
    }
}

/// Handles one request. An error means that CloudFormation could not be told.
async fn handle<'a>(
    inside: impl Future<Output = Result<Inside<'a>, String>>,
    outside: &Outside<'a>,
    event: &Value,
    left: Duration,
) -> Result<(), String> {
    let caller = Caller::read(event)?;
    // Of what does not exist yet, an id of its own: the Delete of a failed Create names it.
    let physical = Physical::new(request::physical_id(event).unwrap_or_else(|| owner::placeholder(&caller)));
    let work = async {
        let request = Request::read(caller.clone(), event)?;
        if request.kind == Kind::Installation && request.action != Action::Delete {
            // It needs nothing, least of all an installation that can be opened.
            return uninstall::keep(&request.properties, &physical);
        }
        let Inside { api, home, queues } = inside.await?;
        let Outside { scheduler, objects, .. } = *outside;
        let tools = Tools { api, home, queues, caller: &caller, objects, scheduler };
        perform(&tools, &request, &physical).await
    };
    let outcome = tokio::time::timeout(left.saturating_sub(MARGIN), work).await;
    let outcome = outcome.unwrap_or_else(|_| Err("the function ran out of time; try again".to_owned()));
    let answer = Answer { physical_id: physical.get(), outcome };
    match &answer.outcome {
        Ok(_) => tracing::info!(resource = ?caller, physical_id = answer.physical_id.as_str(), "done"),
        // A reason may quote a definition: CloudFormation shows it to whom it concerns.
        Err(_) => tracing::warn!(resource = ?caller, physical_id = answer.physical_id.as_str(), "failed"),
    }
    outside.replies.put(&caller.response_url, answer.body(&caller)).await
}

async fn perform(tools: &Tools<'_>, request: &Request, physical: &Physical) -> Result<Data, String> {
    let (properties, old) = (&request.properties, &request.old_properties);
    match (request.kind, request.action) {
        (Kind::Activity, Action::Create) => activity::create(tools, properties, physical).await,
        (Kind::Activity, Action::Update) => activity::update(tools, properties, old, physical).await,
        (Kind::Activity, Action::Delete) => activity::delete(tools, physical).await,
        (Kind::Installation, Action::Create | Action::Update) => uninstall::keep(properties, physical),
        (Kind::Installation, Action::Delete) => uninstall::delete(tools, properties, physical).await,
        (Kind::StateMachine, Action::Create) => state_machine::create(tools, properties, physical).await,
        (Kind::StateMachine, Action::Update) => state_machine::update(tools, properties, old, physical).await,
        (Kind::StateMachine, Action::Delete) => state_machine::delete(tools, properties, physical).await,
        (Kind::StateMachineAlias, Action::Create) => alias::create(tools, properties, physical).await,
        (Kind::StateMachineAlias, Action::Update) => alias::update(tools, properties, physical).await,
        (Kind::StateMachineAlias, Action::Delete) => alias::delete(tools, physical).await,
    }
}

/// What stands in the way of a new resource.
fn exists_already(arn: &str) -> String {
    format!("{arn} already exists, and this resource of this stack did not make it")
}
