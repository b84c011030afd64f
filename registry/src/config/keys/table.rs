//! The table: one line a key, one block a section, in the order of the file.
//!
//! The keys are those of the CNCF Distribution registry, versions 2 and 3, with two that Harbor's build adds, and
//! ours: `http.draindelay`, `access`, `auth.htpasswd.overlap`, `serviceaccounts`, `tokens`, all of `storage.redirect` but `disable`, `space`, `trash`,
//! `garbagecollection`, `retention`, `mirrors`, `validation.manifests.images`, and the last four of `storage.s3`.

use super::{
    Effect::{self, Honoured, Ignored, Refused},
    Key, Kind, Section,
};

const OBJECT_STORAGE: Effect = Refused(
    "this kind of object storage is not supported; use storage.s3, or storage.filesystem on a volume",
);
const OTHER_AUTHENTICATION: Effect =
    Refused("it lets everybody in who says anything; use auth.htpasswd or auth.token");
const LETS_ENCRYPT: Effect = Refused(
    "certificates are not requested by this server; let cert-manager or certbot write them, and name the \
     files in http.tls.certificate and http.tls.key (they are read again when they change)",
);

const HOOKS: Effect = Ignored("this server sends no mail; let the log collector raise alarms");
const NO_CACHE: Effect = Ignored("this server keeps no cache of descriptors, neither in memory nor in Redis");
const NO_LIMIT: Effect = Ignored("the file system needs no limit of this kind");
const WRITTEN_AT_ONCE: Effect = Ignored(
    "what comes from upstream is stored while it is sent, and nothing is left to be written after it",
);
const REPORTING: Effect = Ignored("failures are reported in the log");

/// The parts of the tree that hold one of several alternatives: the name of one may stand in place of the part.
pub(in crate::config) const CHOICES: &[&str] = &["storage", "auth"];

/// Names that variables of the environment may use besides that of the key: those of Distribution's Go fields.
pub(in crate::config) const GO_NAMES: &[(&str, &str)] = &[
    ("health.file", "FILECHECKERS"),
    ("health.http", "HTTPCHECKERS"),
    ("health.tcp", "TCPCHECKERS"),
    ("log.hooks[].options", "MAILOPTIONS"),
    ("notifications.events", "EVENTCONFIG"),
];

