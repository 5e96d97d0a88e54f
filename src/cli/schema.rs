//! `mailexpect schema`: prints the JSON schema of the project file.

use super::screen::Screen;
use crate::error::{Error, Kind, Result};
use crate::outcome::ExitCode;
use crate::project::Project;

pub(super) fn schema(screen: &mut Screen) -> Result<ExitCode> {
    let text = serde_json::to_string_pretty(&Project::schema());
    let text = text.map_err(|error| Error::new(Kind::Io, format!("no schema: {error}")))?;
    screen.show(&(text + "\n"));
    Ok(ExitCode::Passed)
}
