//! What other rooms and the schema may ask of this one.

pub use super::{
    adding::{NewMember, add},
    finders::{
        OrganizationBy, OrganizationFilter, active, by_codes, by_ids, count, find, list, primary_of_users,
        primary_places, seen_through, visible_memberships,
    },
    joining::{Joiner, hold, join, join_all, lock, lock_all},
    leaving::{end_memberships, next_primary, remove},
    members,
    registering::{Plan, Wish, carry_out, drop_plans, judge_all, note_all},
    upsert::{OrganizationChange, upsert},
};
