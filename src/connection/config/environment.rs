//! What stands around the process: variables, the home folder, the user's name, files.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::parameter::{PARAMETERS, Parameter, Setting};
use super::password_file::PasswordFile;
use super::{Config, ConfigError, ParameterPlace, RootCert, SslMode, service_file};

/// Where a server of this machine puts its socket: Debian's folder and Red Hat's, and that of PostgreSQL itself.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// Where packages expect the system-wide service file; libpq has its own folder compiled in.
const SYSTEM_FOLDERS: [&str; 3] = ["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/usr/local/pgsql/etc"];

/// What a variable may say to libpq without any meaning for walferry.
const WITHOUT_EFFECT: [&str; 4] = ["client_encoding", "krbsrvname", "gsslib", "gssdelegation"];

/// The lookups that completing a configuration makes, so that tests can answer them.
pub(super) trait Environment {
    fn variable(&self, name: &str) -> Option<OsString>;
    fn home(&self) -> Option<PathBuf>;
    fn user_name(&self) -> Option<String>;
    fn state(&self, path: &Path) -> io::Result<FileState>;
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    fn exists(&self, path: &Path) -> bool {
        self.state(path).is_ok()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileState {
    pub(super) is_plain: bool,
    /// Whether the group or others may read, write or execute it.
    pub(super) is_shared: bool,
}

/// The environment of this process.
pub(super) struct Process;

impl Environment for Process {
    fn variable(&self, name: &str) -> Option<OsString> {
        env::var_os(name)
    }

    fn home(&self) -> Option<PathBuf> {
        env::home_dir().filter(|home| !home.as_os_str().is_empty())
    }

    /// libpq asks the system for the name of the effective user. Without C that is `/etc/passwd` on Linux; users of
    /// a directory service, and other systems, are named by the variables that a login sets.
    fn user_name(&self) -> Option<String> {
        let passwd = || {
            let status = fs::read_to_string("/proc/self/status").ok()?;
            let accounts = fs::read_to_string("/etc/passwd").ok()?;
            account_name(&accounts, effective_user(&status)?).map(str::to_owned)
        };
        let login = || ["LOGNAME", "USER", "USERNAME"].into_iter().find_map(|name| env::var(name).ok());
        passwd().or_else(login).filter(|name| !name.is_empty())
    }

    fn state(&self, path: &Path) -> io::Result<FileState> {
        let metadata = fs::metadata(path)?;
        Ok(FileState { is_plain: metadata.is_file(), is_shared: is_shared(&metadata) })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }
}

#[cfg(unix)]
fn is_shared(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o077 != 0
}

/// As libpq: elsewhere the folder is trusted to be private.
#[cfg(not(unix))]
fn is_shared(_: &fs::Metadata) -> bool {
    false
}

/// The second number in the line of `/proc/self/status` that lists real, effective, saved and file system user.
fn effective_user(status: &str) -> Option<&str> {
    status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().nth(1)
}

/// The name of a user in the text of `/etc/passwd`: `name:password:number:…`.
fn account_name<'a>(accounts: &'a str, number: &str) -> Option<&'a str> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(number)).then_some(name)
    })
}

impl Config {
    /// Asks, from the strongest to the weakest: the service file, the variables, the defaults.
    pub(super) fn complete(mut self, environment: &dyn Environment) -> Result<Self, ConfigError> {
        self.warnings.clear();
        self.fill_from_service(environment)?;
        self.fill_from_variables(environment)?;
        self.fill_user_and_host(environment)?;
        self.fill_certificates(environment);
        self.settle()?;
        self.read_password_file(environment);
        Ok(self)
    }

    /// Takes a weaker source's word for what nobody has spoken to.
    fn fill(&mut self, setting: Setting) -> Result<(), ConfigError> {
        if self.given.contains(setting.parameter.name) { Ok(()) } else { setting.apply(self) }
    }

    fn fill_from_service(&mut self, environment: &dyn Environment) -> Result<(), ConfigError> {
        for parameter in
            PARAMETERS.iter().filter(|parameter| matches!(parameter.name, "service" | "servicefile"))
        {
            self.fill_from_variable(parameter, environment)?;
        }
        let Some(service) = self.service.clone() else { return Ok(()) };
        let mut searched = Vec::new();
        for path in self.service_files(environment) {
            if let Some(settings) = read_section(&path, &service, environment)? {
                return settings.into_iter().try_for_each(|setting| self.fill(setting));
            }
            searched.push(path);
        }
        Err(ConfigError::UnknownService { searched })
    }

    /// The user's own file, then the system's. Only a file that was named must be there.
    fn service_files(&self, environment: &dyn Environment) -> Vec<PathBuf> {
        let if_exists = |path: PathBuf| environment.exists(&path).then_some(path);
        let in_home = || if_exists(environment.home()?.join(".pg_service.conf"));
        let own = self.service_file.clone().or_else(in_home);
        let system = match environment.variable("PGSYSCONFDIR") {
            Some(folder) => if_exists(Path::new(&folder).join("pg_service.conf")),
            None => {
                SYSTEM_FOLDERS.into_iter().find_map(|it| if_exists(Path::new(it).join("pg_service.conf")))
            }
        };
        own.into_iter().chain(system).collect()
    }

