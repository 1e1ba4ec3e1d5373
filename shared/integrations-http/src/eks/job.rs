//! `eks:runJob`: starting a Kubernetes Job, seeing how it is, its logs, and its end.

use aws_client::Caller;
use engine::TaskOutcome;
use model::error::Failure;
use model::json::{Map, Value};
use model::limits::PAYLOAD_BYTES_MAX;

use super::{Cluster, Question, text_of};
use crate::Http;
use crate::arguments::{Arguments, Pairs};
use crate::encode::encoded;

const PARAMETERS: [&str; 6] =
    ["CertificateAuthority", "ClusterName", "Endpoint", "Job", "LogOptions", "Namespace"];

/// How a job is.
#[derive(Clone, Debug, PartialEq)]
pub enum JobState {
    /// It has not ended.
    Running,
    /// It has completed: the result of the task.
    Complete(Value),
    /// It has failed: what the task's failure shows.
    Failed(Value),
}

/// What a task says.
struct Run<'a> {
    cluster: Cluster<'a>,
    namespace: Option<&'a str>,
    job: &'a Value,
    logs: Option<Logs>,
}

/// `LogOptions`, where logs are wanted.
struct Logs {
    raw: bool,
    parameters: Pairs,
}

impl<'a> Run<'a> {
    fn of(parameters: &'a Value) -> Result<Run<'a>, TaskOutcome> {
        let arguments = Arguments::of(parameters, &PARAMETERS)?;
        let cluster = Cluster::of(arguments)?;
        let options = arguments.inner("LogOptions", &["LogParameters", "RawLogs", "RetrieveLogs"])?;
        let mut logs = None;
        if let Some(options) = options {
            let (raw, parameters) = (options.boolean("RawLogs")?, options.pairs("LogParameters")?);
            logs = options.boolean("RetrieveLogs")?.then_some(Logs { raw, parameters });
        }
        let Some(job) = arguments.get("Job") else {
            arguments.required("Job")?;
            return Err(arguments.wrong("Job", "an object"));
        };
        if job.as_object().is_none() && job.as_str().is_none_or(str::is_empty) {
            return Err(arguments.wrong("Job", "an object"));
        }
        Ok(Run { cluster, namespace: arguments.text("Namespace")?, job, logs })
    }

    /// Where jobs are, or one of them.
    fn path(&self, job: Option<&str>) -> String {
        let namespace = encoded(self.namespace.unwrap_or("default"));
        let job = job.map(|job| format!("/{}", encoded(job))).unwrap_or_default();
        format!("/apis/batch/v1/namespaces/{namespace}/jobs{job}")
    }
}

impl Http {
    /// Starts the job of a task's parameters: the job as the cluster has it.
    pub async fn run_job(&self, parameters: &Value, caller: &Caller) -> Result<Value, TaskOutcome> {
        let run = Run::of(parameters)?;
        let question = question("POST", run.path(None), Pairs::new(), text_of(run.job));
        let answered = self.ask(run.cluster, question, caller).await?;
        job(&answered.text())
    }

    /// How the job is that `started` names, which is what [`Http::run_job`] gave. Once it has ended, with
    /// the logs of its containers where the parameters ask for them.
    pub async fn poll_job(
        &self,
        parameters: &Value,
        started: &Value,
        caller: &Caller,
    ) -> Result<JobState, TaskOutcome> {
        let run = Run::of(parameters)?;
        let name = name(started)?;
        let question = question("GET", run.path(Some(name)), Pairs::new(), String::new());
        let mut job = job(&self.ask(run.cluster, question, caller).await?.text())?;
        let is_complete = has_condition(&job, &["Complete"]);
        if !is_complete && !has_condition(&job, &["Failed"]) {
            return Ok(JobState::Running);
        }
        if let Some(logs) = &run.logs {
            let found = self.logs(&run, logs, name, caller).await;
            job = with(job, "logs", found);
        }
        Ok(if is_complete { JobState::Complete(job) } else { JobState::Failed(job) })
    }

    /// Deletes a job with its pods.
    pub async fn cancel_job(
        &self,
        parameters: &Value,
        started: &Value,
        caller: &Caller,
    ) -> Result<(), TaskOutcome> {
        let run = Run::of(parameters)?;
        let query = vec![("propagationPolicy".to_owned(), "Background".to_owned())];
        let question = question("DELETE", run.path(Some(name(started)?)), query, String::new());
        self.ask(run.cluster, question, caller).await.map(|_| ())
    }

