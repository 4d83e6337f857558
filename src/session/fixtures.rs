//! Rules for the tests of this layer.

use std::sync::Arc;

use super::facts;
use crate::rules::{Mapping, Ruleset, TableMapping, VersionRules, VersionedDatabase};
use crate::wire::{Capabilities, ColumnDefinition, put_lenenc_bytes, put_payload};

/// `shop`, whose v1 has a table `users` that is called `people` in v2, the physical version.
pub(crate) fn ruleset() -> Arc<Ruleset> {
    let schema = Arc::new(serde_json::from_str(SCHEMA).expect("a schema"));
    let users = TableMapping {
        name: "users".to_owned(),
        physical: "people".to_owned(),
        columns: Vec::new(),
        groups: Vec::new(),
        added: Vec::new(),
        keys: Vec::new(),
    };
    let mapping = Mapping {
        database: "shop".to_owned(),
        version: "v1".to_owned(),
        tables: vec![users],
        schema: Arc::clone(&schema),
        physical: Arc::clone(&schema),
    };
    let version = |name: &str, chain| VersionRules { name: name.to_owned(), schema: Arc::clone(&schema), chain };
    let versions = vec![version("v1", vec![Arc::new(mapping)]), version("v2", Vec::new())];
    Arc::new(Ruleset { generation: 1, databases: vec![VersionedDatabase { name: "shop".to_owned(), versions }] })
}

/// What the session asks the backend itself, as a packet.
pub(crate) fn question() -> Vec<u8> {
    let mut packet = Vec::new();
    put_payload(&mut packet, 0, &[b"\x03", facts::QUESTION].concat());
    packet
}

/// The backend's answer to that, where the version's database is `shop`.
pub(crate) fn facts_answer(deprecate_eof: bool) -> Vec<u8> {
    let values = ["STRICT_TRANS_TABLES", "utf8mb4", "utf8mb4", "73686F70", "8.4.0", "1073741824"];
    let (mut definition, mut row) = (Vec::new(), Vec::new());
    ColumnDefinition::parameter(Capabilities::default()).encode(&mut definition);
    for value in values {
        put_lenenc_bytes(&mut row, value.as_bytes());
    }
    let mut payloads = vec![vec![6]];
    payloads.extend(vec![definition; values.len()]);
    let eof = b"\xfe\0\0\x02\0".to_vec();
    payloads.extend((!deprecate_eof).then(|| eof.clone()));
    payloads.extend([row, if deprecate_eof { b"\xfe\0\0\x02\0\0\0".to_vec() } else { eof }]);
    let mut answer = Vec::new();
    let mut seq = 1;
    for payload in payloads {
        seq = put_payload(&mut answer, seq, &payload) + 1;
    }
    answer
}

const SCHEMA: &str = r#"{
    "database": "shop", "server": "10.11.11-MariaDB", "charset": "utf8mb4", "collation": "utf8mb4_general_ci",
    "tables": []
}"#;
