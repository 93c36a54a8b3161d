//! Keyset pages: "the next 20 after this row", never "rows 4000 to 4020". Knows no GraphQL.
//!
//! A cursor holds the sort value and the id of a row, and the name of the list and order that it belongs to; a cursor
//! of another list is refused. The id breaks ties, so no row is shown twice or skipped while others come and go.
//! Empty values come first, on both databases.

use std::{collections::HashMap, hash::Hash};

use data_encoding::BASE64URL_NOPAD;
use sea_orm::{
    ColumnTrait, ColumnType, Condition, ConnectionTrait, EntityTrait, ExprTrait, FromQueryResult, ModelTrait,
    Order, QueryFilter, QuerySelect, QueryTrait, Select, Value,
    sea_query::{Asterisk, Expr, Func, NullOrdering, Query, SelectStatement, WindowStatement},
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::error::{Error, Result};

const DEFAULT: u64 = 20;
const MAXIMUM: u64 = 100;

/// A statement holds only so many values (`SQLite` 32,766, `PostgreSQL` 65,535), and nobody means more.
const FILTER_VALUES: usize = 1_000;

/// Refuses a filter whose longest list is too long.
pub fn check_filter(longest_list: Option<usize>) -> Result<()> {
    if longest_list.is_some_and(|length| length > FILTER_VALUES) {
        return Err(Error::bad_user_input(format!("A list in a filter has at most {FILTER_VALUES} values.")));
    }
    Ok(())
}

/// What the caller asks for, as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PageArgs {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Page<T> {
    /// Each with its cursor.
    pub rows: Vec<(String, T)>,
    pub has_next: bool,
    pub has_previous: bool,
}

impl<T> Page<T> {
    /// The page of a list with nothing on it.
    pub fn empty(args: &PageArgs) -> Self {
        let (has_next, has_previous) =
            if args.last.is_some() { (args.before.is_some(), false) } else { (false, args.after.is_some()) };
        Self { rows: Vec::new(), has_next, has_previous }
    }
}

/// A list in one order.
pub struct Sort<C> {
    /// Names the list and the order: a cursor fits only the one that it came from.
    pub list: &'static str,
    pub column: C,
    pub id: C,
    pub order: Order,
}

#[derive(Serialize, Deserialize)]
struct Cursor(String, Json, Uuid);

/// Fetches one page of the rows that `select` allows.
pub async fn fetch<E, D>(
    db: &D,
    select: Select<E>,
    sort: &Sort<E::Column>,
    args: &PageArgs,
) -> Result<Page<E::Model>>
where
    E: EntityTrait,
    D: ConnectionTrait,
{
    let mut select = within(select, sort, args)?;
    arrange(QuerySelect::query(&mut select), sort, args);
    page_of(select.all(db).await?, sort, args)
}

/// The rows of the page, and the one more that says whether the list goes on; still to be [arranged](arrange).
pub fn within<E: EntityTrait>(
    select: Select<E>,
    sort: &Sort<E::Column>,
    args: &PageArgs,
) -> Result<Select<E>> {
    let (limit, _) = extent(args)?;
    Ok(between(select, sort, args)?.limit(limit + 1))
}

/// Puts them into the order in which [`page_of`] takes them.
pub fn arrange<C: ColumnTrait>(statement: &mut SelectStatement, sort: &Sort<C>, args: &PageArgs) {
    let backward = args.first.is_none() && args.last.is_some();
    let order = if backward { opposite(&sort.order) } else { sort.order.clone() };
    let column = sort.column.as_column_ref();
    match nulls(sort, &order) {
        Some(nulls) => statement.order_by_with_nulls(column, order.clone(), nulls),
        None => statement.order_by(column, order.clone()),
    };
    statement.order_by(sort.id.as_column_ref(), order);
}

/// The same page of each parent's rows, in one statement: the rows are numbered within each parent.
pub async fn fetch_each<E, D, K>(
    db: &D,
    select: Select<E>,
    (parent, key): (E::Column, impl Fn(&E::Model) -> K),
    sort: &Sort<E::Column>,
    args: &PageArgs,
) -> Result<HashMap<K, Page<E::Model>>>
where
    E: EntityTrait,
    D: ConnectionTrait,
    K: Eq + Hash,
{
    const PLACE: &str = "place_in_list";
    let (limit, backward) = extent(args)?;
    let order = if backward { opposite(&sort.order) } else { sort.order.clone() };
    let (column, id) = (sort.column.as_column_ref(), sort.id.as_column_ref());
    let mut numbered = WindowStatement::partition_by(parent.as_column_ref());
    match nulls(sort, &order) {
        Some(nulls) => numbered.order_by_with_nulls(column, order.clone(), nulls),
        None => numbered.order_by(column, order.clone()),
    };
    numbered.order_by(id, order);
    let mut inner = between(select, sort, args)?.into_query();
    inner.expr_window_as(Func::cust("ROW_NUMBER"), numbered, PLACE);
    let outer = Query::select()
        .column(Asterisk)
        .from_subquery(inner, "numbered")
        .and_where(Expr::col(PLACE).lte(limit + 1))
        .order_by(PLACE, Order::Asc)
        .to_owned();
    let rows = E::Model::find_by_statement(db.get_database_backend().build(&outer)).all(db).await?;
    let mut lists: HashMap<K, Vec<E::Model>> = HashMap::new();
    for row in rows {
        lists.entry(key(&row)).or_default().push(row);
    }
    lists.into_iter().map(|(key, rows)| Ok((key, page_of(rows, sort, args)?))).collect()
}

