//! Talks to Postgres, also where a pooler stands between that gives each transaction
//! another session (PgBouncer's transaction mode, port 6543 of hosted ones).
//!
//! There, a statement that was prepared in one transaction is missing in the next, or is
//! somebody else's: nothing may be left behind. So each statement is a transaction of its own
//! then, its text goes with it, and it has no name. That costs two round trips more and a
//! plan each time, and is only done where it is needed: whether it is, is found out once
//! ([`pooler`]), since neither the URL nor the server says so.
//!
//! # Not here
//!
//! Listening, which cannot work through such a pooler: [`super::listen`].

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::postgres::{
    PgArguments, PgConnection, PgQueryResult, PgRow, PgStatement, PgTypeInfo, Postgres,
};
use sqlx::{ConnectOptions as _, Either, Error, Execute, Executor, SqlStr};
use tokio::sync::OnceCell;

use super::pool::{Lent, Pool, within};
use super::pooler;

/// How long a statement may take: a connection that died without a word is given up after it.
/// Everything that is asked here waits for locks much less than that.
const PATIENCE: Duration = Duration::from_secs(60);

/// The same for what a process cannot go on without, and what takes milliseconds.
const PROMPT: Duration = Duration::from_secs(10);

/// The database, through a pool of connections.
#[derive(Debug, Clone)]
pub(super) struct Db {
    pool: Pool,
    /// Whether sessions are shared; not known before the first statement.
    shared: Arc<OnceCell<bool>>,
    patience: Duration,
}

impl Db {
    /// Over a pool whose connections are found out about when the first one is needed.
    pub(super) fn new(pool: Pool) -> Self {
        Self {
            pool,
            shared: Arc::default(),
            patience: PATIENCE,
        }
    }

    /// Over a pool that is known to lead to Postgres itself.
    pub(super) fn direct(pool: Pool) -> Self {
        Self {
            shared: Arc::new(OnceCell::new_with(Some(false))),
            ..Self::new(pool)
        }
    }

    /// The same database, for what is answered within [`PROMPT`] or not at all.
    pub(super) fn promptly(&self) -> Self {
        Self {
            patience: PROMPT,
            ..self.clone()
        }
    }

    /// The same database through another pool, of at most so many connections.
    pub(super) fn beside(&self, connections: u32) -> Self {
        let (options, patience) = (self.pool.options().clone(), self.pool.patience());
        Self {
            pool: Pool::new(options, connections, patience),
            ..self.clone()
        }
    }

    /// The same database through a pool that has no connection yet.
    pub(super) fn afresh(&self) -> Self {
        Self {
            pool: self.pool.afresh(),
            ..self.clone()
        }
    }

    /// A connection beside the pool, on which nobody's patience ends.
    pub(super) async fn connect(&self) -> Result<PgConnection, Error> {
        self.pool.options().connect().await
    }

    /// Whether a pooler gives each transaction another session.
    pub(super) async fn is_shared(&self) -> Result<bool, Error> {
        let find_out = || within(self.pool.patience(), pooler::is_shared(self.pool.options()));
        self.shared.get_or_try_init(find_out).await.copied()
    }

    /// Begins a transaction.
    pub(super) async fn begin(&self) -> Result<Tx, Error> {
        self.begin_with("begin").await
    }

    /// Begins a transaction with a statement that begins one.
    pub(super) async fn begin_with(&self, statement: &'static str) -> Result<Tx, Error> {
        let is_shared = self.is_shared().await?;
        let mut tx = Tx {
            lent: self.pool.lend().await?,
            is_shared,
            patience: self.patience,
        };
        tx.lent.set_open(true);
        tx.run(statement).await?;
        Ok(tx)
    }
}

/// An open transaction. Rolled back when dropped.
#[derive(Debug)]
pub(super) struct Tx {
    lent: Lent,
    is_shared: bool,
    patience: Duration,
}

impl Tx {
    /// Commits.
    pub(super) async fn commit(self) -> Result<(), Error> {
        self.end("commit").await
    }