/// Every key that may stand in the file or in the environment.
pub(in crate::config) const SECTIONS: &[Section] = &[
    section("", Honoured, &[text("version"), text("loglevel")]),
    section(
        "log",
        Honoured,
        &[
            text("level").or("info"),
            text("formatter").or("text"),
            map("fields"),
            flag("reportcaller").but(Ignored("log lines name their module")),
        ],
    ),
    section("log.accesslog", Honoured, &[flag("disabled").or("false")]),
    section("log.hooks[]", HOOKS, &[text("type"), flag("disabled"), list("levels")]),
    section("log.hooks[].options", HOOKS, &[text("from"), list("to")]),
    section(
        "log.hooks[].options.smtp",
        HOOKS,
        &[text("addr"), text("username"), text("password").secret(), flag("insecure")],
    ),
    section("storage.filesystem", Honoured, &[text("rootdirectory"), number("maxthreads").but(NO_LIMIT)]),
    section("storage.inmemory", Honoured, &[]),
    section("storage.delete", Honoured, &[flag("enabled").or("false")]),
    section("storage.maintenance.readonly", Honoured, &[flag("enabled").or("false")]),
    section(
        "storage.maintenance.uploadpurging",
        Honoured,
        &[
            flag("enabled").or("true"),
            duration("age").or("168h"),
            duration("interval").or("24h"),
            flag("dryrun").or("false"),
        ],
    ),
    section(
        "storage.cache",
        NO_CACHE,
        &[text("blobdescriptor"), number("blobdescriptorsize"), text("layerinfo")],
    ),
    section("storage.redirect", Honoured, &[flag("disable").or("true"), duration("lifetime").or("20m")]),
    section("storage.redirect.networks", Honoured, &[list("only"), list("except")]),
    section("storage.redirect.useragents", Honoured, &[list("only"), list("except")]),
    section("storage.tag", NO_LIMIT, &[number("concurrencylimit")]),
    section("storage.s3", Honoured, S3),
    section("storage.s3aws", Honoured, S3),
    section(
        "storage.azure",
        OBJECT_STORAGE,
        &[
            text("accountname"),
            text("accountkey").secret(),
            text("connectionstring").secret(),
            text("container"),
            text("realm"),
            text("serviceurl"),
            text("rootdirectory"),
            number("max_retries"),
            duration("retry_delay"),
            flag("skipverify"),
        ],
    ),
    section(
        "storage.azure.credentials",
        OBJECT_STORAGE,
        &[text("type"), text("clientid"), text("tenantid"), text("secret").secret()],
    ),
    section(
        "storage.gcs",
        OBJECT_STORAGE,
        &[
            text("bucket"),
            text("keyfile"),
            map("credentials").secret(),
            text("rootdirectory"),
            number("chunksize"),
            text("useragent"),
            number("maxconcurrency"),
        ],
    ),
    section(
        "storage.swift",
        OBJECT_STORAGE,
        &[
            text("username"),
            text("password").secret(),
            text("authurl"),
            number("authversion"),
            text("tenant"),
            text("tenantid"),
            text("domain"),
            text("domainid"),
            text("tenantdomain"),
            text("tenantdomainid"),
            text("trustid"),
            text("region"),
            text("container"),
            text("prefix"),
            text("rootdirectory"),
            text("endpointtype"),
            flag("insecureskipverify"),
            number("chunksize"),
            text("secretkey").secret(),
            text("accesskey").secret(),
            flag("tempurlcontainerkey"),
            list("tempurlmethods"),
        ],
    ),
    section(
        "storage.oss",
        OBJECT_STORAGE,
        &[
            text("accesskeyid").secret(),
            text("accesskeysecret").secret(),
            text("region"),
            text("bucket"),
            text("endpoint"),
            flag("internal"),
            flag("encrypt"),
            text("encryptionkeyid"),
            flag("secure"),
            number("chunksize"),
            text("rootdirectory"),
        ],
    ),
    section("space", Honoured, &[text("reserve").or("auto")]),
    section("trash", Honoured, &[duration("window").or("24h")]),
    section(
        "garbagecollection",
        Honoured,
        &[duration("interval").or("0s"), duration("minage").or("24h"), flag("deleteuntagged").or("false")],
    ),
    section("retention.rules[]", Honoured, &[list("repositories"), list("tags")]),
    section("retention.rules[].keep", Honoured, &[number("last"), duration("newerthan")]),
    section(
        "retention.rules[].keep.semver",
        Honoured,
        &[number("majors"), number("minors"), number("patches")],
    ),
    section("auth.none", Honoured, &[]),
    section("auth.htpasswd", Honoured, &[text("realm"), text("path"), flag("overlap").or("false")]),
    section(
        "auth.token",
        Honoured,
        &[
            text("realm"),
            text("service"),
            text("issuer"),
            text("rootcertbundle"),
            text("jwks"),
            list("signingalgorithms"),
            flag("autoredirect").or("false"),
            text("autoredirectpath").or("/auth/token"),
        ],
    ),
    section("auth.silly", OTHER_AUTHENTICATION, &[text("realm"), text("service")]),
    section("access", Honoured, &[text("path")]),
    section("serviceaccounts", Honoured, &[text("issuer"), list("audiences"), text("keys")]),
    section(
        "tokens",
        Honoured,
        &[
            flag("enabled").or("false"),
            text("service").or("registry"),
            duration("lifetime").or("5m"),
            // 90 days: a machine that logs in is asked for its password four times a year.
            duration("refreshlifetime").or("2160h"),
            text("key"),
        ],
    ),
    section("middleware.registry[]", Honoured, MIDDLEWARE),
    section("middleware.repository[]", Honoured, MIDDLEWARE),
    section("middleware.storage[]", Honoured, MIDDLEWARE),
    section("catalog", Honoured, &[number("maxentries").or("1000")]),
    section("tags", Honoured, &[number("maxtags").or("1000")]),
    section(
        "http",
        Honoured,
        &[
            text("addr").or(":5000"),
            text("net").or("tcp"),
            text("host"),
            text("prefix"),
            text("secret").secret(),
            flag("relativeurls").or("false"),
            // Below the 300 seconds that the operator gives a Pod to end, so that connections close in good order.
            duration("draintimeout").or("270s"),
            duration("draindelay").or("0s"),
            map("headers"),
        ],
    ),
    section(
        "http.tls",
        Honoured,
        &[
            text("certificate"),
            text("key"),
            list("clientcas"),
            text("clientauth"),
            text("minimumtls").or("tls1.2"),
            list("ciphersuites"),
        ],
    ),
    section(
        "http.tls.letsencrypt",
        LETS_ENCRYPT,
        &[text("cachefile"), text("email"), list("hosts"), text("directoryurl")],
    ),
    section("http.debug", Honoured, &[text("addr")]),
    section("http.debug.prometheus", Honoured, &[flag("enabled").or("false"), text("path").or("/metrics")]),
    section("http.http2", Honoured, &[flag("disabled").or("false")]),
    section("http.h2c", Honoured, &[flag("enabled").or("false")]),
    section("notifications.events", Honoured, &[flag("includereferences").or("false")]),
    section(
        "notifications.endpoints[]",
        Honoured,
        &[
            text("name"),
            flag("disabled").or("false"),
            text("url"),
            map("headers").secret(),
            duration("timeout").or("1s"),
            number("threshold").or("10"),
            duration("backoff").or("1s"),
            list("ignoredmediatypes"),
        ],
    ),
    section("notifications.endpoints[].ignore", Honoured, &[list("mediatypes"), list("actions")]),
    section("redis", NO_CACHE, REDIS),
    section("redis.pool", NO_CACHE, &[number("maxidle"), number("maxactive"), duration("idletimeout")]),
    section("redis.tls", NO_CACHE, &[flag("enabled"), text("certificate"), text("key"), list("rootcas")]),
    section(
        "health.storagedriver",
        Honoured,
        &[flag("enabled").or("false"), duration("interval").or("10s"), number("threshold").or("3")],
    ),
    section(
        "health.file[]",
        Honoured,
        &[
            text("file"),
            duration("interval").or("10s"),
            number("threshold").but(Ignored("the first look that finds the file counts")),
        ],
    ),
    section(
        "health.http[]",
        Honoured,
        &[
            text("uri"),
            map("headers").secret(),
            number("statuscode").or("200"),
            duration("timeout").or("10s"),
            duration("interval").or("10s"),
            number("threshold").or("1"),
        ],
    ),
    section(
        "health.tcp[]",
        Honoured,
        &[
            text("addr"),
            duration("timeout").or("10s"),
            duration("interval").or("10s"),
            number("threshold").or("1"),
        ],
    ),
    section(
        "proxy",
        Honoured,
        &[
            text("remoteurl"),
            text("username"),
            text("password").secret(),
            duration("ttl").or("168h"),
            duration("cachewritetimeout").but(WRITTEN_AT_ONCE),
        ],
    ),
    section("proxy.exec", Honoured, EXEC),
    section(
        "mirrors[]",
        Honoured,
        &[
            text("upstream"),
            text("prefix"),
            text("remoteurl"),
            text("username"),
            text("password").secret(),
            text("passwordfile"),
            // Short enough for nobody to wait for a new image, and long enough for a hundred nodes to ask for it once.
            duration("ttl").or("1m"),
            duration("keep").or("0s"),
            text("limit"),
            text("ca"),
            flag("offline").or("false"),
        ],
    ),
    section("mirrors[].exec", Honoured, EXEC),
    section("mirrors[].prefetch", Honoured, &[list("images"), duration("interval").or("24h")]),
    section("validation", Honoured, &[flag("enabled"), flag("disabled").or("false")]),
    section("validation.manifests.urls", Honoured, &[list("allow"), list("deny")]),
    section("validation.manifests.images", Honoured, &[text("layers").or("all")]),
    section("validation.manifests.indexes", Honoured, &[text("platforms").or("all")]),
    section("validation.manifests.indexes.platformlist[]", Honoured, &[text("architecture"), text("os")]),
    section("policy.repository", Ignored("every class of content is accepted"), &[list("classes")]),
    section(
        "compatibility.schema1",
        Ignored("manifests of schema 1 are served as they were stored, and no longer accepted"),
        &[flag("enabled"), text("signingkeyfile"), text("trustkey")],
    ),
    section(
        "reporting.bugsnag",
        REPORTING,
        &[text("apikey").secret(), text("releasestage"), text("endpoint")],
    ),
    section("reporting.newrelic", REPORTING, &[text("licensekey").secret(), text("name"), flag("verbose")]),
];

