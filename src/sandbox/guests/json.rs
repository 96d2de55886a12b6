//! [`put`]: a field of an object that is JSON. Pure.

use serde_json::Value;

/// Puts a field into an object; what is none stays as it is.
pub(super) fn put(object: &mut Value, field: &str, value: impl Into<Value>) {
    if let Some(object) = object.as_object_mut() {
        object.insert(field.to_owned(), value.into());
    }
}
