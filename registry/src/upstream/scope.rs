//! What a token has to allow (token specification of Distribution, "scope").

/// What a token has to allow, in the words of the specification.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Scope(Vec<String>);

impl Scope {
    /// To read from a repository.
    pub(super) fn pull(repository: &str) -> Self {
        Self(vec![format!("repository:{repository}:pull")])
    }

    /// To write to a repository.
    pub(super) fn push(repository: &str) -> Self {
        Self(vec![format!("repository:{repository}:pull,push")])
    }

    /// To write to a repository what another one has.
    pub(super) fn mount(repository: &str, from: &str) -> Self {
        let mut scope = Self::push(repository);
        scope.0.extend(Self::pull(from).0);
        scope
    }

    /// To list the repositories.
    pub(super) fn catalog() -> Self {
        Self(vec!["registry:catalog:*".to_owned()])
    }

    /// What a registry said that it needs, in one line.
    pub(super) fn named(text: &str) -> Self {
        Self(text.split_whitespace().map(str::to_owned).collect())
    }

    /// One resource with its actions after the other.
    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}
