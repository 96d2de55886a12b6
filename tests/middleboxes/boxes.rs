//! Middleboxes of other people: nginx, HAProxy and squid, each with a configuration of ours.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::process::{Process, free_port, local};

/// Which one, and how it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// Seconds without a byte from the platform; whether it passes Upgrade on.
    Nginx { timeout: u32, upgrade: bool },
    /// Seconds, of an answer and of a tunnel; an option of its HTTP modes.
    Haproxy { timeout: u32, option: &'static str },
    /// Whether it wants to know who asks.
    Squid { credentials: bool },
}

pub(crate) const SQUID_USER: &str = "tieline";
pub(crate) const SQUID_PASSWORD: &str = "a password: 100% @squid";

impl Foreign {
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Nginx { .. } => "nginx",
            Self::Haproxy { .. } => "haproxy",
            Self::Squid { .. } => "squid",
        }
    }

    /// Starts it before a platform; returns where it listens.
    pub(crate) async fn start(self, folder: &Path, platform: u16) -> Result<(Process, u16)> {
        let port = free_port().await;
        let folder = folder.join(self.program());
        std::fs::create_dir_all(&folder)?;
        let file = self.configure(&folder, port, platform)?;
        let mut command = Command::new(self.program());
        match self {
            Self::Nginx { .. } => command.arg("-p").arg(&folder).arg("-c").arg(&file),
            Self::Haproxy { .. } => command.arg("-db").arg("-f").arg(&file),
            Self::Squid { .. } => command.args(["-N", "-f"]).arg(&file),
        };
        let log = folder.join("output");
        let mut process = Process::start(&mut command, &log)?;
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        process
            .listens(local(port))
            .await
            .with_context(|| format!("{}: {}", self.program(), said()))?;
        Ok((process, port))
    }

    fn configure(self, folder: &Path, port: u16, platform: u16) -> Result<PathBuf> {
        let template = match self {
            Self::Nginx { .. } => include_str!("conf/nginx.conf"),
            Self::Haproxy { .. } => include_str!("conf/haproxy.cfg"),
            Self::Squid { .. } => include_str!("conf/squid.conf"),
        };
        let own = match self {
            Self::Nginx { timeout, upgrade } => vec![
                ("@TIMEOUT@", format!("{timeout}s")),
                ("@UPGRADE@", nginx_upgrade(upgrade)),
            ],
            Self::Haproxy { timeout, option } => vec![
                ("@TIMEOUT@", format!("{timeout}s")),
                ("@OPTION@", option.to_owned()),
            ],
            Self::Squid { credentials } => {
                std::fs::write(folder.join("hosts"), "127.0.0.1 sandbox.invalid\n")?;
                vec![("@AUTH@", squid_access(credentials, folder)?)]
            }
        };
        let common = [
            ("@DIR@", folder.display().to_string()),
            ("@PORT@", port.to_string()),
            ("@PLATFORM@", platform.to_string()),
        ];
        let text = own
            .into_iter()
            .chain(common)
            .fold(template.to_owned(), |text, (name, value)| {
                text.replace(name, &value)
            });
        let file = folder.join("conf");
        std::fs::write(&file, text)?;
        Ok(file)
    }
}

fn nginx_upgrade(upgrade: bool) -> String {
    match upgrade {
        true => "proxy_set_header Upgrade $http_upgrade;\n      \
                 proxy_set_header Connection $connection_upgrade;"
            .to_owned(),
        // What nginx does by itself: hop-by-hop headers end here.
        false => String::new(),
    }
}

/// squid runs as a user of its own when it is started by root: what it reads must be readable.
fn squid_access(credentials: bool, folder: &Path) -> Result<String> {
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder, open)?;
    if !credentials {
        return Ok("http_access allow localhost".to_owned());
    }
    let helper = folder.join("helper");
    // Answers as squid's own helpers do, for one user.
    let expected = format!("{SQUID_USER} {}", SQUID_PASSWORD.replace('%', "%25"));
    let script = format!(
        "#!/bin/sh\nwhile read -r user password; do\n  \
         case \"$user $(printf '%s' \"$password\" | sed 's/%20/ /g; s/%3A/:/g; s/%40/@/g')\" in\n    \
         '{expected}') echo OK ;;\n    *) echo ERR ;;\n  esac\ndone\n"
    );
    std::fs::write(&helper, script)?;
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755))?;
    Ok(format!(
        "auth_param basic program {}\nauth_param basic children 2 startup=1\n\
         acl known proxy_auth REQUIRED\nhttp_access allow known",
        helper.display()
    ))
}
