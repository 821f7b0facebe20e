//! Tokens beside others: a second telephone, a key fob. In SQL.

use super::Database;
use super::accounts::id_of;
use super::sqlite::immediate;
use super::tokens::{self, NewToken};
use crate::auth::{StoreError, TokenId};
use crate::clock::UnixTime;
use crate::name::UserName;
use crate::secret::ExposeSecret;
use rusqlite::params;

/// What came of adding a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adding {
    /// Done.
    Done,
    /// There is no such user, or no token to add it to.
    NotEnrolled,
    /// A token of the user has this secret already.
    SameSecret,
}

impl Database {
    /// Stores one more token of a user who has one. Backup codes, failures and questions stay as they are.
    ///
    /// # Errors
    /// When the database fails, or a secret of the user's is encrypted and cannot be read: it might be the same.
    pub fn add_token(
        &mut self,
        name: &UserName,
        token: &NewToken<'_>,
        now: UnixTime,
    ) -> Result<Adding, StoreError> {
        let Self { connection, keyring, .. } = self;
        let transaction = immediate(connection)?;
        let Some(user) = id_of(&transaction, name)? else { return Ok(Adding::NotEnrolled) };
        let known = tokens::tokens_of(&transaction, keyring, user)?;
        if known.is_empty() {
            return Ok(Adding::NotEnrolled);
        }
        // Whatever else differs: a code that one of them has used up would be good for the other.
        if known.iter().any(|known| known.secret.expose_secret() == token.secret.expose_secret()) {
            return Ok(Adding::SameSecret);
        }
        tokens::insert(&transaction, keyring, (user, name), token, now)?;
        transaction.commit()?;
        Ok(Adding::Done)
    }

    /// Removes a token of a user. Returns whether it was done: not when it is not theirs any more, or their only one.
    ///
    /// # Errors
    /// When the database fails.
    pub fn delete_token(&mut self, name: &UserName, token: TokenId) -> Result<bool, StoreError> {
        let transaction = immediate(&mut self.connection)?;
        let Some(user) = id_of(&transaction, name)? else { return Ok(false) };
        let deleted = transaction.execute(
            "DELETE FROM totp_token WHERE id = ?1 AND user_id = ?2
             AND EXISTS (SELECT 1 FROM totp_token WHERE user_id = ?2 AND id <> ?1)",
            params![token.0, user.0],
        )?;
        transaction.commit()?;
        Ok(deleted == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factor::totp::Algorithm;
    use crate::secret::secret;
    use crate::store::{Location, Replace};

    const NOW: UnixTime = 1_795_295_268;

    fn with_alice() -> (tempfile::TempDir, Database, UserName) {
        let directory = tempfile::tempdir().unwrap();
        let location = Location { database: directory.path().join("tokens.sqlite3"), key_file: None };
        let mut database = Database::open_or_create(location).unwrap();
        let alice: UserName = "alice".parse().unwrap();
        let first = secret(&[1; 20]);
        assert!(database.enrol(&alice, &new(&first), Replace::No, NOW).unwrap());
        (directory, database, alice)
    }

    fn new(secret: &crate::secret::SecretBytes) -> NewToken<'_> {
        NewToken { secret, algorithm: Algorithm::Sha1, digits: 6, period: 30, label: "second" }
    }

    fn labels(database: &mut Database, name: &UserName) -> Vec<String> {
        let user = database.enrolled(name.as_str()).unwrap().unwrap();
        user.tokens.into_iter().map(|token| token.label).collect()
    }

    #[test]
    fn a_token_is_added_once_and_only_beside_another() {
        let (_directory, mut database, alice) = with_alice();
        let (second, nobody) = (secret(&[2; 20]), "nobody".parse().unwrap());
        assert_eq!(database.add_token(&nobody, &new(&second), NOW).unwrap(), Adding::NotEnrolled);
        database.set_factor(&nobody, None, NOW).unwrap();
        assert_eq!(database.add_token(&nobody, &new(&second), NOW).unwrap(), Adding::NotEnrolled);
        assert_eq!(database.add_token(&alice, &new(&second), NOW).unwrap(), Adding::Done);
        assert_eq!(labels(&mut database, &alice), ["second", "second"]);
        let other_shape = NewToken { digits: 8, period: 60, label: "", ..new(&second) };
        assert_eq!(database.add_token(&alice, &other_shape, NOW).unwrap(), Adding::SameSecret);
        assert_eq!(labels(&mut database, &alice).len(), 2);
    }

    #[test]
    fn the_last_token_and_those_of_others_are_not_removed() {
        let (_directory, mut database, alice) = with_alice();
        let bob: UserName = "bob".parse().unwrap();
        let (second, third) = (secret(&[2; 20]), secret(&[3; 20]));
        database.enrol(&bob, &new(&second), Replace::No, NOW).unwrap();
        database.add_token(&bob, &new(&third), NOW).unwrap();
        let first = database.enrolled("alice").unwrap().unwrap().tokens[0].id;
        assert!(!database.delete_token(&bob, first).unwrap(), "not theirs");
        assert!(!database.delete_token(&alice, first).unwrap(), "the only one");
        let of_bob = database.enrolled("bob").unwrap().unwrap().tokens[0].id;
        assert!(database.delete_token(&bob, of_bob).unwrap());
        assert!(!database.delete_token(&bob, of_bob).unwrap(), "gone");
        assert_eq!((labels(&mut database, &alice).len(), labels(&mut database, &bob).len()), (1, 1));
    }
}
