//! Every key of Distribution 2.8 and 3, listed apart from the table, so that none can be forgotten there.

use std::collections::BTreeSet;

use crate::config::{
    Origin, check,
    error::Error,
    key_path::KeyPath,
    keys::{self, Kind, Place},
    tree::{Node, Value},
};

const HONOURED: &str = "
    version loglevel
    log.level log.formatter log.fields log.accesslog.disabled
    storage.filesystem.rootdirectory storage.delete.enabled storage.maintenance.readonly.enabled
    storage.maintenance.uploadpurging.enabled storage.maintenance.uploadpurging.age
    storage.maintenance.uploadpurging.interval storage.maintenance.uploadpurging.dryrun
    storage.redirect.disable storage.redirect.lifetime storage.redirect.networks.only storage.redirect.networks.except
    storage.redirect.useragents.only storage.redirect.useragents.except
    auth.htpasswd.realm auth.htpasswd.path auth.htpasswd.overlap access.path space.reserve trash.window
    serviceaccounts.issuer serviceaccounts.audiences serviceaccounts.keys
    tokens.enabled tokens.service tokens.lifetime tokens.refreshlifetime tokens.key
    auth.token.realm auth.token.service auth.token.issuer auth.token.rootcertbundle auth.token.jwks
    auth.token.signingalgorithms auth.token.autoredirect auth.token.autoredirectpath
    garbagecollection.interval garbagecollection.minage garbagecollection.deleteuntagged
    retention.rules[].repositories retention.rules[].tags retention.rules[].keep.last retention.rules[].keep.newerthan
    retention.rules[].keep.semver.majors retention.rules[].keep.semver.minors retention.rules[].keep.semver.patches
    middleware.registry[].name middleware.registry[].disabled middleware.registry[].options
    middleware.repository[].name middleware.repository[].disabled middleware.repository[].options
    middleware.storage[].name middleware.storage[].disabled middleware.storage[].options
    catalog.maxentries tags.maxtags
    http.addr http.net http.host http.prefix http.secret http.relativeurls http.draintimeout http.draindelay http.headers
    http.tls.certificate http.tls.key http.tls.clientcas http.tls.clientauth http.tls.minimumtls http.tls.ciphersuites
    http.debug.addr http.debug.prometheus.enabled http.debug.prometheus.path http.http2.disabled http.h2c.enabled
    notifications.events.includereferences
    notifications.endpoints[].name notifications.endpoints[].disabled notifications.endpoints[].url
    notifications.endpoints[].headers notifications.endpoints[].timeout notifications.endpoints[].threshold
    notifications.endpoints[].backoff notifications.endpoints[].ignoredmediatypes
    notifications.endpoints[].ignore.mediatypes notifications.endpoints[].ignore.actions
    health.storagedriver.enabled health.storagedriver.interval health.storagedriver.threshold
    health.file[].file health.file[].interval
    health.http[].uri health.http[].headers health.http[].statuscode health.http[].timeout health.http[].interval
    health.http[].threshold
    health.tcp[].addr health.tcp[].timeout health.tcp[].interval health.tcp[].threshold
    validation.enabled validation.disabled validation.manifests.urls.allow validation.manifests.urls.deny
    validation.manifests.images.layers validation.manifests.indexes.platforms validation.manifests.indexes.platformlist[].architecture
    validation.manifests.indexes.platformlist[].os
    proxy.remoteurl proxy.username proxy.password proxy.exec.command proxy.exec.lifetime proxy.ttl
    mirrors[].upstream mirrors[].prefix mirrors[].remoteurl mirrors[].username mirrors[].password mirrors[].passwordfile
    mirrors[].ttl mirrors[].keep mirrors[].limit mirrors[].ca mirrors[].offline mirrors[].exec.command
    mirrors[].exec.lifetime mirrors[].prefetch.images mirrors[].prefetch.interval
";

const IGNORED: &str = "
    log.reportcaller
    log.hooks[].type log.hooks[].disabled log.hooks[].levels log.hooks[].options.from log.hooks[].options.to
    log.hooks[].options.smtp.addr log.hooks[].options.smtp.username log.hooks[].options.smtp.password
    log.hooks[].options.smtp.insecure
    storage.filesystem.maxthreads storage.cache.blobdescriptor storage.cache.blobdescriptorsize storage.cache.layerinfo
    storage.tag.concurrencylimit
    redis.addrs redis.addr redis.clientname redis.db redis.protocol redis.username redis.password
    redis.sentinelusername redis.sentinelpassword redis.sentinelMasterSet redis.mastername redis.maxretries
    redis.minretrybackoff redis.maxretrybackoff redis.dialtimeout redis.readtimeout redis.writetimeout
    redis.contexttimeoutenabled redis.poolfifo redis.poolsize redis.pooltimeout redis.minidleconns redis.maxidleconns
    redis.maxactiveconns redis.connmaxidletime redis.connmaxlifetime redis.maxredirects redis.readonly
    redis.routebylatency redis.routerandomly redis.disableidentity redis.identitysuffix redis.unstableresp3
    redis.enableTLS redis.tls.enabled redis.tls.certificate redis.tls.key redis.tls.rootcas
    redis.pool.maxidle redis.pool.maxactive redis.pool.idletimeout
    health.file[].threshold
    policy.repository.classes proxy.cachewritetimeout
    compatibility.schema1.enabled compatibility.schema1.signingkeyfile compatibility.schema1.trustkey
    reporting.bugsnag.apikey reporting.bugsnag.releasestage reporting.bugsnag.endpoint
    reporting.newrelic.licensekey reporting.newrelic.name reporting.newrelic.verbose
";

