//! What a connection with a version cannot do, whatever the statement.

use crate::rewrite::Refusal;

/// Another version's database is chosen.
pub(super) fn other_version(wanted: &str, own: &str) -> Refusal {
    let reason = format!("this connection speaks {own}; for {wanted}, open another one");
    Refusal { code: "R901", reason }
}

/// `COM_FIELD_LIST` of a table that the rules change.
pub(super) fn field_list(table: &str) -> Refusal {
    let reason = format!("COM_FIELD_LIST of '{table}', which the rules change; SHOW COLUMNS tells the same");
    Refusal { code: "R902", reason }
}

/// A replica's commands.
pub(super) fn replication() -> Refusal {
    let reason = "replication carries the physical schema; connect without a version".to_owned();
    Refusal { code: "R903", reason }
}

/// DEFAULT or IGNORE in MariaDB's bulk execute of a rewritten statement.
pub(super) fn bulk_default() -> Refusal {
    let reason = "DEFAULT or IGNORE in a bulk execute on a table that the rules change".to_owned();
    Refusal { code: "R904", reason }
}

/// MariaDB's bulk execute of a statement whose parameters the mapping has no use for.
pub(super) fn bulk_without_parameters() -> Refusal {
    let reason = "a bulk execute of a statement whose every parameter is for a column that is dropped".to_owned();
    Refusal { code: "R904", reason }
}
