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

/// MariaDB's bulk execute.
pub(super) fn bulk_execute() -> Refusal {
    let reason = "COM_STMT_BULK_EXECUTE on a connection with a version; execute row by row".to_owned();
    Refusal { code: "R904", reason }
}
