//! How a model rests on disk: one JSON document, versioned and checksummed; data, never code.
//!
//! ```text
//! {"clv_model": 2, "kind": "pareto-nbd", "kind_version": 1, "grain": "day", "checksum": "crc32:…", "body": {…}}
//! ```
//!
//! `grain` stands there for models that know it ([`Predict::grain`]); those that do not are of version 1.
//!
//! A file that is damaged, foreign, newer, or of an unknown kind is refused with a [`SavedError`].

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::model::{Predict, knowing};
use crate::units::Grain;

/// Version of the envelope: 2 with the grain of what the model was fitted to, which a program that knows 1 alone would take for damage.
const FORMAT: u64 = 2;

/// Why a saved model was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SavedError {
    /// Not JSON at all, or cut short.
    #[error("not a saved model: {0}")]
    NotJson(#[source] serde_json::Error),
    /// JSON, but not of ours.
    #[error("not a saved model: it has no field \"clv_model\"")]
    Foreign,
    /// Written by a newer version.
    #[error("{what} is of version {found}, and this program reads up to {known}; use a newer clv")]
    Newer {
        /// What is newer.
        what: String,
        /// Its version.
        found: u64,
        /// The newest that is understood.
        known: u64,
    },
    /// The checksum does not fit the content.
    #[error("the saved model is damaged: its checksum is {stated} and its content gives {computed}")]
    Damaged {
        /// As stated.
        stated: String,
        /// As computed.
        computed: String,
    },
    /// A saved ledger or summary that cannot be used.
    #[error("{}: {why}", path.display())]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// No loader knows this kind.
    #[error("no model of kind {kind:?} is registered; known: {known}")]
    UnknownKind {
        /// The kind.
        kind: String,
        /// What is registered, separated by commas.
        known: String,
    },
    /// A field is missing or has the wrong shape.
    #[error("field {field:?} of the saved model: {source}")]
    Field {
        /// The field.
        field: String,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// Collects the fields of a model.
#[derive(Debug, Default)]
pub struct SaveWriter {
    body: Map<String, Value>,
}

impl SaveWriter {
    /// Writes a field.
    ///
    /// # Errors
    ///
    /// [`SavedError::Field`] if the value has no JSON form (a NaN has none).
    pub fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<()> {
        let value =
            serde_json::to_value(value).map_err(|source| SavedError::Field { field: name.into(), source })?;
        self.body.insert(name.into(), value);
        Ok(())
    }

    /// Writes a model inside this one.
    ///
    /// # Errors
    ///
    /// As its own `save`.
    pub fn nested(&mut self, name: &str, model: &dyn Predict) -> Result<()> {
        self.body.insert(name.into(), envelope(model)?);
        Ok(())
    }
}

/// The fields of a saved model, checked and ready to be read.
#[derive(Debug)]
pub struct SavedModel {
    kind: String,
    version: u64,
    body: Map<String, Value>,
}

impl SavedModel {
    /// The kind, as in [`crate::model::Kind`].
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The kind's version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Reads a field.
    ///
    /// # Errors
    ///
    /// [`SavedError::Field`].
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let value = self.body.get(name).cloned().unwrap_or(Value::Null);
        serde_json::from_value(value)
            .map_err(|source| SavedError::Field { field: name.into(), source }.into())
    }

    /// Reads a model inside this one.
    ///
    /// # Errors
    ///
    /// As [`Registry::read`].
    pub fn nested(&self, name: &str, registry: &Registry) -> Result<Box<dyn Predict>> {
        registry.open(self.body.get(name).cloned().unwrap_or(Value::Null))
    }
}

/// Makes a model from its saved fields.
pub type Loader = fn(&SavedModel, &Registry) -> Result<Box<dyn Predict>>;

/// Which kinds of model can be loaded, up to which version.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    loaders: BTreeMap<String, (u32, Loader)>,
}

impl Registry {
    /// With the models of this crate: the baselines and [`crate::WithSpend`].
    pub fn core() -> Self {
        let mut registry = Self::default();
        crate::baselines::register(&mut registry);
        crate::model::register(&mut registry);
        registry
    }

    /// Adds a kind of one's own.
    pub fn register(&mut self, kind: crate::model::Kind, loader: Loader) {
        self.loaders.insert(kind.full_name(), (kind.full_version(), loader));
    }

    /// Loads a model from its text.
    ///
    /// # Errors
    ///
    /// [`Error::Saved`].
    pub fn read(&self, text: &str) -> Result<Box<dyn Predict>> {
        self.open(serde_json::from_str(text).map_err(SavedError::NotJson)?)
    }

