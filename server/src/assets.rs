//! The site's files, out of the binary (out of `target/site` in a debug build): script, style,
//! icons. What the pages say lives elsewhere.

use std::borrow::Cow;
use std::sync::LazyLock;

use app::late::LateFiles;
use axum::Router;
use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::Embed;
use sha2::{Digest, Sha256};

/// The folder of script and style. Pages link to it by this name, for `LeptosOptions::site_pkg_dir`:
/// in a release it names the build, so that browsers need not ask again until the next one.
pub fn pkg_dir() -> &'static str {
    static PKG_DIR: LazyLock<String> = LazyLock::new(|| {
        if cfg!(debug_assertions) {
            return "pkg".to_owned();
        }
        let mut content = Sha256::new();
        for path in Site::iter() {
            content.update(path.as_bytes());
            content.update(Site::get(&path).map_or([0; 32], |file| file.metadata.sha256_hash()));
        }
        format!("pkg/{}", short_hex(&content.finalize()))
    });
    &PKG_DIR
}

/// The files of code that only some pages need, if the site was built.
pub fn late_files() -> LateFiles {
    static LATE_FILES: LazyLock<LateFiles> = LazyLock::new(|| {
        let manifest = Site::get("pkg/__wasm_split_manifest.json");
        manifest.map_or_else(LateFiles::default, |manifest| {
            LateFiles::read(&manifest.data, pkg_dir()).unwrap_or_else(|error| {
                tracing::warn!(%error, "the list of the site's late files cannot be read");
                LateFiles::default()
            })
        })
    });
    LATE_FILES.clone()
}

/// One route for each file at the root, and one for the folder of script and style.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Site::iter()
        .filter(|path| !path.starts_with("pkg/") && !is_compressed(path))
        .fold(Router::new(), |router, path| {
            router.route(&format!("/{path}"), get(asset))
        })
        .route("/pkg/{*file}", get(asset))
}

/// Answers for one file: compressed as the browser wants it, or 304 when it has it already.
pub async fn asset(uri: Uri, headers: HeaderMap) -> Response {
    answer(uri.path(), &headers, |path| {
        let file = Site::get(path)?;
        Some(File {
            hash: file.metadata.sha256_hash(),
            bytes: file.data,
        })
    })
}

#[derive(Embed)]
#[folder = "../target/site/"]
struct Site;

struct File {
    bytes: Cow<'static, [u8]>,
    hash: [u8; 32],
}

const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

fn answer(path: &str, headers: &HeaderMap, find: impl Fn(&str) -> Option<File>) -> Response {
    let Some((path, cache_control)) = locate(path, pkg_dir()) else {
        return missing(path);
    };
    let compressed = ENCODINGS
        .iter()
        .filter(|(encoding, _)| accepts(headers, encoding))
        .find_map(|(encoding, ending)| Some((Some(*encoding), find(&format!("{path}{ending}"))?)));
    let Some((encoding, file)) = compressed.or_else(|| Some((None, find(&path)?))) else {
        return missing(&path);
    };

    // Each encoding is a file of its own, so its hash tells them apart.
    let etag = format!("\"{}\"", short_hex(&file.hash));
    let is_known = has_already(headers, &etag);
    let common = [
        (ETAG, etag),
        (CACHE_CONTROL, cache_control.to_owned()),
        (VARY, "accept-encoding".to_owned()),
    ];
    if is_known {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let kind = [
        (CONTENT_TYPE, content_type(&path)),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut response = (common, kind, Body::from(file.bytes)).into_response();
    if let Some(encoding) = encoding {
        let encoding = HeaderValue::from_static(encoding);
        response.headers_mut().insert(CONTENT_ENCODING, encoding);
    }
    response
}

fn missing(path: &str) -> Response {
    let words = format!("There is no file /{} here.\n", path.trim_start_matches('/'));
    (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")], words).into_response()
}

/// Which file a path means and for how long it is good. A page of another build still gets what
/// is here now, but must not keep it under that build's name. It gets no late file: to a program
/// of that build, which runs already, the code in this one would be at wrong addresses.
fn locate(path: &str, pkg_dir: &str) -> Option<(String, &'static str)> {
    let path = path.trim_start_matches('/');
    let build_and_file = path
        .strip_prefix("pkg/")
        .and_then(|rest| rest.split_once('/'))
        .filter(|(build, _)| build.len() == 16 && build.bytes().all(|b| b.is_ascii_hexdigit()));
    match build_and_file {
        Some((build, file)) if pkg_dir.strip_prefix("pkg/") == Some(build) => {
            let kept = "public, max-age=31536000, immutable";
            Some((format!("pkg/{file}"), kept))
        }
        Some((_, file)) if file.starts_with("split_") || file.starts_with("chunk_") => None,
        Some((_, file)) => Some((format!("pkg/{file}"), "no-cache")),
        None => Some((path.to_owned(), "no-cache")),
    }
}

/// Whether the browser takes this encoding: named, and not with a quality of zero.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let offers = headers.get_all(ACCEPT_ENCODING).into_iter();
    offers
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|offer| {
            let (name, parameters) = offer.split_once(';').unwrap_or((offer, ""));
            let quality = parameters.trim().strip_prefix("q=").map(str::parse::<f32>);
            name.trim().eq_ignore_ascii_case(encoding) && !matches!(quality, Some(Ok(0.0)))
        })
}

fn has_already(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).into_iter();
    known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| {
            let known = known.trim();
            known == "*" || known.trim_start_matches("W/") == etag
        })
}

