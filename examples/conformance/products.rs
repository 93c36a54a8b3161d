//! The `products` subgraph, with the data that the suite asks for. Its directives stand in `products.graphql`, which is
//! what `_service` answers; here stands only what is resolved.

use std::time::Duration;

use async_graphql::{ID, Object, SimpleObject, Union};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::Value;

const SDL: &str = include_str!("products.graphql");

pub struct Query;
pub struct Subscription;

#[derive(SimpleObject)]
struct Product {
    id: ID,
    sku: Option<String>,
    package: Option<String>,
    variation: Option<ProductVariation>,
    dimensions: Option<ProductDimension>,
    created_by: Option<User>,
    notes: Option<String>,
    research: Vec<ProductResearch>,
}

#[derive(SimpleObject)]
struct DeprecatedProduct {
    sku: String,
    package: String,
    reason: Option<String>,
    created_by: Option<User>,
}

#[derive(SimpleObject)]
struct ProductVariation {
    id: ID,
}

#[derive(SimpleObject)]
struct ProductResearch {
    study: CaseStudy,
    outcome: Option<String>,
}

#[derive(SimpleObject)]
struct CaseStudy {
    case_number: ID,
    description: Option<String>,
}

#[derive(SimpleObject)]
struct ProductDimension {
    size: Option<String>,
    weight: Option<f64>,
    unit: Option<String>,
}

#[derive(SimpleObject)]
struct User {
    average_products_created_per_year: Option<i32>,
    email: ID,
    name: Option<String>,
    total_products_created: Option<i32>,
    years_of_employment: i32,
}

#[derive(SimpleObject)]
struct Inventory {
    id: ID,
    deprecated_products: Vec<DeprecatedProduct>,
}

#[derive(SimpleObject)]
#[graphql(name = "_Service")]
struct Service {
    sdl: Option<String>,
}

#[derive(Union)]
#[graphql(name = "_Entity")]
enum Entity {
    Product(Box<Product>),
    DeprecatedProduct(DeprecatedProduct),
    ProductResearch(ProductResearch),
    User(User),
    Inventory(Inventory),
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
struct Representation(Value);

async_graphql::scalar!(Representation, "_Any");

const EMAIL: &str = "support@apollographql.com";

fn user() -> User {
    User {
        average_products_created_per_year: Some(1337 / 10),
        email: EMAIL.into(),
        name: Some("Jane Smith".to_owned()),
        total_products_created: Some(1337),
        years_of_employment: 10,
    }
}

fn deprecated_product() -> DeprecatedProduct {
    DeprecatedProduct {
        sku: "apollo-federation-v1".to_owned(),
        package: "@apollo/federation-v1".to_owned(),
        reason: Some("Migrate to Federation V2".to_owned()),
        created_by: Some(user()),
    }
}

fn research(case_number: &str, description: &str) -> ProductResearch {
    let study = CaseStudy { case_number: case_number.into(), description: Some(description.to_owned()) };
    ProductResearch { study, outcome: None }
}

fn studies() -> [ProductResearch; 2] {
    [research("1234", "Federation Study"), research("1235", "Studio Study")]
}

fn product(id: &str, sku: &str, package: Option<&str>, variation: &str, study: ProductResearch) -> Product {
    Product {
        id: id.into(),
        sku: Some(sku.to_owned()),
        package: package.map(str::to_owned),
        variation: Some(ProductVariation { id: variation.into() }),
        dimensions: Some(ProductDimension {
            size: Some("small".to_owned()),
            weight: Some(1.0),
            unit: Some("kg".to_owned()),
        }),
        created_by: Some(user()),
        notes: None,
        research: vec![study],
    }
}

fn products() -> [Product; 2] {
    let [federation, studio] = studies();
    [
        product("apollo-federation", "federation", Some("@apollo/federation"), "OSS", federation),
        product("apollo-studio", "studio", None, "platform", studio),
    ]
}

fn find(representation: &Value) -> Option<Entity> {
    let text = |name: &str| representation[name].as_str();
    match text("__typename")? {
        "Product" => products()
            .into_iter()
            .find(|product| match (text("id"), text("package"), representation["variation"]["id"].as_str()) {
                (Some(id), _, _) => product.id.as_str() == id,
                (None, Some(package), _) => {
                    product.sku.as_deref() == text("sku") && product.package.as_deref() == Some(package)
                }
                (None, None, variation) => {
                    product.sku.as_deref() == text("sku")
                        && product.variation.as_ref().map(|it| it.id.as_str()) == variation
                }
            })
            .map(|product| Entity::Product(Box::new(product))),
        "DeprecatedProduct" => {
            let found = Some(deprecated_product());
            let named = |it: &DeprecatedProduct| {
                Some(it.sku.as_str()) == text("sku") && Some(it.package.as_str()) == text("package")
            };
            found.filter(named).map(Entity::DeprecatedProduct)
        }
        "ProductResearch" => {
            let number = representation["study"]["caseNumber"].as_str()?;
            let mut found = studies().into_iter();
            found.find(|it| it.study.case_number.as_str() == number).map(Entity::ProductResearch)
        }
        "User" => text("email").map(|email| {
            let of = |name: &str| representation[name].as_i64().and_then(|number| i32::try_from(number).ok());
            let (total, years) = (of("totalProductsCreated"), of("yearsOfEmployment"));
            let average = total.zip(years).and_then(|(total, years)| total.checked_div(years));
            let user = user();
            Entity::User(User {
                email: email.into(),
                average_products_created_per_year: average.or(user.average_products_created_per_year),
                total_products_created: total.or(user.total_products_created),
                years_of_employment: years.unwrap_or(user.years_of_employment),
                ..user
            })
        }),
        "Inventory" => text("id").filter(|id| *id == "apollo-oss").map(|id| {
            Entity::Inventory(Inventory { id: id.into(), deprecated_products: vec![deprecated_product()] })
        }),
        _ => None,
    }
}

#[Object]
impl Query {
    async fn product(&self, id: ID) -> Option<Product> {
        products().into_iter().find(|product| product.id == id)
    }

    #[graphql(deprecation = "Use product query instead")]
    async fn deprecated_product(&self, sku: String, package: String) -> Option<DeprecatedProduct> {
        Some(deprecated_product()).filter(|it| it.sku == sku && it.package == package)
    }

    #[graphql(name = "_service")]
    async fn service(&self) -> Service {
        Service { sdl: Some(SDL.to_owned()) }
    }

    #[graphql(name = "_entities")]
    async fn entities(&self, representations: Vec<Representation>) -> Vec<Option<Entity>> {
        representations.iter().map(|Representation(it)| find(it)).collect()
    }
}

#[async_graphql::Subscription]
impl Subscription {
    /// Counts from 1 to `n`, ten times a second.
    async fn tick(&self, n: i32) -> impl Stream<Item = i32> {
        stream::iter(1..=n).then(|n| async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            n
        })
    }
}
