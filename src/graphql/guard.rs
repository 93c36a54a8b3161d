//! Guards: what opens a field. Every root object is `Closed`, and each of its fields opens itself with one of the
//! others, written at the resolver. A guard knows the roles; whether the permission reaches the one object that is
//! asked for, the service decides.

use async_graphql::{Context, Guard, Result};

use super::ContextExt;
use crate::{authz::Permission, error::Error};

/// The default of every root object: a field without a guard of its own is open to nobody.
pub struct Closed;

impl Guard for Closed {
    async fn check(&self, _: &Context<'_>) -> Result<()> {
        Err(Error::forbidden().into())
    }
}

/// Open to everybody, signed in or not.
pub struct Public;

impl Guard for Public {
    async fn check(&self, _: &Context<'_>) -> Result<()> {
        Ok(())
    }
}

/// Open to whoever is signed in.
pub struct SignedIn;

impl Guard for SignedIn {
    async fn check(&self, ctx: &Context<'_>) -> Result<()> {
        match ctx.ctx()?.actor.signed_in() {
            Some(_) => Ok(()),
            None => Err(Error::forbidden().into()),
        }
    }
}

/// Open to whoever is signed in themselves: a program that shows an API key is not the person.
pub struct InPerson;

impl Guard for InPerson {
    async fn check(&self, ctx: &Context<'_>) -> Result<()> {
        match ctx.ctx()?.actor.in_person() {
            Some(_) => Ok(()),
            None => Err(Error::forbidden().into()),
        }
    }
}

/// Open to whoever is signed in themselves, and to a program whose API key has the permission.
pub struct InPersonOr(pub Permission);

impl Guard for InPersonOr {
    async fn check(&self, ctx: &Context<'_>) -> Result<()> {
        let actor = &ctx.ctx()?.actor;
        let open = actor.in_person().is_some() || actor.may_somewhere(self.0);
        if open { Ok(()) } else { Err(Error::forbidden().into()) }
    }
}

/// Open to whoever holds the permission in some scope.
pub struct Require(pub Permission);

impl Guard for Require {
    async fn check(&self, ctx: &Context<'_>) -> Result<()> {
        if ctx.ctx()?.actor.may_somewhere(self.0) { Ok(()) } else { Err(Error::forbidden().into()) }
    }
}

/// How much of an object its holder may see: set by whoever found the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    Everything,
    /// What is shown to others: fields that are [`Private`] are refused.
    Outside,
}

/// Open to those whom the object shows everything.
pub struct Private(pub Sees);

impl Guard for Private {
    async fn check(&self, _: &Context<'_>) -> Result<()> {
        if self.0 == Sees::Everything { Ok(()) } else { Err(Error::forbidden().into()) }
    }
}
