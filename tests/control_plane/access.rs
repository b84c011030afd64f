//! `RegistryAccesses`: consent, the Secret, revocation, and the replacement of passwords.

use anyhow::{Context, Result, ensure};
use berth_tests::cluster::wait;
use serde_json::{Value, json};

use crate::{
    fixture::{Namespace, PATIENCE, kubectl},
    requests::{self, Request},
    silence::wait_for_silence,
};

/// A Registry `hub` in one namespace, and another namespace that wants rights.
struct Site {
    owner: Namespace,
    team: Namespace,
}

impl Site {
    fn create(owner: &'static str, team: &'static str, allowed: &str) -> Self {
        let site = Self { owner: Namespace::create(owner).unwrap(), team: Namespace::create(team).unwrap() };
        site.owner.apply_registry(&registry(allowed)).unwrap();
        wait_for_users(&site.owner);
        site
    }

    /// Applies the RegistryAccess `ci` of the team, with the rest of its spec.
    fn ask(&self, rest: &str) {
        self.team.apply(&access("ci", self.owner.name, rest)).unwrap();
    }

    /// Asks for what the team may have by default.
    fn ask_for_own(&self) {
        self.ask(&format!("allow: [{{repositories: [{}/**], actions: [Pull, Push]}}]", self.team.name));
    }

    fn wait_for(&self, reason: &str) -> String {
        wait_for(&self.team, "ci", reason)
    }

    fn user(&self) -> String {
        format!("{}.ci", self.team.name)
    }

    /// The lines of the team's user in the file that the registry reads.
    fn lines(&self) -> Result<Vec<String>> {
        let file = self.owner.secret_text("hub-auth", "htpasswd")?;
        let user = format!("{}:", self.user());
        Ok(file.lines().filter(|line| line.starts_with(&user)).map(str::to_owned).collect())
    }

    /// The rules for the team's user.
    fn rules(&self) -> Result<Vec<Value>> {
        let file: Value = serde_json::from_str(&self.owner.secret_text("hub-auth", "access.yml")?)?;
        let rules = file["rules"].as_array().context("no rules")?;
        Ok(rules.iter().filter(|rule| rule["users"].to_string().contains(&self.user())).cloned().collect())
    }

    fn wait_until_revoked(&self) {
        wait::until("the rights to be gone", PATIENCE, || {
            ensure!(self.lines()?.is_empty() && self.rules()?.is_empty(), "they are still there");
            Ok(())
        })
        .unwrap();
    }

    fn password(&self) -> Result<String> {
        self.team.secret_text("ci-registry", "password")
    }

    /// Whether a line lets the password in.
    fn lets_in(&self, password: &str) -> Result<bool> {
        let hashes = self.lines()?;
        Ok(hashes.iter().any(|line| bcrypt_verifies(line, password)))
    }
}

fn bcrypt_verifies(line: &str, password: &str) -> bool {
    line.split_once(':').is_some_and(|(_, hash)| bcrypt::verify(password, hash).unwrap_or(false))
}

fn registry(allowed: &str) -> String {
    format!("{{storage: {{emptyDir: {{}}}}, access: {{allowed: {allowed}}}}}")
}

fn access(name: &str, owner: &str, rest: &str) -> String {
    format!(
        "apiVersion: berth.dev/v1alpha1\nkind: RegistryAccess\nmetadata: {{name: {name}}}\n\
         spec: {{registryRef: {{name: hub, namespace: {owner}}}, {rest}}}\n"
    )
}

/// Waits until the Registry has its users.
fn wait_for_users(owner: &Namespace) {
    wait::until("the users", PATIENCE, || owner.get("secret/hub-auth").map(|_| ())).unwrap();
}

/// Waits until `Ready` has this reason for the spec as it is, and returns the message.
fn wait_for(namespace: &Namespace, access: &str, reason: &str) -> String {
    wait::until(&format!("{access} because of {reason} in {}", namespace.name), PATIENCE, || {
        let access = namespace.get(&format!("registryaccess/{access}"))?;
        let ready = &access["status"]["conditions"][0];
        ensure!(ready["observedGeneration"] == access["metadata"]["generation"], "not looked at yet");
        ensure!(ready["reason"] == reason, "it is {ready}");
        Ok(ready["message"].as_str().unwrap_or_default().to_owned())
    })
    .unwrap()
}