const S3_HONOURED: &str = "
    accesskey secretkey sessiontoken region bucket regionendpoint forcepathstyle virtualhostedstyle encrypt keyid secure
    skipverify trustedca chunksize multipartcopychunksize multipartcopymaxconcurrency multipartcopythresholdsize
    rootdirectory storageclass useragent usedualstack accelerate usefipsendpoint objectacl
    maxrequests timeout conditionalwrites createbucket redirectendpoint
";

const S3_IGNORED: &str = "v4auth loglevel";

const S3_REFUSED: &str = "credentialsconfigpath";

const REFUSED: &str = "
    storage.azure.accountname storage.azure.accountkey storage.azure.connectionstring storage.azure.container
    storage.azure.realm storage.azure.serviceurl storage.azure.rootdirectory storage.azure.max_retries
    storage.azure.retry_delay storage.azure.skipverify storage.azure.credentials.type storage.azure.credentials.clientid
    storage.azure.credentials.tenantid storage.azure.credentials.secret
    storage.gcs.bucket storage.gcs.keyfile storage.gcs.credentials storage.gcs.rootdirectory storage.gcs.chunksize
    storage.gcs.useragent storage.gcs.maxconcurrency
    storage.swift.username storage.swift.password storage.swift.authurl storage.swift.authversion storage.swift.tenant
    storage.swift.tenantid storage.swift.domain storage.swift.domainid storage.swift.tenantdomain
    storage.swift.tenantdomainid storage.swift.trustid storage.swift.region storage.swift.container
    storage.swift.prefix storage.swift.rootdirectory storage.swift.endpointtype storage.swift.insecureskipverify
    storage.swift.chunksize storage.swift.secretkey storage.swift.accesskey storage.swift.tempurlcontainerkey
    storage.swift.tempurlmethods
    storage.oss.accesskeyid storage.oss.accesskeysecret storage.oss.region storage.oss.bucket storage.oss.endpoint
    storage.oss.internal storage.oss.encrypt storage.oss.encryptionkeyid storage.oss.secure storage.oss.chunksize
    storage.oss.rootdirectory
    auth.silly.realm auth.silly.service
    http.tls.letsencrypt.cachefile http.tls.letsencrypt.email http.tls.letsencrypt.hosts
    http.tls.letsencrypt.directoryurl
";

/// The keys of a list, and those of S3 under both names of its section.
fn keys_of(list: &'static str, s3: &'static str) -> Vec<String> {
    let s3 = |driver| s3.split_whitespace().map(move |name| format!("storage.{driver}.{name}"));
    list.split_whitespace().map(str::to_owned).chain(s3("s3")).chain(s3("s3aws")).collect()
}

fn honoured() -> Vec<String> {
    keys_of(HONOURED, S3_HONOURED)
}

fn ignored() -> Vec<String> {
    keys_of(IGNORED, S3_IGNORED)
}

fn refused() -> Vec<String> {
    keys_of(REFUSED, S3_REFUSED)
}

/// What happens to a configuration that has this key alone.
fn effects_of(pattern: &str) -> Result<Vec<String>, Error> {
    let Some(Place::Key(_, key)) = keys::place(pattern) else { panic!("{pattern} is not in the table") };
    let word = || Node::scalar("1", Origin::Default);
    let value = match key.kind {
        Kind::Map => Value::Mapping(vec![("a".to_owned(), word())]),
        Kind::List => Value::List(vec![word()]),
        _ => word().value,
    };
    let mut path = KeyPath::default();
    for name in pattern.split('.') {
        path = match name.strip_suffix("[]") {
            Some(list) => path.name(list).item(0),
            None => path.name(name),
        };
    }
    let mut root = Node::empty(Origin::Default);
    root.put(&path, Node { value, origin: Origin::Default }).unwrap();
    check::shape(&root)?;
    check::effects(&root)
}

#[test]
fn what_is_honoured_passes_without_a_word() {
    for key in honoured() {
        assert!(effects_of(&key).unwrap().is_empty(), "{key}");
    }
}

#[test]
fn what_has_no_effect_is_told_once() {
    for key in ignored() {
        let warnings = effects_of(&key).unwrap();
        assert!(warnings.len() == 1 && warnings[0].contains("has no effect: "), "{key}: {warnings:?}");
    }
}

#[test]
fn what_is_not_supported_is_refused_with_what_to_do_instead() {
    for key in refused() {
        let error = effects_of(&key).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{key}: {error}");
    }
}

#[test]
fn the_table_has_these_keys_and_no_others() {
    let listed: BTreeSet<String> = [honoured(), ignored(), refused()].concat().into_iter().collect();
    let in_table: BTreeSet<String> = keys::keys()
        .map(|(section, key)| match section.path {
            "" => key.name.to_owned(),
            path => format!("{path}.{}", key.name),
        })
        .collect();
    let different: Vec<&String> = listed.symmetric_difference(&in_table).collect();
    assert!(different.is_empty(), "{different:?}");
}

#[test]
fn every_key_is_reached_by_the_variable_that_is_named_after_it() {
    for (section, key) in keys::keys().filter(|(_, key)| key.name != "version") {
        let path = if section.path.is_empty() {
            key.name.to_owned()
        } else {
            format!("{}.{}", section.path, key.name)
        };
        let variable = path.replace("[]", "_0").replace('.', "_").to_ascii_uppercase();
        let variables = [(format!("REGISTRY_{variable}"), "1".to_owned())];
        let mut root = Node::empty(Origin::Default);
        let ignored = crate::config::environment::override_settings(&mut root, variables).unwrap();
        assert!(ignored.is_empty() && root.is_written(), "{path}");
    }
}
