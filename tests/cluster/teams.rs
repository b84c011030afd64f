//! Two teams at one registry, each with a password and with tokens of its ServiceAccounts, and the replacement of passwords while
//! somebody pulls.

use crate::fixture::{Image, create_hub, ensure_about, fixture};
use anyhow::{Context, Result, anyhow, ensure};
use berth_tests::cluster::{HostAccess, Kubectl, wait};
use berth_tests::demo::{self, Credentials, Hub, Laptop};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const NAMESPACE: &str = "shared";
const TEAMS: [&str; 2] = ["teams-red", "teams-blue"];
const REFUSED: [&str; 4] = ["denied", "403", "may not", "unauthorized"];
const PATIENCE: Duration = Duration::from_mins(3);

#[test]
fn each_team_reaches_its_own_repositories_and_passwords_are_replaced_without_a_failed_pull() -> Result<()> {
    let target = &fixture()?.target;
    let kubectl = target.kubectl();
    for namespace in TEAMS.iter().chain([&NAMESPACE]) {
        kubectl.run(&["create", "namespace", namespace])?;
    }
    let hub = create_hub(target, NAMESPACE)?;
    hub.run(&["patch", "registry.berth.dev/hub", "--type=merge", "--patch", CONSENT])?;
    let access = hub.on_this_machine(target)?;
    let site = Site { hub: &hub, access: &access, kubectl };
    let image = Image::pack("of a team")?;
    for team in TEAMS {
        site.ask_for_rights(team)?;
    }
    for (team, other) in [(TEAMS[0], TEAMS[1]), (TEAMS[1], TEAMS[0])] {
        for credentials in [site.password(team)?, site.token(team)?] {
            let laptop = site.laptop(&credentials);
            laptop
                .push(&image.written, &format!("{team}/app:1"))
                .with_context(|| format!("{team} at home"))?;
            laptop.pull(&format!("{team}/app:1"), &image.written)?;
            ensure_about(laptop.push(&image.written, &format!("{other}/app:2")), &REFUSED)?;
            ensure_about(laptop.pull(&format!("{other}/app:1"), &image.written), &REFUSED)?;
        }
    }
    site.replace_the_password(TEAMS[0], &image)?;
    site.replace_the_passwords_of_the_registry(&image)?;
    site.revoke(TEAMS[1], &image)
}

/// Every team may have rights below its name.
const CONSENT: &str = r#"{"spec": {"access": {"allowed": {"from": "All"}}}}"#;

/// A registry that teams share.
struct Site<'a> {
    hub: &'a Hub,
    access: &'a HostAccess,
    kubectl: &'a Kubectl,
}

impl Site<'_> {
    fn run(&self, team: &str, arguments: &[&str]) -> Result<String> {
        self.kubectl.run(&[&["--namespace", team], arguments].concat())
    }

    fn laptop<'b>(&'b self, credentials: &'b Credentials) -> Laptop<'b> {
        Laptop { hub: self.hub, access: self.access, credentials }
    }

    /// As a team does it: in its own namespace.
    fn ask_for_rights(&self, team: &str) -> Result<()> {
        self.run(team, &["create", "serviceaccount", "builder"])?;
        let access = format!(
            "apiVersion: berth.dev/v1alpha1\nkind: RegistryAccess\nmetadata: {{name: ci, namespace: {team}}}\nspec:\n  \
             registryRef: {{name: hub, namespace: {NAMESPACE}}}\n  serviceAccounts: [builder]\n  \
             allow: [{{repositories: ['{team}/**'], actions: [Pull, Push]}}]\n"
        );
        self.kubectl.apply(&access)?;
        let ready = ["wait", "--for=condition=Ready", "registryaccess.berth.dev/ci", "--timeout=180s"];
        let told =
            || self.run(team, &["get", "registryaccess.berth.dev/ci", "--output=yaml"]).unwrap_or_default();
        self.run(team, &ready).map(drop).with_context(told)
    }

    fn password(&self, team: &str) -> Result<Credentials> {
        Credentials::stored(self.kubectl, team, "ci-registry")
    }

    /// What a Pod of the team finds in its projected volume.
    fn token(&self, team: &str) -> Result<Credentials> {
        let audience = format!("--audience={}", self.hub.host()?);
        let token = self.run(team, &["create", "token", "builder", &audience])?;
        Ok(Credentials { user: "serviceaccount".to_owned(), password: token.trim().to_owned() })
    }

    /// Pulls with whatever password the team has at the moment, while that is replaced.
    fn replace_the_password(&self, team: &str, image: &Image) -> Result<()> {
        let before = self.password(team)?;
        let name = format!("{team}/app:1");
        let pull = || self.laptop(&self.password(team)?).pull(&name, &image.written);
        let count = meanwhile(pull, || {
            self.run(team, &["annotate", "registryaccess.berth.dev/ci", "berth.dev/rotate=1"])?;
            wait::until("another password", PATIENCE, || {
                ensure!(self.password(team)?.password != before.password, "it is the same");
                Ok(())
            })?;
            self.laptop(&before).pull(&name, &image.written).context("the password before, in its grace")
        })?;
        say(&format!("{count} pulls while a team's password was replaced, and none failed"));
        Ok(())
    }

    /// The kubelet pulls with the Secret `hub-pull`, again and again, while its password is replaced.
    fn replace_the_passwords_of_the_registry(&self, image: &Image) -> Result<()> {
        let admin = Credentials::of(self.hub)?;
        self.laptop(&admin).push(&image.written, "pods/app:1")?;
        let pull = || {
            demo::create_pod(self.hub, "puller", "pods/app:1", Some("hub-pull"))?;
            demo::pod_log(self.hub, "puller").map(drop)
        };
        let count = meanwhile(pull, || {
            self.hub.run(&["annotate", "registry.berth.dev/hub", "berth.dev/rotate=1"])?;
            wait::until("another password of the administrator", PATIENCE, || {
                ensure!(Credentials::of(self.hub)?.password != admin.password, "it is the same");
                Ok(())
            })
        })?;
        say(&format!("{count} pods pulled while the registry's passwords were replaced, and none failed"));
        Ok(())
    }

    fn revoke(&self, team: &str, image: &Image) -> Result<()> {
        let (password, token) = (self.password(team)?, self.token(team)?);
        let started = Instant::now();
        self.run(team, &["delete", "registryaccess.berth.dev/ci"])?;
        for credentials in [&password, &token] {
            wait::until("the rights to be gone", PATIENCE, || {
                ensure_about(
                    self.laptop(credentials).pull(&format!("{team}/app:1"), &image.written),
                    &REFUSED,
                )
            })?;
        }
        say(&format!("revoked after {:.1} s", started.elapsed().as_secs_f64()));
        Ok(())
    }
}

/// Does something without a pause until `work` is done, and returns how often; a failure of either fails the test.
fn meanwhile(repeated: impl Fn() -> Result<()> + Sync, work: impl FnOnce() -> Result<()>) -> Result<usize> {
    let (over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let repeating = scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                repeated()?;
                count.fetch_add(1, Ordering::SeqCst);
            }
            Ok::<_, anyhow::Error>(())
        });
        let worked = work();
        over.store(true, Ordering::SeqCst);
        let repeated = repeating.join().map_err(|_| anyhow!("the thread panicked"))?;
        repeated.and(worked)
    })?;
    Ok(count.load(Ordering::SeqCst))
}

#[expect(clippy::print_stdout, reason = "how long it takes is worth knowing, and nothing may depend on it")]
fn say(line: &str) {
    println!("{line}");
}