#[test]
fn a_team_with_consent_gets_its_rights_and_a_secret_to_log_in_with() {
    let site = Site::create("consent", "consent-team", "{from: All}");
    site.ask("allow: [{repositories: [consent-team/**], actions: [Pull, Push]}], serviceAccounts: [builder]");
    site.wait_for("Acknowledged");
    let secret = site.team.get("secret/ci-registry").unwrap();
    assert_eq!(secret["type"], "kubernetes.io/dockerconfigjson");
    assert_eq!(secret["metadata"]["ownerReferences"][0]["kind"], "RegistryAccess");
    let text = |key: &str| site.team.secret_text("ci-registry", key).unwrap();
    assert_eq!((text("host").as_str(), text("username")), ("hub.consent.svc", site.user()));
    assert_eq!(text("ca.crt"), site.owner.secret_text("hub-tls", "ca.crt").unwrap());
    assert!(site.lets_in(&text("password")).unwrap());
    let login: Value = serde_json::from_str(&text(".dockerconfigjson")).unwrap();
    assert_eq!(login["auths"]["hub.consent.svc"]["username"], json!(site.user()));
    assert_eq!(
        site.rules().unwrap(),
        [json!({
            "users": [site.user(), "system:serviceaccount:consent-team:builder"],
            "repositories": ["consent-team/**"], "actions": ["pull", "push"],
        })]
    );
    let status = &site.team.get("registryaccess/ci").unwrap()["status"];
    assert_eq!(status["username"], json!(site.user()));
    assert_eq!((&status["host"], &status["secretName"]), (&json!("hub.consent.svc"), &json!("ci-registry")));
    assert!(status["lastRotation"].is_string());
    let table = site.team.run(&["get", "regacc"]).unwrap();
    let columns: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(columns, ["NAME", "READY", "REASON", "REGISTRY", "SECRET", "AGE"]);
}

#[test]
fn a_deleted_access_loses_its_rights_and_its_namesake_does_not_inherit_the_password() {
    let site = Site::create("revoked", "revoked-team", "{from: All}");
    site.ask_for_own();
    site.wait_for("Acknowledged");
    let before = site.password().unwrap();
    site.team.run(&["delete", "registryaccess/ci"]).unwrap();
    site.wait_until_revoked();
    assert!(!site.owner.secret_text("hub-accounts", "accounts.json").unwrap().contains(&site.user()));

    site.ask_for_own();
    site.wait_for("Acknowledged");
    wait::until("another password", PATIENCE, || {
        ensure!(site.password()? != before, "it is that of before");
        Ok(())
    })
    .unwrap();
    assert!(!site.lets_in(&before).unwrap());
}

#[test]
fn the_labels_of_the_namespace_give_and_take_the_rights() {
    let site =
        Site::create("labelled", "labelled-team", "{from: Selector, selector: {matchLabels: {team: 'yes'}}}");
    site.ask_for_own();
    assert!(site.wait_for("NotAllowedByRegistry").contains("team=yes"));
    assert!(site.password().is_err());

    kubectl().run(&["label", "namespace/labelled-team", "team=yes"]).unwrap();
    site.wait_for("Acknowledged");
    let password = site.password().unwrap();

    kubectl().run(&["label", "namespace/labelled-team", "team-"]).unwrap();
    site.wait_for("NotAllowedByRegistry");
    site.wait_until_revoked();
    assert_eq!(site.password().unwrap(), password, "the Secret stays");

    kubectl().run(&["label", "namespace/labelled-team", "team=yes"]).unwrap();
    site.wait_for("Acknowledged");
    assert!(site.lets_in(&password).unwrap(), "and is good again");
}

#[test]
fn what_the_registry_does_not_consent_to_is_named_and_nothing_is_granted() {
    let site = Site::create("beyond", "beyond-team", "{}");
    site.ask_for_own();
    assert!(site.wait_for("NotAllowedByRegistry").contains("its own namespace only"));

    site.owner.apply_registry(&registry("{from: All}")).unwrap();
    site.wait_for("Acknowledged");
    site.ask("allow: [{repositories: [beyond-team/app]}, {repositories: ['other/*']}]");
    let message = site.wait_for("NotAllowedByRegistry");
    assert!(message.contains("consents to beyond-team/** only, which does not cover other/*"), "{message}");
    site.wait_until_revoked();
}