const S3: &[Key] = &[
    text("accesskey").secret(),
    text("secretkey").secret(),
    text("sessiontoken").secret(),
    text("credentialsconfigpath")
        .but(Refused("name the file in the environment variable AWS_SHARED_CREDENTIALS_FILE")),
    text("region"),
    text("bucket"),
    text("regionendpoint"),
    text("redirectendpoint"),
    flag("forcepathstyle").or("true"),
    flag("virtualhostedstyle").or("false"),
    flag("encrypt").or("false"),
    text("keyid"),
    flag("secure").or("true"),
    flag("skipverify").or("false"),
    text("trustedca"),
    flag("v4auth").but(Ignored("requests are signed by version 4 of the protocol, always")),
    number("chunksize").or("10485760"),
    number("multipartcopychunksize").or("33554432"),
    number("multipartcopymaxconcurrency").or("100"),
    number("multipartcopythresholdsize").or("33554432"),
    text("rootdirectory"),
    text("storageclass").or("STANDARD"),
    text("useragent"),
    flag("usedualstack").or("false"),
    flag("accelerate").or("false"),
    flag("usefipsendpoint").or("false"),
    text("objectacl").or("private"),
    text("loglevel").but(Ignored("what the storage does is logged at log.level")),
    number("maxrequests").or("128"),
    duration("timeout").or("30s"),
    flag("conditionalwrites").or("true"),
    flag("createbucket").or("false"),
];

