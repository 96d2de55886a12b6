//! Puts environment variables (`TIELINE__LISTEN__HEALTH`) and `--set` flags into the tree.

use super::findings::{Code, Finding, Place, Severity};
use super::key::{KeyPath, Step};
use super::tree::{Entry, Node, Style, Value};
use super::yaml;

/// What the name of an overriding variable begins with.
pub const PREFIX: &str = "TIELINE__";

/// Applies every variable whose name begins with [`PREFIX`], in the order of names.
pub(super) fn apply_variables<'a>(
    root: &mut Node,
    variables: impl Iterator<Item = (&'a str, &'a str)>,
    findings: &mut Vec<Finding>,
) {
    let mut ours: Vec<_> = variables
        .filter_map(|(name, value)| Some((name, name.strip_prefix(PREFIX)?, value)))
        .collect();
    // Numbers by value, so that item 10 follows item 9.
    ours.sort_by_key(|(_, rest, _)| steps_of(rest.split("__")));
    for (name, rest, value) in ours {
        let place = Place::Variable(name.to_owned());
        apply(root, &steps_of(rest.split("__")), value, &place, findings);
    }
}

/// Applies one flag, `listen.health=127.0.0.1:7444` or `sessions[0].name=x`.
pub(super) fn apply_flag(root: &mut Node, flag: &str, findings: &mut Vec<Finding>) {
    let Some((path, value)) = flag.split_once('=') else {
        // Nothing of it is shown: what has no '=' may be a misplaced secret.
        let mut finding = refusal(&KeyPath::root(), Place::Flag("…".to_owned()), "has no '='");
        finding.hint = Some("write it as --set listen.health=127.0.0.1:7444".to_owned());
        findings.push(finding);
        return;
    };
    let plain = path.replace('[', ".").replace(']', "");
    apply(
        root,
        &steps_of(plain.split('.')),
        value,
        &Place::Flag(path.to_owned()),
        findings,
    );
}

fn steps_of<'a>(parts: impl Iterator<Item = &'a str>) -> Vec<Step> {
    parts
        .map(|part| match part.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Key(part.to_lowercase()),
        })
        .collect()
}

fn apply(root: &mut Node, steps: &[Step], value: &str, place: &Place, out: &mut Vec<Finding>) {
    let path = steps
        .iter()
        .fold(KeyPath::root(), |path, step| path.step(step.clone()));
    if steps
        .iter()
        .any(|step| matches!(step, Step::Key(name) if name.is_empty()))
    {
        out.push(refusal(
            &path,
            place.clone(),
            "has an empty part in its name",
        ));
        return;
    }
    if value.starts_with("tcp://") || value.starts_with("udp://") {
        let mut finding = refusal(
            &path,
            place.clone(),
            "holds the address of a Kubernetes Service",
        );
        finding.hint = Some(
            "set enableServiceLinks: false in the pod, or rename the Service that injects it"
                .to_owned(),
        );
        out.push(finding);
        return;
    }
    let Some(node) = value_node(value, place, out) else {
        return;
    };
    if let Err(message) = put(root, steps, node, place) {
        out.push(refusal(&path, place.clone(), &message));
    }
}

/// A list or mapping in the flow form of YAML, else a bare value.
fn value_node(value: &str, place: &Place, findings: &mut Vec<Finding>) -> Option<Node> {
    if !value.starts_with(['[', '{']) {
        let scalar = Value::Scalar {
            text: value.to_owned(),
            style: Style::Loose,
        };
        return Some(Node::new(scalar, place.clone()));
    }
    let mut own = Vec::new();
    let node = yaml::parse(value, &mut own);
    // Places inside the value mean nothing to anybody: the variable is the place.
    findings.extend(own.into_iter().map(|finding| Finding {
        place: place.clone(),
        ..finding
    }));
    node.map(|mut node| {
        move_to(&mut node, place);
        node
    })
}

fn move_to(node: &mut Node, place: &Place) {
    node.place = place.clone();
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| move_to(item, place)),
        Value::Map(entries) => {
            for entry in entries {
                entry.key_place = place.clone();
                move_to(&mut entry.value, place);
            }
        }
        Value::Null | Value::Scalar { .. } | Value::Reported => {}
    }
}

fn put(root: &mut Node, steps: &[Step], node: Node, place: &Place) -> Result<(), String> {
    let Some((step, rest)) = steps.split_first() else {
        *root = node;
        return Ok(());
    };
    // An absent value becomes what the next step needs.
    if root.value == Value::Null {
        root.value = match step {
            Step::Key(_) => Value::Map(Vec::new()),
            Step::Index(_) => Value::List(Vec::new()),
        };
    }
    let absent = || Node::new(Value::Null, place.clone());
    let child = match (&mut root.value, step) {
        (Value::Map(entries), Step::Key(name)) => {
            let at = entries
                .iter()
                .position(|entry| entry.key == *name)
                .unwrap_or_else(|| {
                    let (key, key_place) = (name.clone(), place.clone());
                    entries.push(Entry {
                        key,
                        key_place,
                        value: absent(),
                    });
                    entries.len() - 1
                });
            entries.get_mut(at).map(|entry| {
                entry.key_place = if rest.is_empty() {
                    place.clone()
                } else {
                    entry.key_place.clone()
                };
                &mut entry.value
            })
        }
        (Value::List(items), Step::Index(index)) => {
            if *index == items.len() {
                items.push(absent());
            }
            let length = items.len();
            let item = items.get_mut(*index);
            if item.is_none() {
                return Err(format!("names item {index} of a list that has {length}"));
            }
            item
        }
        // What is wrong there has been said.
        (Value::Reported, _) => None,
        (Value::List(_), Step::Key(name)) => {
            return Err(format!(
                "names '{name}' in a list; items are named by number, from 0"
            ));
        }
        (_, Step::Index(index)) => return Err(format!("names item {index} of what is no list")),
        (_, Step::Key(name)) => return Err(format!("names '{name}' in what is no mapping")),
    };
    child.map_or(Ok(()), |child| put(child, rest, node, place))
}

fn refusal(path: &KeyPath, place: Place, message: &str) -> Finding {
    Finding {
        severity: Severity::Error,
        code: Code::Override,
        key: path.to_string(),
        place,
        value: None,
        message: message.to_owned(),
        hint: None,
    }
}
