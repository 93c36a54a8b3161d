//! One user as a line of a file: what `denizen export` writes and `denizen import` reads. The names are those of
//! `onboardUsers`.

use denizen::{
    clock,
    domain::{
        identity::onboarding::{
            export::Exported,
            service::{NewUser, Past},
        },
        models::service::ModelInput,
    },
    error::Fault,
};
use entity::UserStatus;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Record {
    pub user_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org_code: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub role_codes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Model>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Model {
    pub source_language: String,
    pub target_language: String,
    pub uuid: String,
}

/// The columns of a CSV file, in the order in which they are written. In a file that is read, they come in any order.
pub const COLUMNS: [&str; 15] = [
    "userName",
    "email",
    "phone",
    "password",
    "passwordHash",
    "name",
    "givenName",
    "familyName",
    "gender",
    "locale",
    "orgCode",
    "roleCodes",
    "models",
    "status",
    "createdAt",
];

impl Record {
    /// Sets the field of a CSV column. Lists are separated by `;`, and a model is `en>de=uuid`.
    pub fn set(&mut self, column: &str, text: &str) -> Result<(), Fault> {
        let value = || Some(text.to_owned());
        match column {
            "userName" => text.clone_into(&mut self.user_name),
            _ if text.is_empty() => {}
            "email" => self.email = value(),
            "phone" => self.phone = value(),
            "password" => self.password = value(),
            "passwordHash" => self.password_hash = value(),
            "name" => self.name = value(),
            "givenName" => self.given_name = value(),
            "familyName" => self.family_name = value(),
            "gender" => self.gender = value(),
            "locale" => self.locale = value(),
            "orgCode" => self.org_code = value(),
            "status" => self.status = value(),
            "createdAt" => self.created_at = value(),
            "roleCodes" => self.role_codes = list(text).map(str::to_owned).collect(),
            "models" => self.models = list(text).map(model).collect::<Result<_, _>>()?,
            _ => {}
        }
        Ok(())
    }

    /// The field as it stands in a CSV file.
    pub fn get(&self, column: &str) -> String {
        let models = || {
            let model =
                |model: &Model| format!("{}>{}={}", model.source_language, model.target_language, model.uuid);
            self.models.iter().map(model).collect::<Vec<_>>().join(";")
        };
        let text = match column {
            "userName" => return self.user_name.clone(),
            "roleCodes" => return self.role_codes.join(";"),
            "models" => return models(),
            "email" => &self.email,
            "phone" => &self.phone,
            "password" => &self.password,
            "passwordHash" => &self.password_hash,
            "name" => &self.name,
            "givenName" => &self.given_name,
            "familyName" => &self.family_name,
            "gender" => &self.gender,
            "locale" => &self.locale,
            "orgCode" => &self.org_code,
            "status" => &self.status,
            "createdAt" => &self.created_at,
            _ => &None,
        };
        text.clone().unwrap_or_default()
    }

    pub fn into_new_user(self) -> Result<NewUser, Fault> {
        let status = match self.status.as_deref() {
            None => None,
            Some("ACTIVE") => Some(UserStatus::Active),
            Some("DEACTIVATED") => Some(UserStatus::Deactivated),
            Some(_) => return Err(Fault::invalid("status", "It is ACTIVE or DEACTIVATED.")),
        };
        let moment = |text: String| {
            clock::parse_rfc3339(&text).ok_or_else(|| {
                Fault::invalid("createdAt", "It is not a moment such as 2026-01-31T12:00:00Z.")
            })
        };
        let models = self.models.into_iter().map(|model| {
            let Model { source_language, target_language, uuid } = model;
            ModelInput { source_language, target_language, uuid }
        });
        Ok(NewUser {
            user_name: self.user_name,
            email: self.email,
            phone: self.phone,
            password: self.password,
            password_hash: self.password_hash,
            name: self.name,
            org_code: self.org_code,
            role_codes: self.role_codes,
            models: models.collect(),
            past: Past {
                given_name: self.given_name,
                family_name: self.family_name,
                gender: self.gender,
                locale: self.locale,
                created_at: self.created_at.map(moment).transpose()?,
                status,
            },
        })
    }

    /// What is proved of an account, and where it belongs in the first place.
    pub fn of(exported: Exported) -> Self {
        let Exported { user, password_hash, org_code, role_codes, models, more: _ } = exported;
        let models = models.into_iter().map(|model| Model {
            source_language: model.source_language,
            target_language: model.target_language,
            uuid: model.uuid,
        });
        let deactivated = user.status == UserStatus::Deactivated;
        Self {
            user_name: user.user_name,
            email: user.email.filter(|_| user.email_verified_at.is_some()),
            phone: user.phone.filter(|_| user.phone_verified_at.is_some()),
            password: None,
            password_hash,
            name: user.name,
            given_name: user.given_name,
            family_name: user.family_name,
            gender: user.gender,
            locale: user.locale,
            org_code,
            role_codes,
            models: models.collect(),
            status: deactivated.then(|| "DEACTIVATED".to_owned()),
            created_at: Some(clock::rfc3339(user.created_at)),
        }
    }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(';').map(str::trim).filter(|part| !part.is_empty())
}

fn model(text: &str) -> Result<Model, Fault> {
    let parts = text.split_once('=').and_then(|(pair, uuid)| Some((pair.split_once('>')?, uuid)));
    let ((source, target), uuid) =
        parts.ok_or_else(|| Fault::invalid("models", "A model is written as `en>de=uuid`."))?;
    Ok(Model {
        source_language: source.to_owned(),
        target_language: target.to_owned(),
        uuid: uuid.to_owned(),
    })
}
