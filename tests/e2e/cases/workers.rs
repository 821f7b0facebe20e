//! The processes behind OpenVPN's back: slow, hanging, killed, too many, and left alone.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{FAILED, Scene};
use crate::harness::accounts::{UnixUser, pam_service, slow_pam_service};
use crate::harness::client::Timed;
use crate::harness::management::{Event, static_response};
use crate::harness::reply::Reply;
use crate::harness::report::Case;
use crate::harness::server::Server;
use crate::harness::{PATIENCE, enrolment, eventually, report, sandbox, stat_field};

const BUSY: &str = "Server busy, try again";
/// As OpenVPN's clients wait when they are told that (`BUSY_BACKOFF`).
const BACKOFF: Duration = Duration::from_secs(5);

// Fields of `proc_pid_stat`(5).
const SESSION: usize = 6;
const NICE: usize = 19;

pub(crate) fn cases() -> Vec<Case> {
    crate::cases![
        an_answer_after_a_slow_primary_check_connects,
        a_slow_primary_check_that_fails_ends_the_login_with_the_prompt_open,
        a_primary_check_that_hangs_is_rejected_at_the_deadline,
        worker_and_pam_leave_the_processor_to_openvpn,
        a_worker_killed_during_the_primary_check_lets_nobody_in,
        a_worker_killed_while_an_answer_waits_lets_nobody_in,
        a_worker_killed_while_it_keeps_a_rejection_back_lets_nobody_in,
        a_killed_pam_process_is_a_rejection,
        a_module_that_crashes_is_a_rejection,
        a_session_that_is_gone_gets_no_verdict_and_no_file,
        when_all_workers_are_busy_the_client_comes_back_by_itself,
        a_slot_comes_back_when_its_worker_is_killed,
        nothing_is_left_of_many_logins,
        a_unit_limit_of_ten_tasks_does_not_end_the_server,
        wrong_password_unknown_user_locked_and_unenrolled_account_take_as_long,
    ]
}

/// A PAM service that never answers.
fn hanging_pam_service() -> String {
    pam_service("auth required pam_exec.so quiet /bin/sleep infinity\naccount required pam_permit.so\n")
}

fn kill(id: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(id) {
        let _already_gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// Waits for the worker of a hook call of this kind, as OpenVPN's `script_type` has it. The front is of the same kind, and
/// leads no session.
fn worker_of(server: &Server, script: &str) -> i32 {
    let kind = format!("script_type={script}");
    let is_of_kind = |id: i32| {
        let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|pair| pair == kind.as_bytes())
    };
    let leads_a_session = |id: i32| stat_field(id, SESSION) == Some(id);
    eventually(script, PATIENCE, || {
        server.hook_processes().into_iter().find(|&id| leads_a_session(id) && is_of_kind(id))
    })
}

/// Waits for the process in which a worker has PAM's modules run.
fn helper_of(server: &Server) -> i32 {
    let is_helper = |id: &i32| {
        let arguments = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        arguments.split(|&byte| byte == 0).any(|argument| argument == b"primary-check")
    };
    eventually("PAM's process", PATIENCE, || server.hook_processes().into_iter().find(is_helper))
}

fn wait_until_no_process_is_left(server: &Server) {
    eventually("no process of a hook", PATIENCE, || server.hook_processes().is_empty().then_some(()));
}

fn an_answer_after_a_slow_primary_check_connects() {
    let service = slow_pam_service(2);
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    client.reply().expect_prompt();
    // The worker is done when the primary check has asked its question.
    wait_until_no_process_is_left(&server);
    client.respond(&enrolment.code());
    client.reply().expect_connected();
}

fn a_slow_primary_check_that_fails_ends_the_login_with_the_prompt_open() {
    let service = slow_pam_service(2);
    let Scene { server, user, .. } = Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, "wrong");
    client.reply().expect_prompt();
    client.reply().expect_refusal(FAILED);
    server.let_nobody_in();
}

fn a_primary_check_that_hangs_is_rejected_at_the_deadline() {
    let service = hanging_pam_service();
    let builder =
        Server::builder().set("pam", "service", service.as_str()).set("totp", "challenge_timeout", 5);
    let Scene { server, user, enrolment } = Scene::with(builder);
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    client.reply().expect_prompt();
    client.respond(&enrolment.code());
    server.wait_for_log("the deadline", |line| line.contains("PAM gave no answer in 5 s"));
    wait_until_no_process_is_left(&server);
    server.let_nobody_in();
}

