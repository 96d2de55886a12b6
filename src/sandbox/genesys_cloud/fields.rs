//! Sets those fields of a JSON object that there are. Pure.

use serde_json::{Map, Value};

/// Sets what there is; what is no object stays as it is.
pub(crate) fn set(
    body: &mut Value,
    fields: impl IntoIterator<Item = (&'static str, Option<Value>)>,
) {
    let fields = fields.into_iter();
    let present = fields.filter_map(|(key, value)| Some((key.to_owned(), value?)));
    if let Some(body) = body.as_object_mut() {
        body.extend(present.collect::<Map<_, _>>());
    }
}
