//! The view `public.background_jobs`, whose name may be taken.

use super::{Store, StoreError};

impl Store {
    /// Makes the view if its name is free; answers whether it is there. As the schema's owner,
    /// unless it is there already.
    ///
    /// # Errors
    ///
    /// Whatever the database reports: 42501 if this login may not make it.
    pub async fn make_jobs_view(&self) -> Result<bool, StoreError> {
        let there = sqlx::query_scalar!(
            r#"
            -- name: has_jobs_view
            select larder.has_jobs_view() as "there!"
            "#
        )
        .fetch_one(&self.db)
        .await?;
        if there {
            return Ok(true);
        }
        let made = sqlx::query_scalar!(
            r#"
            -- name: make_jobs_view
            select larder.make_jobs_view() as "made!"
            "#
        )
        .fetch_one(&self.db)
        .await?;
        Ok(made)
    }
}
