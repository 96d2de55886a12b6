//! What the agent answers to what it is told. Pure.

use super::config::AgentReply;

/// Something that the agent says or does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Saying {
    Text(String),
    /// A text with choices.
    Choices(String, Vec<String>),
    /// The conversation ends: it can only be read from then on.
    End,
}

const OFFERED: [&str; 3] = ["My order", "My invoice", "Something else"];

/// What the agent answers. `first`: nobody has greeted in this conversation yet.
pub(super) fn answer(reply: AgentReply, first: bool, told: &str) -> Vec<Saying> {
    match reply {
        AgentReply::Off => Vec::new(),
        AgentReply::Echo => vec![Saying::Text(told.to_owned())],
        AgentReply::Script => {
            let greeting = first.then(|| Saying::Text(greeting()));
            greeting.into_iter().chain(scripted(told)).collect()
        }
    }
}

/// What the agent says when a guest joins.
pub(super) fn welcome(reply: AgentReply) -> Vec<Saying> {
    match reply {
        AgentReply::Script => vec![Saying::Text(greeting())],
        AgentReply::Off | AgentReply::Echo => Vec::new(),
    }
}

fn greeting() -> String {
    "Hello, this is the support desk. Say `help` for choices, `bye` to end.".to_owned()
}

fn scripted(told: &str) -> Vec<Saying> {
    match told.trim().to_lowercase().as_str() {
        "bye" => vec![Saying::Text("Good bye.".to_owned()), Saying::End],
        "help" => {
            let choices = OFFERED.map(str::to_owned).to_vec();
            vec![Saying::Choices("What is it about?".to_owned(), choices)]
        }
        _ => vec![Saying::Text(format!("You said: {told}"))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_greets_answers_offers_and_ends() {
        let script = |first, told| answer(AgentReply::Script, first, told);
        assert_eq!(script(true, "hi").len(), 2);
        assert_eq!(
            script(false, "hi"),
            [Saying::Text("You said: hi".to_owned())]
        );
        assert!(
            matches!(&script(false, " Help ")[..], [Saying::Choices(_, three)] if three.len() == 3)
        );
        assert_eq!(script(false, "bye").last(), Some(&Saying::End));
        assert_eq!(
            answer(AgentReply::Echo, true, "x"),
            [Saying::Text("x".to_owned())]
        );
        assert!(answer(AgentReply::Off, true, "x").is_empty());
    }
}
