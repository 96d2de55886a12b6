//! Who may call: TLS, certificates, tokens, accounts, and what each of them may do.

mod certificates;
mod console;
mod house;
mod permissions;
mod signed;
mod tokens;