    /// `{"pods": {POD: {"containers": {CONTAINER: {"log": …}}}}}`; where a log cannot be read, its `error` and
    /// `cause`.
    async fn logs(&self, run: &Run<'_>, logs: &Logs, job: &str, caller: &Caller) -> Value {
        let namespace = encoded(run.namespace.unwrap_or("default"));
        let pods_path = format!("/api/v1/namespaces/{namespace}/pods");
        let selector = vec![("labelSelector".to_owned(), format!("job-name={job}"))];
        let question_of = |path: String, query: Pairs| question("GET", path, query, String::new());
        let answered = match self.ask(run.cluster, question_of(pods_path.clone(), selector), caller).await {
            Ok(answered) => answered,
            Err(outcome) => return unreadable(outcome),
        };
        let list = Value::parse(&answered.text()).unwrap_or_default();
        let list = list.get("items").and_then(Value::as_array).map(|items| &**items).unwrap_or_default();
        let (mut pods, mut bytes) = (Map::default(), 0);
        for pod in list {
            // With more than that, no result has room for them.
            if bytes > PAYLOAD_BYTES_MAX {
                break;
            }
            let Some(name) = text_at(pod, &["metadata", "name"]) else { continue };
            let mut containers = Map::default();
            for container in containers_of(pod) {
                let mut query = logs.parameters.clone();
                query.push(("container".to_owned(), container.clone()));
                let path = format!("{pods_path}/{}/log", encoded(name));
                let log = match self.ask(run.cluster, question_of(path, query), caller).await {
                    Ok(answered) => {
                        let text = answered.text();
                        bytes += text.len();
                        let parsed = (!logs.raw).then(|| Value::parse(&text).ok()).flatten();
                        with(Value::object(), "log", parsed.unwrap_or_else(|| Value::from(text)))
                    }
                    Err(outcome) => unreadable(outcome),
                };
                containers.insert(container.into(), log);
            }
            pods.insert(name.into(), with(Value::object(), "containers", containers.into()));
        }
        with(Value::object(), "pods", pods.into())
    }
}

fn question(method: &'static str, path: String, query: Pairs, body: String) -> Question {
    Question { method, path, query, body }
}

fn job(text: &str) -> Result<Value, TaskOutcome> {
    let job = Value::parse(text).ok().filter(|job| job.as_object().is_some());
    job.ok_or_else(|| {
        TaskOutcome::failed(Failure::new("EKS.SdkClientException", "The answer of the cluster is no job"))
    })
}

fn name(job: &Value) -> Result<&str, TaskOutcome> {
    let name = text_at(job, &["metadata", "name"]);
    name.ok_or_else(|| TaskOutcome::failed(Failure::new("EKS.SdkClientException", "The job has no name")))
}

/// Whether a job has one of these conditions.
fn has_condition(job: &Value, kinds: &[&str]) -> bool {
    let conditions = job.get("status").and_then(|status| status.get("conditions")).and_then(Value::as_array);
    conditions.is_some_and(|conditions| {
        conditions.iter().any(|condition| {
            let is_true = text_at(condition, &["status"]) == Some("True");
            is_true && text_at(condition, &["type"]).is_some_and(|kind| kinds.contains(&kind))
        })
    })
}

fn containers_of(pod: &Value) -> Vec<String> {
    let containers = pod.get("spec").and_then(|spec| spec.get("containers")).and_then(Value::as_array);
    let containers = containers.map(|containers| &**containers).unwrap_or_default();
    containers.iter().filter_map(|container| text_at(container, &["name"])).map(str::to_owned).collect()
}

fn text_at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(value, |value, name| value.get(name))?.as_str().filter(|text| !text.is_empty())
}

/// A log that could not be read.
fn unreadable(outcome: TaskOutcome) -> Value {
    let TaskOutcome::Failed { failure, .. } = outcome else { return Value::object() };
    let text = |text: Option<model::json::Text>| text.map_or(Value::Null, Value::from);
    [("error", text(failure.error)), ("cause", text(failure.cause))].into_iter().collect()
}

fn with(value: Value, name: &str, member: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let mut members = members.into_map();
    members.insert(name.into(), member);
    members.into()
}