    /// Loads a model from a file.
    ///
    /// # Errors
    ///
    /// [`Error::Saved`], [`Error::Io`].
    pub fn load(&self, path: &Path) -> Result<Box<dyn Predict>> {
        let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
        self.open(serde_json::from_slice(&bytes).map_err(SavedError::NotJson)?)
    }

    fn open(&self, value: Value) -> Result<Box<dyn Predict>> {
        let Value::Object(mut envelope) = value else { return Err(SavedError::Foreign.into()) };
        let format = envelope.get("clv_model").and_then(Value::as_u64).ok_or(SavedError::Foreign)?;
        if format == 0 {
            return Err(SavedError::Foreign.into());
        }
        if format > FORMAT {
            let what = "the file format".to_owned();
            return Err(SavedError::Newer { what, found: format, known: FORMAT }.into());
        }
        let body = match envelope.remove("body") {
            Some(Value::Object(body)) => body,
            _ => return Err(SavedError::Foreign.into()),
        };
        let text = |name: &str| envelope.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let version = envelope.get("kind_version").and_then(Value::as_u64).unwrap_or(0);
        let kind = text("kind");
        let grain = envelope.get("grain").filter(|grain| !grain.is_null());
        let (stated, computed) = (text("checksum"), checksum(&kind, version, grain, &body));
        if stated != computed {
            return Err(SavedError::Damaged { stated, computed }.into());
        }
        let Some(&(known, loader)) = self.loaders.get(kind.as_str()) else {
            let known = self.loaders.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(SavedError::UnknownKind { kind, known }.into());
        };
        if version > u64::from(known) {
            let (what, known) = (format!("the model {kind}"), u64::from(known));
            return Err(SavedError::Newer { what, found: version, known }.into());
        }
        let grain: Option<Grain> = grain
            .cloned()
            .map(serde_json::from_value)
            .transpose()
            .map_err(|source| SavedError::Field { field: "grain".into(), source })?;
        Ok(knowing(loader(&SavedModel { kind, version, body }, self)?, grain))
    }
}

/// A model as text.
///
/// # Errors
///
/// As its `save`.
pub fn to_string(model: &dyn Predict) -> Result<String> {
    Ok(format!("{:#}\n", envelope(model)?))
}

/// Writes a model to a file, whole or not at all.
///
/// What [`Erased`](crate::Erased) settings fitted knows the grain of its purchases, and so does the file. A model that was fitted as itself does not: loaded
/// again it takes purchases of any grain, unless it is made a [`Grained`](crate::model::Grained) first.
///
/// # Errors
///
/// [`Error::Io`], or as its `save`.
pub fn save(model: &dyn Predict, path: &Path) -> Result<()> {
    let text = to_string(model)?;
    write_atomically(path, |file| file.write_all(text.as_bytes()))
}

/// Writes a file whole or not at all: into a temporary file beside it, flushed to the disk, then
/// renamed over it.
///
/// # Errors
///
/// [`Error::Io`]; what stood at `path` is then untouched.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> Result<()> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .map_or_else(|| PathBuf::from("."), Path::to_owned);
    atomic(path, &folder, write).map_err(|source| Error::Io { path: path.into(), source })
}

fn atomic(
    path: &Path,
    folder: &PathBuf,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    // The process is in the name, so that a program that is stopped can tidy up after itself.
    let prefix = format!(".{}-", std::process::id());
    builder.prefix(&prefix).suffix(".clv-tmp");
    #[cfg(unix)]
    {
        // Temporary files are private by default, and the name they get keeps that; an output file
        // should have the permissions that the user's umask gives.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    let mut buffered = io::BufWriter::with_capacity(1 << 16, file.as_file_mut());
    write(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn envelope(model: &dyn Predict) -> Result<Value> {
    let mut writer = SaveWriter::default();
    model.save(&mut writer)?;
    let kind = model.kind();
    let (name, version) = (kind.full_name(), u64::from(kind.full_version()));
    let grain = model.grain().map(|grain| json!(grain));
    let checksum = checksum(&name, version, grain.as_ref(), &writer.body);
    let mut envelope = json!({
        "clv_model": if grain.is_some() { FORMAT } else { 1 },
        "kind": name,
        "kind_version": version,
        "checksum": checksum,
        "body": writer.body,
    });
    if let Some(grain) = grain {
        envelope["grain"] = grain;
    }
    Ok(envelope)
}

/// Over the canonical text: keys sorted, numbers in their shortest form.
fn checksum(kind: &str, version: u64, grain: Option<&Value>, body: &Map<String, Value>) -> String {
    let text = match grain {
        None => json!([kind, version, body]),
        Some(grain) => json!([kind, version, grain, body]),
    }
    .to_string();
    format!("crc32:{:08x}", crc32fast::hash(text.as_bytes()))
}
