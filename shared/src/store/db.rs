//! Talks to Postgres, also where a pooler stands between that gives each transaction
//! another session (PgBouncer's transaction mode, port 6543 of hosted ones).
//!
//! There, a statement that was prepared in one transaction is missing in the next, or is
//! somebody else's: nothing may be left behind. So each statement is a transaction of its own
//! then, its text goes with it, and it has no name. That costs two round trips more and a
//! plan each time, and is only done where it is needed: whether it is, is found out once
//! ([`is_shared`]), since neither the URL nor the server says so.
//!
//! # Not here
//!
//! Listening, which cannot work through such a pooler: [`super::listen`].

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{
    PgArguments, PgConnectOptions, PgConnection, PgQueryResult, PgRow, PgStatement, PgTransaction,
    PgTypeInfo, Postgres,
};
use sqlx::{
    ConnectOptions as _, Connection as _, Either, Error, Execute, Executor, PgPool, Row as _,
    SqlStr,
};
use tokio::sync::OnceCell;

/// The database, through a pool of connections.
#[derive(Debug, Clone)]
pub(super) struct Db {
    pool: PgPool,
    /// Whether sessions are shared; not known before the first statement.
    shared: Arc<OnceCell<bool>>,
}

impl Db {
    /// Over a pool whose connections are found out about when the first one is needed.
    pub(super) fn new(pool: PgPool) -> Self {
        Self {
            pool,
            shared: Arc::default(),
        }
    }

    /// Over a pool that is known to lead to Postgres itself.
    pub(super) fn direct(pool: PgPool) -> Self {
        Self {
            pool,
            shared: Arc::new(OnceCell::new_with(Some(false))),
        }
    }

    /// The pool itself.
    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Whether a pooler gives each transaction another session.
    pub(super) async fn is_shared(&self) -> Result<bool, Error> {
        let find_out = || async { is_shared(&self.pool.connect_options()).await };
        self.shared.get_or_try_init(find_out).await.copied()
    }

    /// A connection to keep.
    pub(super) async fn acquire(&self) -> Result<PoolConnection<Postgres>, Error> {
        self.pool.acquire().await
    }

    /// Begins a transaction.
    pub(super) async fn begin(&self) -> Result<Tx<'static>, Error> {
        self.begin_with("begin").await
    }

    /// Begins a transaction with a statement that begins one.
    pub(super) async fn begin_with(&self, statement: &'static str) -> Result<Tx<'static>, Error> {
        let is_shared = self.is_shared().await?;
        let tx = self.pool.begin_with(statement).await?;
        Ok(Tx { tx, is_shared })
    }
}

/// An open transaction. Rolled back when dropped.
#[derive(Debug)]
pub(super) struct Tx<'c> {
    tx: PgTransaction<'c>,
    is_shared: bool,
}

impl Tx<'_> {
    /// Commits.
    pub(super) async fn commit(self) -> Result<(), Error> {
        self.tx.commit().await
    }

    /// Takes everything back.
    pub(super) async fn rollback(self) -> Result<(), Error> {
        self.tx.rollback().await
    }

    /// The connection, for what prepares statements by itself; [`Tx::forget_statements`] first
    /// and after.
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Leaves no prepared statement in a session that others will have.
    pub(super) async fn forget_statements(&mut self) -> Result<(), Error> {
        if self.is_shared {
            let forget = sqlx::raw_sql("deallocate all");
            forget.execute(&mut *self.tx).await?;
        }
        Ok(())
    }
}

/// Whether statements on one connection reach different sessions, or statements on two
/// connections the same: then a pooler lends out sessions by the transaction.
///
/// Nothing is left behind by asking. A pooler with more than one idle session may answer in
/// a way that looks direct, so it is asked in turns, and port 6543, which is where hosted
/// poolers of this kind listen, is believed.
pub(super) async fn is_shared(options: &PgConnectOptions) -> Result<bool, Error> {
    if options.get_port() == 6543 {
        return Ok(true);
    }
    let mut one = options.connect().await?;
    let mut other = options.connect().await?;
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        ones.push(session(&mut one).await?);
        others.push(session(&mut other).await?);
    }
    // Polite, and no more: what was asked is known.
    let _ = tokio::join!(one.close(), other.close());
    ones.dedup();
    others.dedup();
    Ok(ones.len() > 1 || others.len() > 1 || ones == others)
}

/// Which of the server's processes a statement reaches. Without a prepared statement.
async fn session(connection: &mut PgConnection) -> Result<i32, Error> {
    let row = sqlx::raw_sql("select pg_backend_pid()");
    row.fetch_one(connection).await?.try_get(0)
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

impl<'c> Executor<'c> for &'c mut Tx<'_> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        match self.is_shared {
            true => self.tx.fetch_many(Nameless(query)),
            false => self.tx.fetch_many(query),
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        match self.is_shared {
            true => self.tx.fetch_optional(Nameless(query)),
            false => self.tx.fetch_optional(query),
        }
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        self.tx.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        self.tx.describe(sql)
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
            if !self.is_shared().await? {
                return Ok::<_, Error>(self.pool.fetch_many(query));
            }
            let mut tx = self.begin().await?;
            let steps: Vec<Step> = (&mut tx).fetch_many(query).try_collect().await?;
            tx.commit().await?;
            Ok(futures::stream::iter(steps.into_iter().map(Ok)).boxed())
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
                return self.pool.fetch_optional(query).await;
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
        self.pool.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, Error>>
    where
        'p: 'e,
    {
        self.pool.describe(sql)
    }
}
