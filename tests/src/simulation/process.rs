//! A process in the simulated world: its ports, its clock, and what goes wrong with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use model::json::Text;
use model::timestamp::Timestamp;
use ports::faulty::Faults;
use ports::{
    BlobError, Blobs, Bus, BusError, Clock, Condition, Event, IndexPage, IndexQuery, Key, Page, Query, Queue,
    QueueError, QueueSettings, Queues, Receipt, Received, Row, Skewed, Sleep, Table, TableError,
};

use super::planted::{Behind, Planted};
use super::trace::{Trace, guard};

/// A process. All its ports go through [`Process::pass`], which stands still while it is paused.
pub struct Process {
    /// Its name in the trace.
    pub name: Text,
    /// What goes wrong with its requests.
    pub faults: Faults,
    /// What it takes the time to be.
    pub clock: Arc<Skewed>,
    /// What the time is.
    pub time: Arc<dyn Clock>,
    /// When the world began.
    pub begin: Timestamp,
    /// The schedule.
    pub trace: Trace,
    /// The bug that was planted.
    pub planted: Planted,
    /// It stands still until then.
    paused_until: Mutex<Timestamp>,
    /// It was paused, told to end, or its clock jumped far.
    troubled: AtomicBool,
    /// What a planted bug keeps back.
    pub(super) behind: Behind,
}

impl Process {
    /// A process that has just begun.
    pub fn new(
        name: Text,
        faults: Faults,
        clock: Arc<Skewed>,
        time: Arc<dyn Clock>,
        begin: Timestamp,
        trace: Trace,
        planted: Planted,
    ) -> Arc<Process> {
        Arc::new(Process {
            name,
            faults,
            clock,
            time,
            begin,
            trace,
            planted,
            paused_until: Mutex::new(begin),
            troubled: AtomicBool::new(false),
            behind: Behind::default(),
        })
    }

    /// Nothing that it does comes to an end before so many milliseconds have passed.
    pub fn pause(&self, millis: i64) {
        self.trouble();
        *guard(&self.paused_until) = self.time.now().plus_millis(millis);
        self.says(format_args!("stands still for {millis} ms"));
    }

    /// From now on its calls may have an unknown outcome.
    pub fn trouble(&self) {
        self.troubled.store(true, Ordering::SeqCst);
    }

    /// Whether its calls may have an unknown outcome: others took it for dead, or could have.
    pub fn is_troubled(&self) -> bool {
        self.troubled.load(Ordering::SeqCst) || self.faults.has_crashed()
    }

    /// Returns when the process is not paused.
    pub async fn pass(&self) {
        loop {
            let until = *guard(&self.paused_until);
            if self.time.now() >= until {
                return;
            }
            self.time.sleep_until(until).await;
        }
    }

    /// A line of the trace.
    pub fn says(&self, what: std::fmt::Arguments<'_>) {
        self.trace.line(self.begin, self.time.now(), &self.name, what);
    }

    async fn operation<T, E: std::fmt::Display>(
        &self,
        what: impl Fn() -> String,
        operation: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        self.pass().await;
        let before = self.faults.has_crashed();
        let result = Watched { operation: Box::pin(operation), process: self, what: &what, before }.await;
        self.pass().await;
        if self.trace.is_wanted() {
            match &result {
                Ok(_) => self.says(format_args!("{}", what())),
                Err(error) => self.says(format_args!("{}: {error}", what())),
            }
        }
        result
    }
}

/// Says in the trace which operation a process has crashed in.
struct Watched<'a, F: Future, W: Fn() -> String> {
    operation: std::pin::Pin<Box<F>>,
    process: &'a Process,
    what: &'a W,
    before: bool,
}

impl<F: Future, W: Fn() -> String> Future for Watched<'_, F, W> {
    type Output = F::Output;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<F::Output> {
        let polled = self.operation.as_mut().poll(context);
        if polled.is_pending() && !self.before && self.process.faults.has_crashed() {
            self.before = true;
            if self.process.trace.is_wanted() {
                let what = (self.what)();
                self.process.says(format_args!("CRASHES at {what}"));
            }
        }
        polled
    }
}

/// The clock of a process: a paused process does not notice that time passes.
pub struct ProcessClock(pub Arc<Process>);

impl Clock for ProcessClock {
    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        Box::pin(async move {
            self.0.clock.sleep_until(at).await;
            self.0.pass().await;
        })
    }
}

/// A port of a process.
pub struct Port<P: ?Sized> {
    /// Whose.
    pub process: Arc<Process>,
    /// The port with its faults.
    pub port: Arc<P>,
}

impl<P: ?Sized> Port<P> {
    /// The port of a process.
    pub fn new(process: &Arc<Process>, port: Arc<P>) -> Arc<Port<P>> {
        Arc::new(Port { process: process.clone(), port })
    }
}