const EXEC: &[Key] = &[text("command"), duration("lifetime")];

const MIDDLEWARE: &[Key] = &[text("name"), flag("disabled"), map("options").secret()];

const REDIS: &[Key] = &[
    list("addrs"),
    text("addr"),
    text("clientname"),
    number("db"),
    number("protocol"),
    text("username"),
    text("password").secret(),
    text("sentinelusername"),
    text("sentinelpassword").secret(),
    text("sentinelMasterSet"),
    text("mastername"),
    number("maxretries"),
    duration("minretrybackoff"),
    duration("maxretrybackoff"),
    duration("dialtimeout"),
    duration("readtimeout"),
    duration("writetimeout"),
    flag("contexttimeoutenabled"),
    flag("poolfifo"),
    number("poolsize"),
    duration("pooltimeout"),
    number("minidleconns"),
    number("maxidleconns"),
    number("maxactiveconns"),
    duration("connmaxidletime"),
    duration("connmaxlifetime"),
    number("maxredirects"),
    flag("readonly"),
    flag("routebylatency"),
    flag("routerandomly"),
    flag("disableidentity"),
    text("identitysuffix"),
    flag("unstableresp3"),
    flag("enableTLS"),
];

const fn section(path: &'static str, effect: Effect, keys: &'static [Key]) -> Section {
    Section { path, effect, keys }
}

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, secret: false, default: None, effect: None }
}

const fn text(name: &'static str) -> Key {
    key(name, Kind::Text)
}

const fn flag(name: &'static str) -> Key {
    key(name, Kind::Flag)
}

const fn number(name: &'static str) -> Key {
    key(name, Kind::Number)
}

const fn duration(name: &'static str) -> Key {
    key(name, Kind::Duration)
}

const fn list(name: &'static str) -> Key {
    key(name, Kind::List)
}

const fn map(name: &'static str) -> Key {
    key(name, Kind::Map)
}

impl Key {
    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// Gives the key a default.
    const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// Gives the key an effect that differs from that of its section.
    const fn but(self, effect: Effect) -> Self {
        Self { effect: Some(effect), ..self }
    }
}
