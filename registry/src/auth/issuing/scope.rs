//! What clients ask for at the endpoint of tokens: `repository:team/app:pull,push`, some of them with spaces between.

use super::super::token::Access;

/// The most things that are asked for at a time, and the longest text of all of them: what is granted stands in the token,
/// which comes with every request.
const MOST: usize = 100;
const LONGEST: usize = 8 << 10;

/// More than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the scope is too long: ask for at most {MOST} things in {LONGEST} bytes")]
pub struct ScopeTooLong;

/// Reads the values of all parameters `scope`. What is not of the form is not granted, and no error.
pub(super) fn parse<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Vec<Access>, ScopeTooLong> {
    let (mut all, mut length) = (Vec::new(), 0);
    for scope in scopes.into_iter().flat_map(str::split_whitespace) {
        length += scope.len();
        if all.len() == MOST || length > LONGEST {
            return Err(ScopeTooLong);
        }
        all.extend(access(scope));
    }
    Ok(all)
}

/// The name may have colons in it, and the type a class in brackets, which is of no use here.
fn access(scope: &str) -> Option<Access> {
    let (r#type, rest) = scope.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    let r#type = r#type.split('(').next()?.to_owned();
    let actions = actions.split(',').filter(|action| !action.is_empty()).map(str::to_owned).collect();
    Some(Access { r#type, name: name.to_owned(), actions })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(scopes: &[&str]) -> Vec<String> {
        let all = parse(scopes.iter().copied()).unwrap();
        all.iter().map(|one| format!("{} {} {}", one.r#type, one.name, one.actions.join("+"))).collect()
    }

    #[test]
    fn scopes_come_one_by_one_or_with_spaces_between() {
        let expected = ["repository team/app pull+push", "registry catalog *"];
        assert_eq!(told(&["repository:team/app:pull,push registry:catalog:*"]), expected);
        assert_eq!(told(&["repository:team/app:pull,push", "registry:catalog:*"]), expected);
        assert_eq!(told(&["repository(plugin):hub:5000/app:pull"]), ["repository hub:5000/app pull"]);
    }

    #[test]
    fn what_is_not_of_the_form_asks_for_nothing() {
        assert_eq!(told(&["", "repository", "repository:app"]), Vec::<String>::new());
    }

    #[test]
    fn nobody_asks_for_too_much() {
        assert_eq!(parse(["a:b:c"; MOST]).map(|all| all.len()), Ok(MOST));
        assert_eq!(parse(["a:b:c"; MOST + 1]), Err(ScopeTooLong));
        assert_eq!(parse([&*format!("a:{}:c", "b".repeat(LONGEST))]), Err(ScopeTooLong));
    }
}