#[async_trait]
impl Table for Port<dyn Table> {
    async fn get(&self, key: &Key) -> Result<Option<Row>, TableError> {
        self.flush().await;
        let found = self.process.operation(|| format!("get {key}"), self.port.get(key)).await?;
        self.as_planted(key, found).await
    }

    async fn put(&self, row: Row, condition: Condition) -> Result<(), TableError> {
        self.flush().await;
        let (row, condition) = match self.plant(row, condition) {
            Some(put) => put,
            None => return Ok(()),
        };
        let (key, bytes) = (row.key.clone(), row.body.len());
        let what = || format!("put {key} {condition:?}, {bytes} bytes");
        let result = self.process.operation(what, self.port.put(row, condition)).await;
        self.planted_put(&key, &result);
        result
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), TableError> {
        self.flush().await;
        self.process
            .operation(|| format!("delete {key} {condition:?}"), self.port.delete(key, condition))
            .await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.flush().await;
        let what = || format!("query {} {:?} {}", query.partition, query.order, query.limit);
        self.process.operation(what, self.port.query(query)).await
    }

    async fn query_index(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.flush().await;
        let what = || format!("query index {} to {}", query.partition, query.to);
        self.process.operation(what, self.port.query_index(query)).await
    }
}

#[async_trait]
impl Queue for Port<dyn Queue> {
    async fn send(&self, body: Bytes, delay: Duration) -> Result<(), QueueError> {
        if self.keeps_back(&body, delay) {
            return Ok(());
        }
        let what = || format!("send {} after {} ms", shown(&body), delay.as_millis());
        self.process.operation(what, self.port.send(body.clone(), delay)).await
    }

    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Received>, QueueError> {
        self.process.pass().await;
        let received = self.port.receive(max, wait).await;
        self.process.pass().await;
        if self.process.trace.is_wanted() {
            match &received {
                Ok(received) => {
                    for message in received {
                        let (count, receipt) = (message.receive_count, &message.receipt.0);
                        let body = shown(&message.body);
                        self.process.says(format_args!("receive {receipt} {body}, for the {count}. time"));
                    }
                }
                Err(error) => self.process.says(format_args!("receive: {error}")),
            }
        }
        let received = received?;
        self.received(&received).await;
        Ok(received)
    }

    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<(), QueueError> {
        let what = || format!("extend {receipts:?} by {} ms", visibility.as_millis());
        self.process.operation(what, self.port.extend(receipts, visibility)).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let what = || format!("delete {receipts:?}");
        self.process.operation(what, self.port.delete(receipts)).await
    }
}

#[async_trait]
impl Queues for Port<dyn Queues> {
    async fn create(&self, name: &str, settings: QueueSettings) -> Result<Arc<dyn Queue>, QueueError> {
        let queue =
            self.process.operation(|| format!("create {name}"), self.port.create(name, settings)).await?;
        Ok(Port::<dyn Queue>::new(&self.process, queue))
    }

    async fn open(&self, name: &str) -> Result<Arc<dyn Queue>, QueueError> {
        let queue = self.process.operation(|| format!("open {name}"), self.port.open(name)).await?;
        Ok(Port::<dyn Queue>::new(&self.process, queue))
    }

    async fn remove(&self, name: &str) -> Result<(), QueueError> {
        self.process.operation(|| format!("remove {name}"), self.port.remove(name)).await
    }
}

#[async_trait]
impl Blobs for Port<dyn Blobs> {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        self.process.operation(|| format!("put blob {key}"), self.port.put(key, bytes)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, BlobError> {
        self.process.operation(|| format!("get blob {key}"), self.port.get(key)).await
    }

    async fn delete(&self, key: &str) -> Result<(), BlobError> {
        self.process.operation(|| format!("delete blob {key}"), self.port.delete(key)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Text>, BlobError> {
        self.process.operation(|| format!("list blobs {prefix}"), self.port.list(prefix, after, limit)).await
    }
}

#[async_trait]
impl Bus for Port<dyn Bus> {
    async fn publish(&self, event: Event) -> Result<(), BusError> {
        let status = event.detail.get("status").cloned();
        let what = || format!("publish {status:?} of {:?}", event.resources);
        self.process.operation(what, self.port.publish(event.clone())).await
    }
}

/// The readable part of a message.
fn shown(body: &[u8]) -> String {
    let mut text = String::new();
    for byte in body.iter().take(160) {
        match byte {
            32..=126 => text.push(char::from(*byte)),
            _ if text.ends_with('·') => {}
            _ => text.push('·'),
        }
    }
    let cut = text.find("execution:").map_or(0, |at| at + "execution:".len());
    text.split_off(cut).chars().take(70).collect()
}
