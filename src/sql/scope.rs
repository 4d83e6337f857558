//! Which tables a statement names, where, and which column references stand in which query block.
//!
//! One walk over the AST collects [`Blocks`]; nothing is resolved here, since that needs a schema.

use std::{
    collections::HashSet,
    ops::{ControlFlow, Range},
};

use sqlparser::{
    ast::{
        Expr, Ident, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem,
        SelectItemQualifiedWildcardKind, SetExpr, Statement, TableAlias, TableFactor, Visit, Visitor,
    },
    tokenizer::Span,
};

/// An identifier and the bytes it spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Its text, quotes taken off.
    pub text: String,
    /// Where it stands.
    pub span: Range<usize>,
    /// Whether it is quoted.
    pub quoted: bool,
}

impl Name {
    /// Compares as identifiers without case.
    pub fn is(&self, other: &str) -> bool {
        self.text.eq_ignore_ascii_case(other)
    }
}

/// A table reference in a FROM clause or as the target of a write.
#[derive(Debug, Clone)]
pub struct Relation {
    /// The block it belongs to.
    pub block: usize,
    /// Its name: table, or database and table; empty for a derived table or table function.
    pub name: Vec<Name>,
    /// Its alias.
    pub alias: Option<Name>,
    /// Column names that a derived table has, if they are known.
    pub columns: Option<Vec<String>>,
}

impl Relation {
    /// The name that qualifies its columns.
    pub fn qualifier(&self) -> Option<&Name> {
        self.alias.as_ref().or(self.name.last())
    }
}

/// A column reference: column, table and column, or database, table and column.
#[derive(Debug, Clone)]
pub struct ColumnRef {
    /// The block it stands in.
    pub block: usize,
    /// Its parts.
    pub parts: Vec<Name>,
}

/// One query block: a query (with its WITH, ORDER BY, LIMIT) or a SELECT.
#[derive(Debug, Default)]
pub struct Block {
    /// The block around it; none for the statement's own.
    pub parent: Option<usize>,
    /// Names that its WITH clause makes.
    pub ctes: Vec<String>,
    /// Aliases of its select list.
    pub aliases: Vec<String>,
    /// Whether its select list has `*`.
    pub star: bool,
    /// Qualifiers of `t.*` in its select list.
    pub qualified_stars: Vec<Vec<Name>>,
    /// Where its SELECT stands; none for a query that is no plain SELECT.
    pub select: Option<usize>,
    /// Whether it has a NATURAL join or a USING list.
    pub coalesces: bool,
    /// Of a query: its one SELECT, whose tables its ORDER BY sees too.
    pub body: Option<usize>,
    /// What kind of query it is.
    pub kind: BlockKind,
    /// The items of its select list.
    pub items: Vec<Item>,
}

/// The kinds of query block.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// A query whose body is one SELECT.
    Plain,
    /// A SELECT, or the statement itself.
    #[default]
    Select,
    /// A query over a set operation, whose ORDER BY sees only its output.
    SetOperation,
    /// `VALUES`.
    Values,
}

/// An item of a select list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// With an alias, or a star.
    Named,
    /// A bare column: the last part of its name.
    Column(Name),
    /// An expression without an alias, whose title is its text.
    Expression,
}

/// What a statement names.
#[derive(Debug, Default)]
pub struct Blocks {
    /// Block 0 is the statement itself.
    pub blocks: Vec<Block>,
    /// Every table reference of a FROM clause, in text order of the walk.
    pub relations: Vec<Relation>,
    /// Every column reference.
    pub columns: Vec<ColumnRef>,
    /// Byte offsets of all identifiers that the AST knows.
    pub identifiers: HashSet<usize>,
    /// Offsets of names of relations that stand elsewhere than in a FROM clause.
    pub other_relations: Vec<Vec<Name>>,
}

/// Walks a statement.
pub fn collect(statement: &Statement) -> Blocks {
    let mut walk = Walk { found: Blocks::default(), stack: vec![0], from_names: HashSet::new() };
    walk.found.blocks.push(Block::default());
    let _: ControlFlow<()> = statement.visit(&mut walk);
    walk.found
}

/// The bytes that an AST span of ours covers.
pub fn range(span: Span) -> Option<Range<usize>> {
    let start = usize::try_from(span.start.column).ok()?.checked_sub(1)?;
    let end = usize::try_from(span.end.column).ok()?.checked_sub(1)?;
    Some(start..end)
}

/// The parts of an object name; empty where a part is no plain identifier.
pub fn names(object: &ObjectName) -> Vec<Name> {
    object.0.iter().map(|part| part.as_ident().and_then(name)).collect::<Option<Vec<_>>>().unwrap_or_default()
}

/// An identifier of the AST with its bytes.
pub fn name(ident: &Ident) -> Option<Name> {
    Some(Name { text: ident.value.clone(), span: range(ident.span)?, quoted: ident.quote_style.is_some() })
}

struct Walk {
    found: Blocks,
    stack: Vec<usize>,
    /// Offsets of names already taken as a FROM clause's relation.
    from_names: HashSet<usize>,
}

