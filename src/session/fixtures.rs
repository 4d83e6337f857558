//! Rules for the tests of this layer.

use std::sync::Arc;

use crate::{
    rules::{Mapping, Ruleset, TableMapping, VersionRules, VersionedDatabase},
    schema::Schema,
};

/// `shop`, whose v1 has a table `users` that is called `people` in v2, the physical version.
pub(crate) fn ruleset() -> Arc<Ruleset> {
    let schema = Arc::new(Schema {
        database: "shop".to_owned(),
        server: "10.11.11-MariaDB".to_owned(),
        charset: "utf8mb4".to_owned(),
        collation: "utf8mb4_general_ci".to_owned(),
        tables: Vec::new(),
    });
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
        schema: schema.clone(),
        physical: schema.clone(),
    };
    let version = |name: &str, chain| VersionRules { name: name.to_owned(), schema: schema.clone(), chain };
    let versions = vec![version("v1", vec![Arc::new(mapping)]), version("v2", Vec::new())];
    Arc::new(Ruleset { generation: 1, databases: vec![VersionedDatabase { name: "shop".to_owned(), versions }] })
}