#[test]
fn a_user_of_the_registry_cannot_be_impersonated_by_a_name() {
    let site = Site::create("namesake", "namesake-team", "{from: All}");
    let line = "namesake-team.ci:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";
    let literal = format!("--from-literal=htpasswd={line}");
    site.owner.run(&["create", "secret", "generic", "users", &literal]).unwrap();
    site.owner
        .apply_registry(
            "{storage: {emptyDir: {}}, access: {htpasswdSecretName: users, allowed: {from: All}}}",
        )
        .unwrap();
    site.owner.wait_for_reason("AccessReady", "Configured").unwrap();
    wait::until("the user", PATIENCE, || {
        ensure!(site.lines()? == [line], "not there yet");
        Ok(())
    })
    .unwrap();
    site.ask_for_own();
    assert!(site.wait_for("NotAllowedByRegistry").contains("a user namesake-team.ci"));
    assert_eq!(site.lines().unwrap(), [line]);
}

#[test]
fn rights_end_at_their_time() {
    let site = Site::create("ends", "ends-team", "{from: All}");
    let own = "allow: [{repositories: [ends-team/**]}]";
    site.ask(own);
    site.wait_for("Acknowledged");
    let end = jiff::Timestamp::now().as_second() + 2;
    site.ask(&format!("{own}, expireTime: '{}'", jiff::Timestamp::from_second(end).unwrap()));
    site.wait_for("Expired");
    site.wait_until_revoked();
    site.ask(own);
    site.wait_for("Acknowledged");
}

#[test]
fn a_secret_of_somebody_else_is_never_overwritten() {
    let site = Site::create("taken-access", "taken-team", "{from: All}");
    site.team.run(&["create", "secret", "generic", "ci-registry", "--from-literal=mine=yes"]).unwrap();
    site.ask_for_own();
    let message = site.wait_for("SecretNameTaken");
    assert!(message.contains("Secret ci-registry exists and belongs to somebody else"), "{message}");
    assert_eq!(site.team.secret_text("ci-registry", "mine").unwrap(), "yes");
    assert!(site.team.get("registryaccess/ci").unwrap()["status"]["secretName"].is_null());

    site.team.run(&["delete", "secret/ci-registry"]).unwrap();
    site.wait_for("Acknowledged");
    assert!(site.lets_in(&site.password().unwrap()).unwrap());
}

#[test]
fn a_secret_follows_its_name_and_goes_when_it_is_not_wanted() {
    let site = Site::create("renamed", "renamed-team", "{from: All}");
    let own = "allow: [{repositories: [renamed-team/**]}], serviceAccounts: [builder]";
    site.ask(own);
    site.wait_for("Acknowledged");
    let password = site.password().unwrap();
    site.ask(&format!("{own}, secret: {{name: login}}"));
    site.wait_for("Acknowledged");
    assert_eq!(site.team.secret_text("login", "password").unwrap(), password);
    assert!(site.team.get("secret/ci-registry").is_err(), "the one of before is gone");

    site.ask(&format!("{own}, secret: {{create: false}}"));
    site.wait_for("Acknowledged");
    assert!(site.team.get("secret/login").is_err());
    wait::until("the password to be gone", PATIENCE, || {
        ensure!(site.lines()?.is_empty(), "it is still good");
        Ok(())
    })
    .unwrap();
    let rules = site.owner.secret_text("hub-auth", "access.yml").unwrap();
    assert!(rules.contains("system:serviceaccount:renamed-team:builder"), "the token still has the rights");
}

