//! e. The same login with few and with many enrolled users.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::arguments::Arguments;
use super::call::{self, Hook, Session};
use super::figures::{Series, Table};
use super::harness::accounts::{UnixUser, permissive_pam_service};
use super::harness::enrolment::Enrolment;
use super::harness::management::static_response;
use super::harness::sandbox;

const USERS: [usize; 3] = [10, 10_000, 1_000_000];
/// How much longer a login may take with the most users than with the fewest.
const LIMIT: f64 = 1.2;

/// A series of a population.
type Pick = fn(&Population) -> &Series;

/// A database with many users, on the file system that the program is built on: a disk, where there is one.
struct Population {
    users: usize,
    directory: PathBuf,
    database: PathBuf,
    enrolment: Enrolment,
    with_pam_unix: Series,
    without_password_check: Series,
    by_reconnecting: Series,
}

pub(crate) fn run(arguments: &Arguments) -> bool {
    call::adopt_workers();
    let user = UnixUser::new();
    let permissive = permissive_pam_service();
    let mut populations: Vec<Population> =
        USERS.iter().map(|&users| Population::make(users, &user.name)).collect();
    let mut truth = Series::default();
    for round in 0..arguments.rounds(100) {
        let session = Session::new(&sandbox::root().join("scale"), &user.name);
        truth.add(session.verify(&Hook::true_(), "anything").took);
        for population in &mut populations {
            population.log_in(&user, &permissive, round);
        }
    }
    let mut met = true;
    let kinds: [(&str, Pick); 3] = [
        ("SCRV1 with pam_unix", |population| &population.with_pam_unix),
        ("SCRV1, PAM checks nothing", |population| &population.without_password_check),
        ("password, then answer to CRV1, PAM checks nothing", |population| &population.by_reconnecting),
    ];
    let mut table = Table::new("e. Verdict on a right login, by users enrolled", "milliseconds", "10 users");
    for (name, series) in kinds {
        let base = series(&populations[0]).median();
        for population in &populations {
            let limit = (population.users == USERS[2]).then_some(base * LIMIT);
            table.row(&format!("{name}: {} users", population.users), series(population), Some(base), limit);
        }
    }
    table.row("/bin/true", &truth, None, None);
    met &= table.print();
    for population in &populations {
        let size = std::fs::metadata(&population.database).unwrap().len();
        println!("{} users: a database of {} KiB", population.users, size / 1024);
        std::fs::remove_dir_all(&population.directory).unwrap();
    }
    met
}

impl Population {
    /// Enrols the Unix user `user` by the program, and `users` - 1 others by SQL with the same secret.
    fn make(users: usize, user: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{users}-users"));
        let _not_there = std::fs::remove_dir_all(&directory);
        let database = directory.join("state/tokens.sqlite3");
        std::fs::create_dir_all(&directory).unwrap();
        let enrolment = Enrolment::new(&database, user, &[], &[]);
        let mut connection = Connection::open(&database).unwrap();
        let transaction = connection.transaction().unwrap();
        transaction
            .execute_batch(&format!(
                "WITH RECURSIVE number (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM number WHERE n < {users})
                 INSERT INTO user (id, name, created_at) SELECT n, 'person' || n, 1795295268 FROM number;
                 INSERT INTO totp_token (user_id, secret, created_at)
                     SELECT id, (SELECT secret FROM totp_token WHERE id = 1), created_at FROM user WHERE id > 1;"
            ))
            .unwrap();
        transaction.commit().unwrap();
        let counted: i64 =
            connection.query_row("SELECT count(*) FROM totp_token", [], |row| row.get(0)).unwrap();
        assert_eq!(usize::try_from(counted), Ok(users));
        let series = Series::default;
        Self {
            users,
            directory,
            database,
            enrolment,
            with_pam_unix: series(),
            without_password_check: series(),
            by_reconnecting: series(),
        }
    }

    fn log_in(&mut self, user: &UnixUser, permissive: &str, round: usize) {
        // Long enough for the exit status to be the verdict.
        let hook = Hook::product(&self.database).set("authStallBudgetMs", "10000").set("totpWindow", "2");
        let unchecked = hook.clone().set("pamService", permissive);
        let code = self.enrolment.code();
        let directory = self.directory.join("session");
        let right = static_response(&user.password, &code);

        let session = Session::new(&directory, &user.name);
        let returned = session.verify(&hook, &right);
        assert_eq!(returned.status, Some(0), "accepted");
        self.with_pam_unix.add(returned.took);
        self.forget_used_codes(&user.name);

        // Others each time: 7919 is a prime, so that they lie far from each other.
        let other = |salt: usize| format!("person{}", 2 + ((round * 2 + salt) * 7919) % (self.users - 1));
        let session = Session::new(&directory, &other(0));
        let returned = session.verify(&unchecked, &right);
        assert_eq!(returned.status, Some(0), "accepted");
        self.without_password_check.add(returned.took);
        self.forget_used_codes(&other(0));

        let session = Session::new(&directory, &other(1));
        let asked = session.verify(&unchecked, &user.password);
        assert_eq!(asked.status, Some(1), "asked");
        let answer = format!("CRV1::{}::{code}", session.state_id());
        let session = Session::new(&directory, &other(1));
        let answered = session.verify(&unchecked, &answer);
        assert_eq!(answered.status, Some(0), "accepted");
        self.by_reconnecting.add(asked.took + answered.took);
        self.forget_used_codes(&other(1));
    }

    /// So that the user can log in with the same code again.
    fn forget_used_codes(&self, user: &str) {
        call::wait_for_workers();
        let connection = Connection::open(&self.database).unwrap();
        let statement =
            "UPDATE totp_token SET last_step = NULL WHERE user_id = (SELECT id FROM user WHERE name = ?1)";
        connection.execute(statement, [user]).unwrap();
    }
}