/// Also where the kernel shares processors among sessions: a worker leads one.
fn worker_and_pam_leave_the_processor_to_openvpn() {
    let service = slow_pam_service(3);
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let mut client = server.client().static_challenge("code").start();
    client.log_in(&user.name, &static_response(&user.password, &enrolment.code()));
    for id in [worker_of(&server, "user-pass-verify"), helper_of(&server)] {
        eventually("the nice values", PATIENCE, || {
            let own = stat_field(id, NICE) == Some(10);
            let session = std::fs::read_to_string(format!("/proc/{id}/autogroup"));
            // Not in every kernel.
            let session = session.map_or(true, |line| line.is_empty() || line.ends_with("nice 10\n"));
            (own && session).then_some(())
        });
    }
    client.reply().expect_connected();
}

fn a_worker_killed_during_the_primary_check_lets_nobody_in() {
    let service = slow_pam_service(20);
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("pam", "service", service.as_str()).line("hand-window 15"));
    let mut client = server.client().static_challenge("code").start();
    client.log_in(&user.name, &static_response(&user.password, &enrolment.code()));
    kill(worker_of(&server, "user-pass-verify"));
    // The PAM process ends with it; what a module has started runs to its end, and counts for nothing.
    wait_until_no_process_is_left(&server);
    client.reply().expect_not_let_in();
    server.let_nobody_in();
}

fn a_worker_killed_while_an_answer_waits_lets_nobody_in() {
    let service = slow_pam_service(3);
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    client.reply().expect_prompt();
    client.respond(&enrolment.code());
    kill(worker_of(&server, "client-crresponse"));
    wait_until_no_process_is_left(&server);
    server.let_nobody_in();
    // The code was not used up, and the same session can still be answered.
    client.respond(&enrolment.code());
    client.reply().expect_connected();
}

fn a_worker_killed_while_it_keeps_a_rejection_back_lets_nobody_in() {
    let builder = Server::builder().set("auth", "stall_budget_ms", 0).line("hand-window 10");
    let Scene { server, user, enrolment } = Scene::with(builder);
    let mut client = server.client().static_challenge("code").start();
    client.log_in(&user.name, &static_response("wrong", &enrolment.code()));
    server.wait_for_log("the decision", |line| line.contains("reason=primary-denied"));
    kill(worker_of(&server, "user-pass-verify"));
    wait_until_no_process_is_left(&server);
    // OpenVPN gives the login up by itself, without our reason.
    server.wait_for_log("the end of the login", |line| line.contains("'AUTH_FAILED'"));
    server.let_nobody_in();
}

fn a_killed_pam_process_is_a_rejection() {
    let service = hanging_pam_service();
    let Scene { server, user, .. } = Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    let helper = helper_of(&server);
    // Killed while its request is on the way to it, it would break off otherwise.
    eventually("the module at work", PATIENCE, || {
        let children = std::fs::read_to_string(format!("/proc/{helper}/task/{helper}/children"));
        children.is_ok_and(|children| !children.is_empty()).then_some(())
    });
    kill(helper);
    client.outcome().expect_refusal(FAILED);
    server.wait_for_log("the reason", |line| line.contains("the PAM process broke off (signal 9)"));
    server.let_nobody_in();
}

fn a_module_that_crashes_is_a_rejection() {
    // pam_exec runs a command whose parent is the PAM process; that command brings it down from inside.
    let script = sandbox::root().join("crash-pam");
    std::fs::write(&script, "#!/bin/sh\nkill -ABRT $PPID\nsleep 1\n").unwrap();
    sandbox::run("chmod", ["755", &script.display().to_string()]);
    let service = pam_service(&format!(
        "auth required pam_exec.so quiet {}\naccount required pam_permit.so\n",
        script.display()
    ));
    let Scene { server, user, .. } = Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let mut client = server.client().crtext().start();
    client.log_in(&user.name, &user.password);
    client.outcome().expect_refusal(FAILED);
    server.let_nobody_in();
}

fn a_session_that_is_gone_gets_no_verdict_and_no_file() {
    let service = slow_pam_service(4);
    let Scene { server, user, enrolment } =
        Scene::with(Server::builder().set("pam", "service", service.as_str()));
    let mut client = server.client().static_challenge("code").line("explicit-exit-notify 2").start();
    client.log_in(&user.name, &static_response(&user.password, &enrolment.code()));
    helper_of(&server);
    drop(client);
    server.stop();
    server.is_expected_to_have_ended();
    wait_until_no_process_is_left(&server);
    server.let_nobody_in();
    let log = server.hook_log().join("\n");
    assert!(log.contains("the session is gone"), "{log}");
    // That tmp-dir is empty is checked when the server goes out of scope.
}