/// The rows between the two cursors.
fn between<E: EntityTrait>(
    mut select: Select<E>,
    sort: &Sort<E::Column>,
    args: &PageArgs,
) -> Result<Select<E>> {
    if let Some(text) = &args.after {
        select = select.filter(beyond(sort, &parse(sort, text)?, &sort.order));
    }
    if let Some(text) = &args.before {
        select = select.filter(beyond(sort, &parse(sort, text)?, &opposite(&sort.order)));
    }
    Ok(select)
}

fn nulls<C: ColumnTrait>(sort: &Sort<C>, order: &Order) -> Option<NullOrdering> {
    let first = *order == Order::Asc;
    sort.column.def().is_null().then_some(if first { NullOrdering::First } else { NullOrdering::Last })
}

/// The page that these rows make: one more than asked for says that the list goes on.
pub fn page_of<M: ModelTrait>(
    rows: Vec<M>,
    sort: &Sort<<M::Entity as EntityTrait>::Column>,
    args: &PageArgs,
) -> Result<Page<M>> {
    page_by(rows, |row| row, sort, args)
}

/// The same of rows that have more beside them.
pub fn page_by<T, M: ModelTrait>(
    mut rows: Vec<T>,
    row_of: impl Fn(&T) -> &M,
    sort: &Sort<<M::Entity as EntityTrait>::Column>,
    args: &PageArgs,
) -> Result<Page<T>> {
    let (limit, backward) = extent(args)?;
    let more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    if backward {
        rows.reverse();
    }
    let (has_next, has_previous) =
        if backward { (args.before.is_some(), more) } else { (more, args.after.is_some()) };
    let rows = rows.into_iter().map(|row| Ok((print(sort, row_of(&row))?, row))).collect::<Result<_>>()?;
    Ok(Page { rows, has_next, has_previous })
}

/// How many rows, and whether from the end.
fn extent(args: &PageArgs) -> Result<(u64, bool)> {
    let (count, backward) = match (args.first, args.last) {
        (Some(_), Some(_)) => {
            return Err(Error::bad_user_input("Ask for `first` or for `last`, not for both."));
        }
        (None, Some(last)) => (Some(last), true),
        (first, None) => (first, false),
    };
    let Some(count) = count else {
        return Ok((DEFAULT, backward));
    };
    let limit = u64::try_from(count).ok().filter(|count| *count <= MAXIMUM);
    let refusal =
        || Error::bad_user_input(format!("A page has 0 to {MAXIMUM} entries; {count} were asked for."));
    Ok((limit.ok_or_else(refusal)?, backward))
}

fn opposite(order: &Order) -> Order {
    if *order == Order::Asc { Order::Desc } else { Order::Asc }
}

/// The rows behind the cursor, looking in the given direction.
fn beyond<C: ColumnTrait>(sort: &Sort<C>, (value, id): &(Option<Value>, Uuid), towards: &Order) -> Condition {
    let (column, upwards) = (sort.column, *towards == Order::Asc);
    let same_but_later =
        |condition: Condition| condition.add(if upwards { sort.id.gt(*id) } else { sort.id.lt(*id) });
    let mut beyond = Condition::any();
    match value {
        None => {
            beyond = beyond.add(same_but_later(Condition::all().add(column.is_null())));
            if upwards {
                beyond = beyond.add(column.is_not_null());
            }
        }
        Some(value) => {
            let further = if upwards { column.gt(value.clone()) } else { column.lt(value.clone()) };
            beyond = beyond.add(further).add(same_but_later(Condition::all().add(column.eq(value.clone()))));
            if !upwards && column.def().is_null() {
                beyond = beyond.add(column.is_null());
            }
        }
    }
    beyond
}

fn print<M: ModelTrait>(sort: &Sort<<M::Entity as EntityTrait>::Column>, row: &M) -> Result<String> {
    let value = match row.get(sort.column) {
        Value::BigInt(number) => number.map(Json::from),
        Value::String(text) => text.map(Json::from),
        other => return Err(Error::internal(format!("{} cannot be sorted by {other:?}", sort.list))),
    };
    let Value::Uuid(Some(id)) = row.get(sort.id) else {
        return Err(Error::internal(format!("{} has no id", sort.list)));
    };
    let cursor = Cursor(sort.list.to_owned(), value.unwrap_or(Json::Null), id);
    Ok(BASE64URL_NOPAD.encode(&serde_json::to_vec(&cursor).map_err(Error::internal)?))
}

/// Whatever is in a cursor was in somebody else's hands: it is believed only if it fits the column.
fn parse<C: ColumnTrait>(sort: &Sort<C>, text: &str) -> Result<(Option<Value>, Uuid)> {
    let foreign = || Error::bad_user_input("This cursor does not belong to this list in this order.");
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| foreign())?;
    let Cursor(list, value, id) = serde_json::from_slice(&bytes).map_err(|_| foreign())?;
    if list != sort.list {
        return Err(foreign());
    }
    let definition = sort.column.def();
    let value = match (value, definition.get_column_type()) {
        (Json::Null, _) if definition.is_null() => None,
        (Json::Number(number), ColumnType::BigInteger) => Some(number.as_i64().ok_or_else(foreign)?.into()),
        (Json::String(text), ColumnType::Text) if !text.contains('\0') => Some(text.into()),
        _ => return Err(foreign()),
    };
    Ok((value, id))
}