    fn fill_from_variables(&mut self, environment: &dyn Environment) -> Result<(), ConfigError> {
        for parameter in PARAMETERS {
            self.fill_from_variable(parameter, environment)?;
        }
        // The old name for sslmode=require: libpq looks at its first character.
        let requires =
            environment.variable("PGREQUIRESSL").is_some_and(|it| it.as_encoded_bytes().starts_with(b"1"));
        if requires && self.given.insert("sslmode") {
            self.ssl.mode = SslMode::Require;
        }
        Ok(())
    }

    fn fill_from_variable(
        &mut self,
        parameter: &'static Parameter,
        environment: &dyn Environment,
    ) -> Result<(), ConfigError> {
        let Some(name) = parameter.variable else { return Ok(()) };
        let Some(value) = environment.variable(name) else { return Ok(()) };
        let (key, place) = (parameter.name, ParameterPlace::Variable(name));
        let Ok(value) = value.into_string() else {
            return Err(ConfigError::Value { key, place, expected: "UTF-8" });
        };
        match self.fill(Setting { parameter, value, place }) {
            Err(error @ ConfigError::NotSupported { .. }) if WITHOUT_EFFECT.contains(&key) => {
                self.given.remove(key);
                self.warnings.push(format!("ignored: {error}"));
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn fill_user_and_host(&mut self, environment: &dyn Environment) -> Result<(), ConfigError> {
        if self.user.is_none() {
            self.user = Some(environment.user_name().ok_or(ConfigError::NoUser)?);
        }
        if self.database.is_none() {
            self.database.clone_from(&self.user);
        }
        if cfg!(unix) {
            let existing = SOCKET_FOLDERS.into_iter().find(|folder| environment.exists(Path::new(folder)));
            existing.unwrap_or("/tmp").clone_into(&mut self.default_host);
        }
        Ok(())
    }

    /// The files that libpq takes without being told, if they are there.
    fn fill_certificates(&mut self, environment: &dyn Environment) {
        let Some(folder) = environment.home().map(|home| home.join(".postgresql")) else { return };
        let existing = |name| Some(folder.join(name)).filter(|path| environment.exists(path));
        let ssl = &mut self.ssl;
        ssl.root_cert = ssl.root_cert.take().or_else(|| existing("root.crt").map(RootCert::File));
        ssl.cert = ssl.cert.take().or_else(|| existing("postgresql.crt"));
        if ssl.cert.is_some() && ssl.key.is_none() {
            // A certificate without its key is an error when it is needed, and then this is the file to name.
            ssl.key = Some(folder.join("postgresql.key"));
        }
    }

    fn read_password_file(&mut self, environment: &dyn Environment) {
        let in_home = || Some(environment.home()?.join(".pgpass"));
        if self.password.is_some() {
            return;
        }
        let Some(path) = self.passfile.clone().or_else(in_home) else { return };
        // There need not be one, wherever it is looked for.
        let Ok(state) = environment.state(&path) else { return };
        match read_private(&path, state, environment) {
            Ok(content) => {
                let (file, unreadable) = PasswordFile::parse(&content);
                self.password_file = file;
                let ignored =
                    |line| format!("password file {}: line {line} ignored: not UTF-8", path.display());
                self.warnings.extend(unreadable.into_iter().map(ignored));
            }
            Err(reason) => {
                self.warnings.push(format!("password file {} ignored: {reason}", path.display()));
            }
        }
    }
}

fn read_private(path: &Path, state: FileState, environment: &dyn Environment) -> Result<Vec<u8>, String> {
    match state {
        FileState { is_plain: false, .. } => Err("it is not a plain file".to_owned()),
        FileState { is_shared: true, .. } => {
            Err("its group or others have access; run chmod 0600 on it".to_owned())
        }
        _ => environment.read(path).map_err(|error| error.kind().to_string()),
    }
}

fn read_section(
    path: &Path,
    service: &str,
    environment: &dyn Environment,
) -> Result<Option<Vec<Setting>>, ConfigError> {
    if !environment.exists(path) {
        // Only a file that exists is shown: with a value left out, its name can be another parameter, password too.
        return Err(ConfigError::ServiceFileMissing);
    }
    let unusable = |reason| ConfigError::ServiceFile { path: path.to_owned(), reason };
    let content = environment.read(path).map_err(|error| unusable(error.kind()))?;
    let text = String::from_utf8(content).map_err(|_| unusable(io::ErrorKind::InvalidData))?;
    service_file::section(&text, service, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_effective_user_in_the_systems_files() {
        let status = "Name:\tferry\nUid:\t1000\t70\t1000\t1000\nGid:\t5\t5\t5\t5\n";
        let accounts =
            "root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/var/lib:/bin/sh\nann:x:1000:70::/:/bin/sh";
        assert_eq!(effective_user(status), Some("70"));
        assert_eq!(account_name(accounts, "70"), Some("postgres"));
        assert_eq!(account_name(accounts, "7"), None);
    }

    #[cfg(unix)]
    #[test]
    fn sees_who_else_has_access_to_a_file() -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let path = env::temp_dir().join(format!("walferry-config-{}", std::process::id()));
        fs::write(&path, "*:*:*:*:x")?;
        for (mode, is_shared) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o610, true)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
            assert_eq!(Process.state(&path)?, FileState { is_plain: true, is_shared }, "{mode:o}");
        }
        fs::remove_file(&path)?;
        assert!(!Process.exists(&path));
        Ok(())
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn knows_the_user_of_this_process() {
        let Ok(id) = std::process::Command::new("id").arg("-un").output() else { return };
        if id.status.success() {
            assert_eq!(Process.user_name().as_deref(), str::from_utf8(&id.stdout).ok().map(str::trim_end));
        }
    }
}