fn is_compressed(path: &str) -> bool {
    ENCODINGS.iter().any(|(_, ending)| path.ends_with(ending))
}

/// Browsers run nothing under a wrong type, and `nosniff` forbids them to guess.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/x-icon",
        "js" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// Sixteen digits of a hash: enough to tell builds apart.
fn short_hex(hash: &[u8]) -> String {
    hex::encode(&hash[..8])
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn site(path: &str) -> Option<File> {
        let (bytes, hash): (&'static [u8], u8) = match path {
            "pkg/cueline.js" => (b"plain", 1),
            "pkg/cueline.js.br" => (b"brotli", 2),
            "pkg/cueline.js.gz" => (b"gzip", 3),
            "favicon.png" => (b"picture", 4),
            _ => return None,
        };
        Some(File {
            bytes: bytes.into(),
            hash: [hash; 32],
        })
    }

    fn request(path: &str, headers: &[(HeaderName, &'static str)]) -> Response {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        answer(path, &headers, site)
    }

    fn header(response: &Response, name: HeaderName) -> &str {
        response
            .headers()
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn the_browser_gets_the_best_encoding_it_takes() {
        #[track_caller]
        fn check(accepted: &'static str, expected: &str) {
            let response = request("/pkg/cueline.js", &[(ACCEPT_ENCODING, accepted)]);
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(header(&response, CONTENT_ENCODING), expected, "{accepted}");
            assert_eq!(header(&response, VARY), "accept-encoding");
            let kind = header(&response, CONTENT_TYPE);
            assert_eq!(kind, "text/javascript; charset=utf-8");
        }
        check("gzip, deflate, br, zstd", "br");
        check("gzip, br;q=0", "gzip");
        check("GZIP;q=0.5", "gzip");
        check("brotli", "");
        check("identity", "");
    }

    #[test]
    fn what_is_compressed_already_comes_as_it_is() {
        let response = request("/favicon.png", &[(ACCEPT_ENCODING, "br")]);
        assert_eq!(header(&response, CONTENT_ENCODING), "");
        assert_eq!(header(&response, CONTENT_TYPE), "image/png");
        assert_eq!(header(&response, X_CONTENT_TYPE_OPTIONS), "nosniff");
    }

    #[test]
    fn a_known_file_is_not_sent_again_and_each_encoding_is_another_file() {
        let brotli = "\"0202020202020202\"";
        for known in [brotli, "W/\"0202020202020202\", \"x\"", "*"] {
            let known = HeaderValue::from_str(known).unwrap();
            let headers = HeaderMap::from_iter([
                (ACCEPT_ENCODING, HeaderValue::from_static("br")),
                (IF_NONE_MATCH, known),
            ]);
            let response = answer("/pkg/cueline.js", &headers, site);
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
            assert_eq!(header(&response, ETAG), brotli);
        }
        let other = [(IF_NONE_MATCH, "\"0202020202020202\"")];
        assert_eq!(request("/pkg/cueline.js", &other).status(), StatusCode::OK);
    }

    #[test]
    fn only_this_build_s_name_may_be_kept() {
        #[track_caller]
        fn check(path: &str, expected: Option<(&str, &'static str)>) {
            let located = locate(path, "pkg/0123456789abcdef");
            let expected = expected.map(|(file, cache)| (file.to_owned(), cache));
            assert_eq!(located, expected);
        }
        const KEPT: &str = "public, max-age=31536000, immutable";
        let (script, late) = ("pkg/cueline.js", "pkg/split_editor.wasm");
        check("/pkg/0123456789abcdef/cueline.js", Some((script, KEPT)));
        check(
            "/pkg/0123456789abcdef/split_editor.wasm",
            Some((late, KEPT)),
        );
        check(
            "/pkg/fedcba9876543210/cueline.js",
            Some((script, "no-cache")),
        );
        check("/pkg/fedcba9876543210/split_editor.wasm", None);
        check("/pkg/fedcba9876543210/chunk_4.wasm", None);
        check("/pkg/split_editor.wasm", Some((late, "no-cache")));
        let snippet = "pkg/snippets/x/inline0.js";
        check("/pkg/snippets/x/inline0.js", Some((snippet, "no-cache")));
    }

    #[test]
    fn what_is_not_there_is_said_to_be_missing() {
        for path in ["/pkg/other.js", "/pkg/../Cargo.toml", "/pkg//etc/passwd"] {
            assert_eq!(request(path, &[]).status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
