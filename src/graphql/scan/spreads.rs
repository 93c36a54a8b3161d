//! Which definition spreads which fragment, and what that amounts to.

use super::{Refused, lexer::Token};
use crate::graphql::limits::{Limit, Limits};

/// The definitions of a document as they pass by.
#[derive(Default)]
pub(super) struct Definitions<'a> {
    all: Vec<Definition<'a>>,
    /// The spreads of all definitions, one after the other.
    spreads: Vec<Spread<'a>>,
    state: State,
}

struct Definition<'a> {
    /// `None` is an operation.
    fragment: Option<&'a str>,
    tokens: usize,
    nesting: usize,
    first_spread: usize,
}

struct Spread<'a> {
    fragment: &'a str,
    /// How deep in its definition the spread stands.
    nesting: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Between,
    /// After `fragment`: its name comes.
    Naming,
    Head,
    Body,
    /// After `...` in a body.
    Spreading,
}

impl<'a> Definitions<'a> {
    /// Takes the next token, which the parser may see as several; `nesting` is the depth of brackets after it.
    pub fn take(&mut self, token: Token<'a>, count: usize, nesting: usize) {
        if self.state == State::Between {
            self.begin(token);
        } else {
            self.go_on(token, nesting);
        }
        if let Some(current) = self.all.last_mut() {
            current.tokens += count;
            current.nesting = current.nesting.max(nesting);
        }
        self.state = match (self.state, token) {
            (State::Head, Token::Open(b'{')) if nesting == 1 => State::Body,
            (State::Body | State::Spreading, Token::Close) if nesting == 0 => State::Between,
            (State::Body | State::Spreading, Token::Spread) => State::Spreading,
            (State::Spreading, _) => State::Body,
            (state, _) => state,
        };
    }

    /// The grammar knows keywords by their letters alone: `fragmentA on B` defines `A`.
    fn begin(&mut self, token: Token<'a>) {
        let rest = match token {
            Token::Name(name) => name.strip_prefix("fragment"),
            _ => None,
        };
        self.all.push(Definition { fragment: rest, tokens: 0, nesting: 0, first_spread: self.spreads.len() });
        self.state = match rest {
            Some("") => State::Naming,
            _ => State::Head,
        };
    }

    fn go_on(&mut self, token: Token<'a>, nesting: usize) {
        let Token::Name(name) = token else {
            return;
        };
        match self.state {
            State::Naming => {
                if let Some(current) = self.all.last_mut() {
                    current.fragment = Some(name);
                }
                self.state = State::Head;
            }
            // `on` begins a type condition, unless the grammar finds none behind it. Then it is a spread of a
            // fragment called `on`, which no decent document has; so it is counted, and usually spreads nothing.
            State::Spreading => self.spreads.push(Spread { fragment: name, nesting }),
            State::Between | State::Head | State::Body => {}
        }
    }

    /// Adds up the spreads and refuses what is endless, too long or too deep.
    pub fn check(&self, limits: &Limits) -> Result<(), Refused> {
        if self.spreads.is_empty() {
            return Ok(());
        }
        let mut walk = Walk::new(self);
        let mut expansion = 0_usize;
        for (index, definition) in self.all.iter().enumerate() {
            let total = walk.total(index)?;
            Limit::Nesting.check(limits.nesting, total.nesting)?;
            if definition.fragment.is_none() {
                expansion = expansion.saturating_add(total.tokens);
            }
        }
        Limit::Expansion.check(limits.expansion, expansion)?;
        Ok(())
    }

    fn spreads_of(&self, index: usize) -> &[Spread<'a>] {
        let first = |index: usize| self.all.get(index).map(|definition| definition.first_spread);
        let start = first(index).unwrap_or(self.spreads.len());
        let end = first(index + 1).unwrap_or(self.spreads.len());
        self.spreads.get(start..end).unwrap_or_default()
    }
}

/// A definition with everything that it spreads.
#[derive(Clone, Copy, Default)]
struct Total {
    tokens: usize,
    nesting: usize,
}

#[derive(Clone, Copy)]
enum Mark {
    New,
    Open,
    Done(Total),
}

/// A walk in depth that keeps its own stack: a chain of fragments can be as long as the document has tokens.
struct Walk<'d, 'a> {
    definitions: &'d Definitions<'a>,
    /// The fragments, sorted by name.
    names: Vec<(&'a str, usize)>,
    marks: Vec<Mark>,
}

struct Step {
    definition: usize,
    next_spread: usize,
    total: Total,
}

impl<'d, 'a> Walk<'d, 'a> {
    fn new(definitions: &'d Definitions<'a>) -> Self {
        let names = definitions.all.iter().enumerate();
        let mut names: Vec<_> = names.filter_map(|(i, it)| Some((it.fragment?, i))).collect();
        names.sort_unstable();
        Self { definitions, names, marks: vec![Mark::New; definitions.all.len()] }
    }

    fn total(&mut self, definition: usize) -> Result<Total, Refused> {
        if let Some(Mark::Done(total)) = self.marks.get(definition) {
            return Ok(*total);
        }
        let mut stack = vec![self.open(definition)];
        let mut last = Total::default();
        while let Some(step) = stack.last_mut() {
            let spreads = self.definitions.spreads_of(step.definition);
            let Some(spread) = spreads.get(step.next_spread) else {
                last = step.total;
                self.mark(step.definition, Mark::Done(last));
                stack.pop();
                continue;
            };
            let Some(target) = self.find(spread.fragment) else {
                step.next_spread += 1;
                continue;
            };
            match self.marks.get(target) {
                Some(Mark::Done(total)) => {
                    step.next_spread += 1;
                    step.total.tokens = step.total.tokens.saturating_add(total.tokens);
                    step.total.nesting = step.total.nesting.max(spread.nesting + total.nesting);
                }
                Some(Mark::Open) => {
                    let fragment = spread.fragment.to_owned();
                    return Err(Refused::Endless { fragment });
                }
                _ => {
                    let next = self.open(target);
                    stack.push(next);
                }
            }
        }
        Ok(last)
    }

    fn open(&mut self, definition: usize) -> Step {
        self.mark(definition, Mark::Open);
        let own = self.definitions.all.get(definition);
        let total = own.map_or_else(Total::default, |own| Total { tokens: own.tokens, nesting: own.nesting });
        Step { definition, next_spread: 0, total }
    }

    fn mark(&mut self, definition: usize, mark: Mark) {
        if let Some(place) = self.marks.get_mut(definition) {
            *place = mark;
        }
    }

    fn find(&self, fragment: &str) -> Option<usize> {
        let found = self.names.binary_search_by_key(&fragment, |(name, _)| name).ok()?;
        self.names.get(found).map(|(_, definition)| *definition)
    }
}
