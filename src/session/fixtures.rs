//! Rules for the tests of this layer.

use std::sync::Arc;

use crate::rules::{Mapping, Ruleset, TableMapping, VersionRules, VersionedDatabase};

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

const SCHEMA: &str = r#"{
    "database": "shop", "server": "10.11.11-MariaDB", "charset": "utf8mb4", "collation": "utf8mb4_general_ci",
    "tables": []
}"#;