impl Walk {
    fn block(&self) -> usize {
        self.stack.last().copied().unwrap_or(0)
    }

    fn open(&mut self, block: Block) {
        self.found.blocks.push(Block { parent: Some(self.block()), ..block });
        self.stack.push(self.found.blocks.len() - 1);
    }
}

impl Visitor for Walk {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables).map(|cte| cte.alias.name.value.clone());
        let kind = match query.body.as_ref() {
            SetExpr::Select(_) => BlockKind::Plain,
            SetExpr::Values(_) => BlockKind::Values,
            _ => BlockKind::SetOperation,
        };
        self.open(Block { ctes: ctes.collect(), kind, ..Block::default() });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        self.stack.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let mut block = Block { select: range(select.select_token.0.span).map(|span| span.start), ..Block::default() };
        for item in &select.projection {
            block.items.push(item_of(item));
            match item {
                SelectItem::ExprWithAlias { alias, .. } => block.aliases.push(alias.value.clone()),
                SelectItem::Wildcard(_) => block.star = true,
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(object), _) => {
                    block.qualified_stars.push(names(object));
                }
                _ => {}
            }
        }
        let (query, own) = (self.block(), self.found.blocks.len());
        if self.found.blocks[query].kind == BlockKind::Plain && self.found.blocks[query].body.is_none() {
            self.found.blocks[query].body = Some(own);
        }
        block.coalesces = select.from.iter().flat_map(|from| &from.joins).any(|join| coalesces(&join.join_operator));
        self.open(block);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _select: &Select) -> ControlFlow<()> {
        self.stack.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let relation = match factor {
            TableFactor::Table { name, alias, .. } => {
                let parts = names(name);
                self.from_names.extend(parts.last().map(|part| part.span.start));
                Relation { block: self.block(), name: parts, alias: alias_name(alias.as_ref()), columns: None }
            }
            TableFactor::Derived { subquery, alias, .. } => Relation {
                block: self.block(),
                name: Vec::new(),
                alias: alias_name(alias.as_ref()),
                columns: alias
                    .as_ref()
                    .filter(|alias| !alias.columns.is_empty())
                    .map(|alias| alias.columns.iter().map(|column| column.name.value.clone()).collect())
                    .or_else(|| output_names(subquery)),
            },
            TableFactor::NestedJoin { table_with_joins, .. } => {
                if table_with_joins.joins.iter().any(|join| coalesces(&join.join_operator)) {
                    let block = self.block();
                    self.found.blocks[block].coalesces = true;
                }
                return ControlFlow::Continue(());
            }
            other => {
                let _ = other;
                Relation { block: self.block(), name: Vec::new(), alias: None, columns: None }
            }
        };
        self.found.relations.push(relation);
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let parts = names(relation);
        if !parts.last().is_some_and(|part| self.from_names.contains(&part.span.start)) {
            self.found.other_relations.push(parts);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let parts = match expr {
            Expr::Identifier(ident) => name(ident).into_iter().collect(),
            Expr::CompoundIdentifier(idents) => idents.iter().filter_map(name).collect(),
            _ => Vec::new(),
        };
        if !parts.is_empty() {
            self.found.columns.push(ColumnRef { block: self.block(), parts });
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_ident(&mut self, ident: &Ident) -> ControlFlow<()> {
        self.found.identifiers.extend(range(ident.span).map(|span| span.start));
        ControlFlow::Continue(())
    }
}

fn alias_name(alias: Option<&TableAlias>) -> Option<Name> {
    name(&alias?.name)
}

fn coalesces(operator: &JoinOperator) -> bool {
    let (JoinOperator::Join(constraint)
    | JoinOperator::Inner(constraint)
    | JoinOperator::Left(constraint)
    | JoinOperator::LeftOuter(constraint)
    | JoinOperator::Right(constraint)
    | JoinOperator::RightOuter(constraint)
    | JoinOperator::StraightJoin(constraint)
    | JoinOperator::CrossJoin(constraint)) = operator
    else {
        return false;
    };
    matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural)
}

/// The column names of a query's result, where every select item has a plain name.
pub fn output_names(query: &Query) -> Option<Vec<String>> {
    first_select(&query.body)?.projection.iter().map(item_name).collect()
}

/// The first SELECT of a set operation.
pub fn first_select(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => first_select(&query.body),
        SetExpr::SetOperation { left, .. } => first_select(left),
        _ => None,
    }
}

fn item_of(item: &SelectItem) -> Item {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(ident)) => name(ident).map_or(Item::Expression, Item::Column),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(idents)) => {
            idents.last().and_then(name).map_or(Item::Expression, Item::Column)
        }
        SelectItem::UnnamedExpr(_) => Item::Expression,
        _ => Item::Named,
    }
}

fn item_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(ident)) => Some(ident.value.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(idents)) => idents.last().map(|ident| ident.value.clone()),
        SelectItem::UnnamedExpr(_) => Some(String::new()),
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        _ => None,
    }
}