fn when_all_workers_are_busy_the_client_comes_back_by_itself() {
    let service = slow_pam_service(3);
    let builder = Server::builder().set("pam", "service", service.as_str()).set("worker", "max", 1);
    let Scene { server, user, enrolment } = Scene::with(builder);
    let (other, other_enrolment) = {
        let other = UnixUser::new();
        let enrolment = server.enroll(&other.name);
        (other, enrolment)
    };
    let mut first = server.client().static_challenge("code").start();
    first.log_in(&user.name, &static_response(&user.password, &enrolment.code()));
    helper_of(&server);

    // As clients are by default; those of the tests wait for a second at most.
    let mut second = server.client().line("connect-retry 1 300").static_challenge("code").start();
    second.log_in(&other.name, &static_response(&other.password, &other_enrolment.code()));
    server.wait_for_log("busy", |line| line.contains("reason=busy"));
    server.wait_for_log("the message to the client", |line| {
        line.contains("AUTH_FAILED,TEMP[backoff 5]: ") && line.contains(BUSY)
    });
    first.reply().expect_connected();
    // The client knows the message, waits as told, and gets in without a person.
    eventually("the second client is in", PATIENCE, || second.was_ever_connected().then_some(()));
    let waits = |timed: &Timed| timed.event == Event::Hold { wait: BACKOFF };
    assert!(second.events().iter().any(waits), "{:?}", second.events());
}

fn a_slot_comes_back_when_its_worker_is_killed() {
    let service = slow_pam_service(20);
    let builder = Server::builder().set("pam", "service", service.as_str()).set("worker", "max", 1);
    let Scene { server, user, enrolment } = Scene::with(builder);
    for _ in 0..2 {
        let mut client = server.client().static_challenge("code").start();
        client.log_in(&user.name, &static_response(&user.password, &enrolment.code()));
        kill(worker_of(&server, "user-pass-verify"));
        drop(client);
    }
    let log = server.hook_log().join("\n");
    assert!(!log.contains("reason=busy"), "{log}");
}

fn nothing_is_left_of_many_logins() {
    let Scene { server, user, enrolment } = Scene::new();
    let mut client = server.client().start();
    for round in 0..5 {
        client.log_in(&user.name, if round % 2 == 0 { "wrong" } else { &user.password });
        client.reply().expect_not_let_in();
    }
    client.log_in(&user.name, &static_response(&user.password, &enrolment.code()));
    client.reply().expect_connected();
    wait_until_no_process_is_left(&server);
    eventually("no zombie", PATIENCE, || {
        let processes = sandbox::run("ps", ["-eo", "stat=,args="]);
        let ours = |line: &str| line.starts_with('Z') && line.contains("openvpn-2fa");
        (!processes.lines().any(ours)).then_some(())
    });
}

/// A control group that takes `limit` tasks; `None` where the machine gives none out.
struct TaskGroup(PathBuf);

impl TaskGroup {
    fn new(limit: u32) -> Option<Self> {
        // Version 2, or the hierarchy of that controller in version 1.
        let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/pids"].map(PathBuf::from);
        let root = roots.into_iter().find(|root| root.join("cgroup.procs").exists())?;
        let path = root.join("openvpn-2fa-e2e");
        let _left_by_a_run_that_was_killed = std::fs::remove_dir(&path);
        std::fs::create_dir(&path).ok()?;
        let group = Self(path);
        // The kernel makes this file, where it is a control group and the controller is on.
        let maximum = group.0.join("pids.max");
        (maximum.exists() && std::fs::write(maximum, limit.to_string()).is_ok()).then_some(group)
    }

    fn take(&self, process: u32) {
        std::fs::write(self.0.join("cgroup.procs"), process.to_string()).unwrap();
    }

    /// How often the kernel has refused a task.
    fn refusals(&self) -> String {
        std::fs::read_to_string(self.0.join("pids.events")).unwrap_or_default()
    }
}

impl Drop for TaskGroup {
    fn drop(&mut self) {
        let _only_a_directory = std::fs::remove_dir(&self.0);
    }
}

