//! What the server knows of the files that come late: where they are, and who needs them.

use std::{collections::BTreeMap, sync::Arc};

use axum::http::{HeaderValue, header};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

/// Which files the browser will ask for, so that the document can name them at once: otherwise it
/// would hear of them only when the first one runs.
#[derive(Clone, Debug, Default)]
pub struct LateFiles(Arc<BTreeMap<String, HeaderValue>>);

impl LateFiles {
    /// From what the splitter wrote down (under the name of each file here, all that come with it),
    /// and the folder they lie in.
    pub fn read(manifest: &[u8], folder: &str) -> serde_json::Result<Self> {
        let manifest: BTreeMap<String, Vec<String>> = serde_json::from_slice(manifest)?;
        let links = manifest.into_iter().filter_map(|(name, files)| {
            let links: Vec<String> = files
                .iter()
                .map(|file| format!("</{folder}/{file}.wasm>; rel=preload; as=fetch; crossorigin"))
                .collect();
            Some((name, HeaderValue::try_from(links.join(", ")).ok()?))
        });
        Ok(Self(Arc::new(links.collect())))
    }
}

/// Names the files in the header of the answer, before anything is rendered.
pub fn in_the_header(file: &str) {
    if let (Some(files), Some(response)) =
        (use_context::<LateFiles>(), use_context::<ResponseOptions>())
        && let Some(links) = files.0.get(file)
    {
        response.append_header(header::LINK, links.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_names_all_files_of_its_page() {
        let manifest = br#"{"audit": ["chunk_4", "split_audit"], "editor": []}"#;
        let files = LateFiles::read(manifest, "pkg/0123").unwrap();
        let links = "</pkg/0123/chunk_4.wasm>; rel=preload; as=fetch; crossorigin, \
                     </pkg/0123/split_audit.wasm>; rel=preload; as=fetch; crossorigin";
        assert_eq!(files.0["audit"], links);
        assert_eq!(files.0["editor"], "");
        assert!(LateFiles::read(b"[]", "pkg").is_err());
    }
}
