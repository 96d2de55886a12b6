//! Who may call: TLS, certificates, tokens, accounts, and what each of them may do.

mod certificates;
mod console;
mod house;
mod permissions;
mod quotas;
mod signed;
mod tokens;
mod trail;
mod web;