fn a_unit_limit_of_ten_tasks_does_not_end_the_server() {
    let Some(group) = TaskGroup::new(10) else {
        report::skip("no control group with a limit of tasks can be made here.");
    };
    let service = slow_pam_service(4);
    let scene = Scene::with(Server::builder().set("pam", "service", service.as_str()));
    group.take(scene.server.id());
    let mut clients: Vec<_> = (0..30).map(|_| scene.server.client().start()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.prompt();
        client.give(&scene.user.name, if number % 3 == 0 { &scene.user.password } else { "wrong" });
    }
    for client in &mut clients {
        let reply = client.wait("an answer", PATIENCE, |event| match event {
            Event::State { name, .. } if name == "RECONNECTING" => {
                Some(Reply::Refused { reason: String::new() })
            }
            Event::DynamicChallenge(question) => Some(Reply::Question(question.clone())),
            Event::AuthFailed { reason } => Some(Reply::Refused { reason: reason.clone() }),
            _ => None,
        });
        reply.expect_not_let_in();
    }
    scene.server.still_stands();
    scene.server.let_nobody_in();
    drop(clients);
    wait_until_no_process_is_left(&scene.server);
    assert_ne!(group.refusals().trim(), "max 0", "the limit was never reached");
    drop(scene);
    drop(group);
}

/// A hook call by hand, because OpenVPN notices a deferred verdict only at its own pace.
struct Call {
    directory: PathBuf,
    front: Child,
    started: Instant,
}

impl Call {
    fn start(server: &Server, name: &str, number: usize, user: &str, password: &str) -> Self {
        let directory = server.directory().join(format!("call-{name}-{number}"));
        std::fs::create_dir(&directory).unwrap();
        for file in ["acf", "apf", "afr"] {
            std::fs::write(directory.join(file), "").unwrap();
        }
        std::fs::write(directory.join("up"), format!("{user}\n{password}\n")).unwrap();
        let started = Instant::now();
        let front = Command::new(enrolment::executable())
            .env_clear()
            .env("script_type", "user-pass-verify")
            .env("common_name", "Test-Client")
            .env("totpTokenDbPath", server.database())
            .env("workerMax", "100")
            .env("authStallBudgetMs", "0")
            .env("auth_control_file", directory.join("acf"))
            .env("auth_pending_file", directory.join("apf"))
            .env("auth_failed_reason_file", directory.join("afr"))
            .arg(directory.join("up"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { directory, front, started }
    }

    /// How long the verdict took; it must be a rejection that says nothing.
    fn rejected_after(mut self) -> Duration {
        assert_eq!(self.front.wait().unwrap().code(), Some(2));
        let verdict = eventually("a verdict", PATIENCE, || {
            let verdict = std::fs::read_to_string(self.directory.join("acf")).unwrap();
            (!verdict.is_empty()).then_some(verdict)
        });
        let took = self.started.elapsed();
        assert_eq!(verdict, "0");
        let reason = std::fs::read_to_string(self.directory.join("afr")).unwrap();
        Reply::Refused { reason }.expect_refusal(FAILED);
        took
    }
}

/// Prints the distributions. What is asserted is what a stopwatch on a busy machine can tell: each of them is
/// kept back by the delay that `pam_unix` asks for (libpam makes 1 to 3 seconds of its 2).
fn wrong_password_unknown_user_locked_and_unenrolled_account_take_as_long() {
    let Scene { server, user, .. } = Scene::new();
    let expired = UnixUser::new();
    expired.expire_account();
    server.enroll(&expired.name);
    let stranger = UnixUser::new();
    let kinds = [
        ("wrong password", user.name.as_str(), "wrong"),
        ("unknown user", "nobody-of-that-name", "wrong"),
        ("locked account", expired.name.as_str(), expired.password.as_str()),
        ("right password, not enrolled", stranger.name.as_str(), stranger.password.as_str()),
        ("refused name", "-x", "wrong"),
    ];
    for (name, user, password) in kinds {
        let label = name.replace([' ', ','], "-");
        let calls: Vec<_> =
            (0..8).map(|number| Call::start(&server, &label, number, user, password)).collect();
        let mut took: Vec<_> = calls.into_iter().map(Call::rejected_after).collect();
        took.sort();
        println!("{name}: {took:?}");
        assert!(took[0] >= Duration::from_millis(950), "{name} is answered too soon: {took:?}");
        assert!(took[7] <= Duration::from_secs(8), "{name} takes far longer than the others: {took:?}");
    }
}
