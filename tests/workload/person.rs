//! What a row of people means: what each release writes into it, and what each then reads.

use mysql_async::Value;

/// The two releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Through Bifocal.
    V1,
    /// Directly.
    V2,
}

/// One assignment, in a release's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// v1's name.
    FullName(String),
    /// v1's.
    Fax(Option<String>),
    /// v1's.
    Street(Option<String>),
    /// v1's.
    House(Option<String>),
    /// v2's.
    FirstName(String),
    /// v2's.
    LastName(String),
    /// v2's.
    Line(Option<String>),
    /// v2's.
    Channel(String),
    /// Both releases', each in its own words: the index in [`STATUSES`].
    Status(usize),
}

/// v1's words; v2 counts them from 1.
pub const STATUSES: [&str; 3] = ["new", "paid", "shipped"];

/// The columns of a row, in the order of [`Person::seen_by`].
pub const V1_COLUMNS: &str = "id, tag, full_name, fax, status, street, house, stamp";
/// The same for v2.
pub const V2_COLUMNS: &str = "id, label, first_name, last_name, status_id, line, channel, stamp";

/// A row as texts.
pub type Row = Vec<Option<String>>;

/// A row of people with all that both releases know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Its id.
    pub id: u64,
    /// Its name in the ledger.
    pub tag: String,
    /// How many committed writes it has seen.
    pub stamp: u64,
    kept_name: Option<String>,
    first_name: String,
    last_name: String,
    fax: Option<String>,
    status: usize,
    kept_address: (Option<String>, Option<String>),
    line: Option<String>,
    channel: String,
}

impl Person {
    /// As a release's INSERT makes it of the columns' defaults.
    pub fn new(release: Release, id: u64, tag: &str) -> Self {
        let (channel, line) = match release {
            Release::V1 => ("web", Some(joined(&(None, None)))),
            Release::V2 => ("app", None),
        };
        Self {
            id,
            tag: tag.to_owned(),
            stamp: 0,
            kept_name: None,
            first_name: String::new(),
            last_name: String::new(),
            fax: None,
            status: 0,
            kept_address: (None, None),
            line,
            channel: channel.to_owned(),
        }
    }

    /// Does what a statement with these assignments does.
    pub fn write(&mut self, fields: &[Field]) {
        let (street, house) = self.address();
        let mut address = (street.clone(), house.clone());
        let mut names_address = false;
        for field in fields.iter().cloned() {
            match field {
                Field::FullName(name) => {
                    if name != self.full_name() {
                        (self.first_name, self.last_name) = parts(&name);
                    }
                    self.kept_name = Some(name);
                }
                Field::Fax(fax) => self.fax = fax,
                Field::Street(street) => {
                    address.0 = street;
                    names_address = true;
                }
                Field::House(house) => {
                    address.1 = house;
                    names_address = true;
                }
                Field::FirstName(name) => self.first_name = name,
                Field::LastName(name) => self.last_name = name,
                Field::Line(line) => self.line = line,
                Field::Channel(channel) => self.channel = channel,
                Field::Status(status) => self.status = status,
            }
        }
        if names_address {
            if address != (street, house) {
                self.line = Some(joined(&address));
            }
            self.kept_address = address;
        }
    }

    /// What a release reads.
    pub fn seen_by(&self, release: Release) -> Row {
        let (id, tag, stamp) = (Some(self.id.to_string()), Some(self.tag.clone()), Some(self.stamp.to_string()));
        match release {
            Release::V1 => {
                let (street, house) = self.address();
                let status = Some(STATUSES[self.status].to_owned());
                vec![id, tag, Some(self.full_name()), self.fax.clone(), status, street, house, stamp]
            }
            Release::V2 => {
                let (first, last) = (Some(self.first_name.clone()), Some(self.last_name.clone()));
                let status = Some((self.status + 1).to_string());
                vec![id, tag, first, last, status, self.line.clone(), Some(self.channel.clone()), stamp]
            }
        }
    }

    /// What v1 wrote, until v2 has changed it.
    fn full_name(&self) -> String {
        match &self.kept_name {
            Some(kept) if parts(kept) == (self.first_name.clone(), self.last_name.clone()) => kept.clone(),
            _ if self.last_name.is_empty() => self.first_name.clone(),
            _ => format!("{} {}", self.first_name, self.last_name),
        }
    }

    fn address(&self) -> (Option<String>, Option<String>) {
        if self.line.as_ref() == Some(&joined(&self.kept_address)) {
            return self.kept_address.clone();
        }
        let Some(line) = &self.line else { return (None, None) };
        match line.split_once(' ') {
            None => (Some(line.clone()), None),
            Some((street, house)) => {
                (Some(street.to_owned()), Some(house.to_owned()).filter(|house| !house.is_empty()))
            }
        }
    }
}

fn parts(name: &str) -> (String, String) {
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    (first.to_owned(), last.to_owned())
}

fn joined(address: &(Option<String>, Option<String>)) -> String {
    let parts: Vec<&str> = [&address.0, &address.1].into_iter().flatten().map(String::as_str).collect();
    parts.join(" ")
}

impl Field {
    /// The column's name and the value, as the release writes them.
    pub fn assignment(&self, release: Release) -> (&'static str, Value) {
        match self {
            Self::FullName(name) => ("full_name", name.into()),
            Self::Fax(fax) => ("fax", fax.clone().into()),
            Self::Street(street) => ("street", street.clone().into()),
            Self::House(house) => ("house", house.clone().into()),
            Self::FirstName(name) => ("first_name", name.into()),
            Self::LastName(name) => ("last_name", name.into()),
            Self::Line(line) => ("line", line.clone().into()),
            Self::Channel(channel) => ("channel", channel.into()),
            Self::Status(status) if release == Release::V1 => ("status", STATUSES[*status].into()),
            Self::Status(status) => ("status_id", (*status as u64 + 1).into()),
        }
    }

    /// The assignments that write a row back as it was read.
    pub fn of_row(release: Release, row: &Row) -> Vec<Self> {
        let text = |index: usize| row.get(index).cloned().flatten().unwrap_or_default();
        let maybe = |index: usize| row.get(index).cloned().flatten();
        let status = STATUSES.iter().position(|status| *status == text(4));
        match release {
            Release::V1 => vec![
                Self::FullName(text(2)),
                Self::Fax(maybe(3)),
                Self::Status(status.unwrap_or(0)),
                Self::Street(maybe(5)),
                Self::House(maybe(6)),
            ],
            Release::V2 => vec![
                Self::FirstName(text(2)),
                Self::LastName(text(3)),
                Self::Status(text(4).parse::<usize>().map_or(0, |status| status - 1)),
                Self::Line(maybe(5)),
                Self::Channel(text(6)),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Field, Person, Release};

    #[test]
    fn a_kept_name_speaks_until_v2_changes_it() {
        let mut person = Person::new(Release::V1, 1, "a");
        person.write(&[Field::FullName("  two  blanks".to_owned())]);
        assert_eq!(person.seen_by(Release::V2)[3].as_deref(), Some(" two  blanks"));
        person.write(&[Field::FirstName("A B".to_owned()), Field::LastName("C".to_owned())]);
        assert_eq!(person.seen_by(Release::V1)[2].as_deref(), Some("A B C"));
        person.write(&Field::of_row(Release::V1, &person.seen_by(Release::V1)));
        assert_eq!(person.seen_by(Release::V2)[2].as_deref(), Some("A B"), "a row written back changes nothing");
        person.write(&[Field::FullName("A B D".to_owned())]);
        assert_eq!(person.seen_by(Release::V2)[2].as_deref(), Some("A"));
    }
}
