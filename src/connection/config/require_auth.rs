/// A way in which a server may ask the client to prove who it is; libpq's words in `require_auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthMethod {
    /// The server asks for nothing.
    None,
    /// The password in cleartext.
    Password,
    Md5,
    Gss,
    Sspi,
    ScramSha256,
    OAuth,
}

/// Which methods the server may ask for: libpq's `require_auth`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum RequireAuth {
    #[default]
    Any,
    Only(Vec<AuthMethod>),
    AnyBut(Vec<AuthMethod>),
}

impl RequireAuth {
    /// A list of methods, or of methods to exclude, each with `!` in front. `None` if it is neither.
    pub(super) fn parse(list: &str) -> Option<Self> {
        if list.is_empty() {
            return Some(Self::Any);
        }
        let excludes = list.starts_with('!');
        let mut methods = Vec::new();
        for item in list.split(',') {
            // The two kinds do not mix, and no method comes twice.
            let name = if excludes { item.strip_prefix('!')? } else { item };
            let method = method_named(name).filter(|method| !methods.contains(method))?;
            methods.push(method);
        }
        Some(if excludes { Self::AnyBut(methods) } else { Self::Only(methods) })
    }

    /// Whether the server may ask for `method`.
    pub(crate) fn accepts(&self, method: AuthMethod) -> bool {
        match self {
            Self::Any => true,
            Self::Only(methods) => methods.contains(&method),
            Self::AnyBut(methods) => !methods.contains(&method),
        }
    }

    /// The list as libpq takes it; `None` where everything is accepted.
    #[cfg(feature = "postgres")]
    pub(crate) fn list(&self) -> Option<String> {
        let (sign, methods) = match self {
            Self::Any => return None,
            Self::Only(methods) => ("", methods),
            Self::AnyBut(methods) => ("!", methods),
        };
        let named = NAMES.iter().filter(|(_, method)| methods.contains(method));
        Some(named.map(|(name, _)| format!("{sign}{name}")).collect::<Vec<_>>().join(","))
    }

    /// Whether the caller has asked for `method` by its name.
    pub(crate) fn names(&self, method: AuthMethod) -> bool {
        matches!(self, Self::Only(methods) if methods.contains(&method))
    }
}

const NAMES: [(&str, AuthMethod); 7] = [
    ("none", AuthMethod::None),
    ("password", AuthMethod::Password),
    ("md5", AuthMethod::Md5),
    ("gss", AuthMethod::Gss),
    ("sspi", AuthMethod::Sspi),
    ("scram-sha-256", AuthMethod::ScramSha256),
    ("oauth", AuthMethod::OAuth),
];

fn method_named(name: &str) -> Option<AuthMethod> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, method)| *method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_list_of_methods_or_of_exclusions() {
        use AuthMethod::{Md5, None as Nothing, Password, ScramSha256};
        assert_eq!(RequireAuth::parse(""), Some(RequireAuth::Any));
        assert_eq!(RequireAuth::parse("scram-sha-256"), Some(RequireAuth::Only(vec![ScramSha256])));
        assert_eq!(RequireAuth::parse("none,md5"), Some(RequireAuth::Only(vec![Nothing, Md5])));
        assert_eq!(RequireAuth::parse("!password,!md5"), Some(RequireAuth::AnyBut(vec![Password, Md5])));
    }

    #[test]
    fn refuses_mixed_repeated_and_unknown_methods() {
        for list in
            [",", "md5,", "md5,!password", "!password,md5", "md5,md5", "MD5", " md5", "!!md5", "creds", "!"]
        {
            assert_eq!(RequireAuth::parse(list), None, "{list:?}");
        }
    }

    #[test]
    fn accepts_what_is_listed_or_not_excluded() {
        let without_none = RequireAuth::AnyBut(vec![AuthMethod::None]);
        assert!(!without_none.accepts(AuthMethod::None));
        assert!(without_none.accepts(AuthMethod::Password) && !without_none.names(AuthMethod::Password));
        let only = RequireAuth::Only(vec![AuthMethod::Password]);
        assert!(only.accepts(AuthMethod::Password) && only.names(AuthMethod::Password));
        assert!(!only.accepts(AuthMethod::Md5));
    }
}
