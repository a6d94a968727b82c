//! Statements that a test's database has fail.

use sqlx::{AssertSqlSafe, PgPool};

/// Has statements that write to these tables of Larder end with this error, if of the number of such
/// statements so far, this one with it, `fails` is true: `<= 3`, `% 13 = 0`.
///
/// The number is that of the sequence `tripped`. It is not rolled back: the same statement gets through
/// another time.
pub(crate) async fn trip(pool: &PgPool, tables: &[&str], fails: &str, code: &str) {
    let mut sql = format!(
        "create sequence tripped;
         create function trip() returns trigger language plpgsql as $$
         begin
             if nextval('tripped') {fails} then
                 raise exception 'tripped' using errcode = '{code}';
             end if;
             return null;
         end $$;"
    );
    for table in tables {
        sql += &format!(
            "create trigger trip after insert or update or delete on larder.{table}
                 for each statement execute function trip();"
        );
    }
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(pool)
        .await
        .unwrap();
}