    /// Takes everything back.
    pub(super) async fn rollback(self) -> Result<(), Error> {
        self.end("rollback").await
    }

    async fn end(mut self, statement: &'static str) -> Result<(), Error> {
        self.run(statement).await?;
        self.lent.set_open(false);
        Ok(())
    }

    async fn run(&mut self, statement: &'static str) -> Result<(), Error> {
        let (connection, alarm) = self.lent.ask()?;
        let ran = sqlx::raw_sql(statement).execute(connection);
        let ran = alarm.within(self.patience, ran).await;
        self.lent.heard(ran).map(drop)
    }
}

/// A statement that is not prepared under a name.
struct Nameless<E>(E);

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Nameless<E> {
    fn sql(self) -> SqlStr {
        self.0.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.0.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, sqlx::error::BoxDynError> {
        self.0.take_arguments()
    }

    fn persistent(&self) -> bool {
        false
    }
}

/// A step of a statement: a row, or that it is done.
type Step = Either<PgQueryResult, PgRow>;

impl<'c> Executor<'c> for &'c mut Tx {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let steps = async move {
            let steps = match self.is_shared {
                true => all(&mut self.lent, self.patience, Nameless(query)).await,
                false => all(&mut self.lent, self.patience, query).await,
            };
            Ok::<_, Error>(futures::stream::iter(steps?.into_iter().map(Ok)))
        };
        futures::stream::once(steps).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move {
            match self.is_shared {
                true => first(&mut self.lent, self.patience, Nameless(query)).await,
                false => first(&mut self.lent, self.patience, query).await,
            }
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let (connection, alarm) = self.lent.ask()?;
            let prepared = connection.prepare_with(sql, parameters);
            let prepared = alarm.within(self.patience, prepared).await;
            self.lent.heard(prepared)
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let (connection, alarm) = self.lent.ask()?;
            let described = alarm.within(self.patience, connection.describe(sql)).await;
            self.lent.heard(described)
        })
    }
}

impl<'p> Executor<'p> for &'p Db {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let steps = async move {
            let steps = if self.is_shared().await? {
                let mut tx = self.begin().await?;
                let steps: Vec<Step> = (&mut tx).fetch_many(query).try_collect().await?;
                tx.commit().await?;
                steps
            } else {
                let mut lent = self.pool.lend().await?;
                all(&mut lent, self.patience, query).await?
            };
            Ok::<_, Error>(futures::stream::iter(steps.into_iter().map(Ok)))
        };
        futures::stream::once(steps).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move {
            if !self.is_shared().await? {
                let mut lent = self.pool.lend().await?;
                return first(&mut lent, self.patience, query).await;
            }
            let mut tx = self.begin().await?;
            let row = (&mut tx).fetch_optional(query).await?;
            tx.commit().await?;
            Ok(row)
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut lent = self.pool.lend().await?;
            let (connection, alarm) = lent.ask()?;
            let prepared = connection.prepare_with(sql, parameters);
            let prepared = alarm.within(self.patience, prepared).await;
            lent.heard(prepared)
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, Error>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut lent = self.pool.lend().await?;
            let (connection, alarm) = lent.ask()?;
            let described = alarm.within(self.patience, connection.describe(sql)).await;
            lent.heard(described)
        })
    }
}

/// All of what a statement answers.
async fn all<'q, E>(lent: &mut Lent, patience: Duration, query: E) -> Result<Vec<Step>, Error>
where
    E: 'q + Execute<'q, Postgres>,
{
    let (connection, alarm) = lent.ask()?;
    let steps = connection.fetch_many(query).try_collect();
    let steps = alarm.within(patience, steps).await;
    lent.heard(steps)
}

/// The first row of what a statement answers.
async fn first<'q, E>(lent: &mut Lent, patience: Duration, query: E) -> Result<Option<PgRow>, Error>
where
    E: 'q + Execute<'q, Postgres>,
{
    let (connection, alarm) = lent.ask()?;
    let row = connection.fetch_optional(query);
    let row = alarm.within(patience, row).await;
    lent.heard(row)
}
