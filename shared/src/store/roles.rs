//! Roles of the database with no more rights than processes and readers need.

use super::{Store, StoreError};

impl Store {
    /// Makes `larder_app` and `larder_reader` unless they are there, and grants them what
    /// this release's schema needs. As the schema's owner; doing it again changes nothing.
    ///
    /// # Errors
    ///
    /// Whatever the database reports: 42501 if this login may not make roles.
    pub async fn make_roles(&self) -> Result<(), StoreError> {
        sqlx::query!(
            r#"
            -- name: make_roles
            select larder.make_roles() is null as "done!"
            "#
        )
        .fetch_one(&self.db)
        .await?;
        Ok(())
    }
}
