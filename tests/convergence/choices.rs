//! What somebody may do to a Registry: specs of every kind, and edits of what the operator has made of them.

/// Specs that differ in what they make the operator build, some of which cannot work.
pub(crate) const SPECS: [&str; 21] = [
    "{}",
    "{logLevel: debug}",
    "{readOnly: true}",
    "{replicas: 0}",
    "{gc: {schedule: '@weekly', suspend: true}}",
    "{gc: {schedule: nonsense}}",
    "{tls: {disabled: true}}",
    "{tls: {sans: [registry.example, 192.0.2.7]}}",
    "{tls: {secretName: missing}}",
    "{access: {htpasswdSecretName: team}}",
    "{networkPolicy: false}",
    "{service: {type: NodePort, port: 5000}}",
    "{podTemplate: {spec: {nodeSelector: {disk: fast}}}}",
    "{podTemplate: {spec: {containers: nonsense}}}",
    "{host: registry.example, ingress: {className: none}}",
    "{host: registry.example, gateway: {parentRefs: [{name: public}]}}",
    "{access: {anonymousPull: true, serviceAccountTokens: false}}",
    "{access: {pullSecrets: {from: Same, serviceAccounts: [default]}}}",
    "{gc: {retention: [{repositories: ['**'], keepLast: 5}]}}",
    "{gc: {retention: [{repositories: ['**'], tags: ['/(/'], keepLast: 5}]}}",
    "{mirrors: [{upstream: docker.io}, {upstream: quay.io, prefix: q, secretName: missing}]}",
];

/// What may be asked for by an annotation.
pub(crate) const REQUESTS: [&str; 3] = ["berth.dev/rotate", "berth.dev/rotate-ca", "berth.dev/gc"];

/// What a RegistryAccess may ask for: what is allowed, and what is not.
pub(crate) const RIGHTS: [&str; 3] = [
    "[{repositories: ['NAMESPACE/**']}]",
    "[{repositories: ['NAMESPACE/app', 'NAMESPACE/tools/*'], actions: [Pull, Push]}]",
    "[{repositories: ['other/**']}]",
];

/// The objects that somebody may delete: all but the claim, which holds the images.
pub(crate) const OBJECTS: [&str; 14] = [
    "secret/hub-ca",
    "secret/hub-tls",
    "secret/hub-admin",
    "secret/hub-pull",
    "secret/hub-auth",
    "secret/hub-accounts",
    "configmap/hub-config",
    "configmap/hub-ca",
    "serviceaccount/hub",
    "serviceaccount/hub-gc",
    "service/hub",
    "networkpolicy/hub",
    "deployment/hub",
    "cronjob/hub-gc",
];

/// Merge patches that spoil an object.
pub(crate) const SPOILING: [(&str, &str); 9] = [
    ("secret/hub-tls", r#"{"data": {"tls.crt": "eA=="}}"#),
    ("secret/hub-pull", r#"{"data": {".dockerconfigjson": "e30="}}"#),
    ("secret/hub-auth", r#"{"data": {"htpasswd": "eA==", "access.yml": "eA=="}}"#),
    ("configmap/hub-config", r#"{"data": {"config.yml": "x"}}"#),
    ("configmap/hub-ca", r#"{"data": {"ca.crt": "x"}}"#),
    ("service/hub", r#"{"spec": {"selector": {"app.kubernetes.io/instance": "x"}}}"#),
    ("deployment/hub", r#"{"spec": {"replicas": 3}}"#),
    ("deployment/hub", r#"{"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}}"#),
    ("cronjob/hub-gc", r#"{"spec": {"schedule": "@yearly"}}"#),
];

/// What the Secret of users may hold: one user, another, and what is no htpasswd.
pub(crate) const USERS: [&str; 3] = [
    "ci:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC",
    "robot:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC",
    "nonsense",
];