#[test]
fn a_deleted_secret_comes_back_with_the_same_password() {
    let site = Site::create("restored", "restored-team", "{from: All}");
    site.ask_for_own();
    site.wait_for("Acknowledged");
    let password = site.password().unwrap();
    site.team.run(&["delete", "secret/ci-registry"]).unwrap();
    wait::until("the Secret to come back", PATIENCE, || {
        ensure!(site.password()? == password, "it has another password");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_replaced_password_is_handed_out_while_the_one_before_is_still_good() {
    let site = Site::create("rotated-passwords", "rotated-passwords-team", "{from: All}");
    site.ask_for_own();
    site.wait_for("Acknowledged");
    let before = site.password().unwrap();
    site.team.run(&["annotate", "registryaccess/ci", "berth.dev/rotate=1"]).unwrap();
    let after = wait::until("another password", PATIENCE, || {
        let after = site.password()?;
        ensure!(after != before, "it is that of before");
        Ok(after)
    })
    .unwrap();
    assert!(site.lets_in(&before).unwrap() && site.lets_in(&after).unwrap(), "both are good");
    site.wait_for("Acknowledged");
    assert_eq!(site.lines().unwrap().len(), 2);
}

#[test]
fn the_generated_users_get_new_passwords_once_for_each_request() {
    let namespace = Namespace::create("rotated-admin").unwrap();
    namespace.apply_registry("{storage: {emptyDir: {}}}").unwrap();
    wait_for_users(&namespace);
    let passwords = || -> Result<[String; 2]> {
        Ok([namespace.secret_text("hub-admin", "password")?, namespace.secret_text("hub-pull", "password")?])
    };
    let before = passwords().unwrap();
    namespace.run(&["annotate", "registry/hub", "berth.dev/rotate=leaked"]).unwrap();
    let after = wait::until("other passwords", PATIENCE, || {
        let after = passwords()?;
        ensure!(after[0] != before[0] && after[1] != before[1], "they are those of before");
        Ok(after)
    })
    .unwrap();
    let file = namespace.secret_text("hub-auth", "htpasswd").unwrap();
    for password in before.iter().chain(&after) {
        assert!(file.lines().any(|line| bcrypt_verifies(line, password)), "a password is not good");
    }
    wait::until("the echo", PATIENCE, || {
        let status = namespace.get("registry/hub")?["status"].clone();
        ensure!(status["lastRotateRequest"] == "leaked", "{status}");
        Ok(())
    })
    .unwrap();
    namespace.run(&["delete", "secret/hub-pull"]).unwrap();
    wait::until("the Secret to come back", PATIENCE, || passwords().map(|_| ())).unwrap();
    assert_eq!(passwords().unwrap(), after, "once");
}

#[test]
fn a_registry_that_comes_back_is_used_again() {
    let site = Site::create("reborn", "reborn-team", "{from: All}");
    site.ask_for_own();
    site.wait_for("Acknowledged");
    let before = site.password().unwrap();
    site.owner.run(&["delete", "registry/hub"]).unwrap();
    assert!(site.wait_for("RegistryNotFound").contains("no Registry hub in the namespace reborn"));
    assert_eq!(site.password().unwrap(), before, "the Secret stays");

    wait::until("the old Secrets to be gone", PATIENCE, || {
        ensure!(site.owner.get("secret/hub-accounts").is_err(), "they are still there");
        Ok(())
    })
    .unwrap();
    site.owner.apply_registry(&registry("{from: All}")).unwrap();
    wait_for_users(&site.owner);
    site.wait_for("Acknowledged");
    wait::until("a password that is good", PATIENCE, || {
        ensure!(site.lets_in(&site.password()?)?, "the Secret has that of before");
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_access_that_does_not_parse_is_told_and_does_not_stop_the_others() {
    let site = Site::create("unreadable", "unreadable-team", "{from: All}");
    let definition = "customresourcedefinition/registryaccesses.berth.dev";
    let values = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/allow/items/properties/actions/items/enum/-";
    let newer = format!(r#"[{{"op": "add", "path": "{values}", "value": "Sign"}}]"#);
    kubectl().run(&["patch", definition, "--type=json", "--patch", &newer]).unwrap();
    wait::until("the newer schema", PATIENCE, || {
        let rest = "allow: [{repositories: [unreadable-team/**], actions: [Pull, Sign]}]";
        site.team.apply(&access("newer", "unreadable", rest))
    })
    .unwrap();
    site.ask_for_own();
    site.wait_for("Acknowledged");
    assert!(wait_for(&site.team, "newer", "InvalidSpec").contains("Sign"));
}

#[test]
fn nothing_is_written_about_rights_when_nothing_changed() {
    let site = Site::create("quiet-access", "quiet-team", "{from: Selector, selector: {}}");
    site.ask_for_own();
    site.wait_for("Acknowledged");
    let label = |value: usize| {
        let label = format!("touched={value}");
        kubectl().run(&["label", "--overwrite", "namespace/quiet-team", &label]).map(|_| ())
    };
    let reads = || {
        let of = |namespace: &str, end: &str| {
            requests::within(namespace)
                .iter()
                .filter(|one| !one.is_write() && one.path.ends_with(end))
                .count()
        };
        [of("quiet-access", "/registries/hub"), of("quiet-team", "/registryaccesses/ci")]
    };
    let reconcile = || {
        let before = reads();
        label(before[1])?;
        wait::until("both to be looked at", PATIENCE, || {
            let now = reads();
            // An access reads its Registry too, so that one look at each is two at the Registry.
            ensure!(now[0] >= before[0] + 2 && now[1] > before[1], "not yet");
            Ok(())
        })
    };
    wait_for_silence(writes, reconcile).unwrap();
}

fn writes() -> Vec<Request> {
    let both = ["quiet-access", "quiet-team"];
    both.into_iter().flat_map(requests::within).filter(Request::is_write).collect()
}
